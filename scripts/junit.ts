/**
 * Counting the tests of a JUnit report, which Deno, Bun and Node all write.
 *
 * @module
 */

/** How many tests ended how. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Counts the test cases of a JUnit report.
 *
 * @param xml The report.
 * @returns How many passed, failed and were skipped.
 */
export function countReport(xml: string): Counts {
  const cases = xml.match(/<testcase\b[^>]*?(?:\/>|>[^]*?<\/testcase>)/g) ?? [];
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const text of cases) {
    if (/<(?:failure|error)\b/.test(text)) counts.failed++;
    else if (/<skipped\b/.test(text)) counts.skipped++;
    else counts.passed++;
  }
  return counts;
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
