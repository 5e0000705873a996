/**
 * Reading the tests of a JUnit report, which Deno, Bun and Node all write.
 *
 * @module
 */

/** How many tests ended how. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** A test that failed, and with which message. */
export interface Failure {
  readonly name: string;
  readonly message: string;
}

/** The start of a test case that failed, of its failure and of the message. */
const FAILED = /<(?:failure|error)\b/;
const NAME = /\bname="([^"]*)"/;
const MESSAGE = /<(?:failure|error)\b[^>]*?\bmessage="([^"]*)"/;
const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

/**
 * Counts the test cases of a JUnit report.
 *
 * @param xml The report.
 * @returns How many passed, failed and were skipped.
 */
export function countReport(xml: string): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const text of casesOf(xml)) {
    if (FAILED.test(text)) counts.failed++;
    else if (/<skipped\b/.test(text)) counts.skipped++;
    else counts.passed++;
  }
  return counts;
}

/**
 * Finds the test cases of a JUnit report that failed.
 *
 * @param xml The report.
 */
export function findFailures(xml: string): Failure[] {
  return casesOf(xml).filter((text) => FAILED.test(text)).map((text) => ({
    name: decode(NAME.exec(text)?.[1] ?? ""),
    message: decode(MESSAGE.exec(text)?.[1] ?? "").trim(),
  }));
}

function casesOf(xml: string): string[] {
  // Node writes ">" as it is in attributes.
  const cases = /<testcase\b(?:"[^"]*"|[^">])*?(?:\/>|>[^]*?<\/testcase>)/g;
  return xml.match(cases) ?? [];
}

/** Decodes the text of an attribute. */
function decode(text: string): string {
  // Node encodes a quotation mark in a name twice.
  return text.replaceAll("&amp;quot;", "&quot;").replace(
    /&(?:#(\d+)|(\w+));/g,
    (entity, number, name) =>
      number === undefined
        ? ENTITIES[name] ?? entity
        : String.fromCodePoint(Number(number)),
  );
}

/** Adds counts to a sum of them. */
export function addCounts(
  sum: Counts,
  { passed, failed, skipped }: Counts,
): void {
  sum.passed += passed;
  sum.failed += failed;
  sum.skipped += skipped;
}
