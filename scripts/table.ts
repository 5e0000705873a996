/**
 * Plain text tables.
 *
 * @module
 */

/**
 * Formats rows as columns that are aligned to the left, with a line under the
 * headings.
 *
 * @param headings The heading of each column.
 * @param rows The cells of each row; as many as there are headings.
 * @returns The lines, without a newline at the end.
 */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0))
  );
  const line = (cells: readonly string[]) =>
    widths.map((width, column) => (cells[column] ?? "").padEnd(width))
      .join("  ").trimEnd();
  return [
    line(headings),
    line(widths.map((width) => "-".repeat(width))),
    ...rows.map(line),
  ].join("\n");
}

/**
 * Shows text in one line, as it can stand in a cell: control characters
 * escaped, and cut where it is too long.
 *
 * @param text The text.
 * @param length How many characters there is room for.
 * @returns The text in quotes.
 */
export function quoteCell(text: string, length: number = 60): string {
  const quoted = JSON.stringify(text);
  return quoted.length <= length
    ? quoted
    : `${quoted.slice(0, length - 2).replace(/\\+$/, "")}…"`;
}
