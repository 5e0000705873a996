/**
 * The median of figures, and how exact it is.
 *
 * @module
 */

/** A median, and the interval that holds the true one in 95 of 100 cases. */
export interface Spread {
  readonly median: number;
  readonly interval: readonly [number, number];
}

/** The median, and its interval by the ranks of the sign test. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const count = sorted.length;
  const rank = Math.max(0, Math.floor((count - 1.96 * Math.sqrt(count)) / 2));
  const round = (value: number) => Number(value.toPrecision(4));
  const middle = (sorted[(count - 1) >> 1]! + sorted[count >> 1]!) / 2;
  return {
    median: round(middle),
    interval: [round(sorted[rank]!), round(sorted[count - 1 - rank]!)],
  };
}

export function formatSpread(
  { median, interval: [from, to] }: Spread,
): string {
  return `${median.toFixed(2)} (${from.toFixed(2)}–${to.toFixed(2)})`;
}
