/**
 * What links in the documentation lead to: the headings, links and pictures of a
 * Markdown file.
 *
 * @module
 */

/** A link or picture of a page. */
export interface Link {
  /** As it is written, such as `../README.md#why`. */
  readonly target: string;
  readonly line: number;
}

/** Replaces code by as many spaces, so that nothing in it is taken for a link. */
function blankCode(text: string): string {
  const blank = (code: string) => code.replace(/[^\n]/g, " ");
  return text
    .replace(/^( *)```[^]*?^\1```$/gm, blank)
    .replace(/`[^`\n]*`/g, blank);
}

/** Finds the links and pictures of a page, those of its code excepted. */
export function findLinks(text: string): Link[] {
  const prose = blankCode(text);
  return [...prose.matchAll(/\]\(\s*([^()\s]+)\s*\)/g)].map((match) => ({
    target: match[1]!,
    line: prose.slice(0, match.index).split("\n").length,
  }));
}

/** Returns the anchor of a heading as GitHub has it: `The API!` is `the-api`. */
export function anchorOf(heading: string): string {
  return heading.trim().toLowerCase()
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-");
}

/** Returns the anchors of a page; a repeated heading has a number behind it. */
export function findAnchors(text: string): Set<string> {
  const withoutBlocks = text.replace(/^( *)```[^]*?^\1```$/gm, "");
  const anchors = new Set<string>();
  for (const [, heading] of withoutBlocks.matchAll(/^#{1,6} (.+)$/gm)) {
    const anchor = anchorOf(heading!);
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count++) {
      unique = `${anchor}-${count}`;
    }
    anchors.add(unique);
  }
  return anchors;
}
