/**
 * Checks that each link and picture of the documentation leads to a file of this
 * repository and to a heading in it. Links to other sites are not followed.
 *
 *     deno run --allow-read scripts/docs/check_links.ts
 *
 * @module
 */

import { findAnchors, findLinks } from "./markdown.ts";

const ROOT = new URL("../../", import.meta.url);

/** Directories with pages; the others have none, or those of other projects. */
const DIRECTORIES = ["", "docs/", "examples/", "bench/"];

/** Returns the Markdown files of the repository. */
async function findPages(): Promise<string[]> {
  const pages: string[] = [];
  for (const directory of DIRECTORIES) {
    for await (const { name } of Deno.readDir(new URL(directory, ROOT))) {
      if (name.endsWith(".md")) pages.push(directory + name);
    }
  }
  return pages.sort();
}

/** Returns why a link leads nowhere, if it does. */
async function problemOf(
  page: string,
  target: string,
): Promise<string | undefined> {
  if (/^[a-z]+:/.test(target)) return undefined;
  const url = new URL(target, new URL(page, ROOT));
  if (!url.href.startsWith(ROOT.href)) return "it leads out of the repository";
  const anchor = decodeURIComponent(url.hash.slice(1));
  url.hash = "";
  try {
    const { isFile } = await Deno.stat(url);
    if (anchor === "" || !isFile || !url.pathname.endsWith(".md")) return;
    return findAnchors(await Deno.readTextFile(url)).has(anchor)
      ? undefined
      : `the page has no heading "${anchor}"`;
  } catch {
    return "there is no such file";
  }
}

let links = 0;
for (const page of await findPages()) {
  for (
    const { target, line } of findLinks(
      await Deno.readTextFile(new URL(page, ROOT)),
    )
  ) {
    links++;
    const problem = await problemOf(page, target);
    if (problem === undefined) continue;
    console.error(`${page}:${line}: link to ${target}: ${problem}`);
    Deno.exitCode = 1;
  }
}
console.log(`${links} links checked`);
