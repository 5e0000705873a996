/**
 * What the measurements of throughput show.
 *
 * @module
 */

import { formatTable } from "../scripts/table.ts";
import {
  type Load,
  type Measurement,
  type Way,
  WAYS,
} from "./throughput_ways.ts";

/** One way on one runtime, with the figures of each round: medians of turns. */
export type Row =
  & { readonly runtime: string; readonly way: Way }
  & Readonly<Record<keyof Load | "firstAnswer", readonly number[]>>;

/** How many times as many requests one way answers as another. */
export interface Ratio {
  readonly runtime: string;
  readonly way: Way;
  readonly to: Way;
  /** The median of all turns. */
  readonly median: number;
  /** The median of each round. */
  readonly rounds: readonly number[];
}

/** All measurements, put in order. */
export interface Summary {
  readonly rows: readonly Row[];
  readonly ratios: readonly Ratio[];
}

/** What is compared, and what is expected of it, where something is. */
const COMPARISONS: readonly {
  readonly way: Way;
  readonly to: Way;
  readonly least?: number;
  /** Which runtimes it is expected of. */
  readonly on?: RegExp;
}[] = [
  // The same thing twice: how far the comparison itself can be trusted.
  { way: "again", to: "own" },
  { way: "adopted", to: "own", least: 0.97 },
  { way: "preload", to: "own", least: 0.97 },
  { way: "neutral", to: "own" },
  { way: "portable", to: "own" },
  // The proxy passes on about as many as Node answers: it costs that one less.
  { way: "adopted", to: "proxy", least: 3, on: /^(deno|bun)/ },
];

/**
 * Puts measurements in order and compares them.
 *
 * @param measurements What was measured.
 * @returns The figures and ratios.
 */
export function summarize(measurements: readonly Measurement[]): Summary {
  const rows: Row[] = [];
  const ratios: Ratio[] = [];
  const byRuntime = Map.groupBy(measurements, ({ runtime }) => runtime);
  for (const [runtime, all] of byRuntime) {
    const roundsOf = (way: Way) =>
      all.filter((each) => each.way === way).sort((a, b) => a.round - b.round);
    for (const way of Object.keys(WAYS) as Way[]) {
      const rounds = roundsOf(way);
      if (rounds.length > 0) rows.push(toRow(runtime, way, rounds));
    }
    for (const { way, to } of COMPARISONS) {
      const [above, below] = [roundsOf(way), roundsOf(to)];
      if (above.length === 0 || below.length === 0) continue;
      const rounds = above.map((each, at) => inTurns(each, below[at]!));
      ratios.push({
        runtime,
        way,
        to,
        median: round(median(rounds.flat()), 4),
        rounds: rounds.map((turns) => round(median(turns), 4)),
      });
    }
  }
  return { rows, ratios };
}

function toRow(
  runtime: string,
  way: Way,
  rounds: readonly Measurement[],
): Row {
  const figure = (which: keyof Load) =>
    rounds.map(({ turns }) =>
      round(median(turns.map((each) => each[which])), 5)
    );
  return {
    runtime,
    way,
    requestsPerSecond: figure("requestsPerSecond"),
    p50: figure("p50"),
    p99: figure("p99"),
    firstAnswer: rounds.map(({ firstAnswer }) => round(firstAnswer, 5)),
    errors: rounds.map(({ turns }) =>
      turns.reduce((sum, { errors }) => sum + errors, 0)
    ),
  };
}

/** The ratio in each turn: what came between the two, came to both. */
function inTurns(above: Measurement, below: Measurement): number[] {
  return above.turns.map(({ requestsPerSecond }, at) =>
    requestsPerSecond / below.turns[at]!.requestsPerSecond
  );
}

function round(value: number, digits: number): number {
  return Number(value.toPrecision(digits));
}

/**
 * Shows the figures and ratios.
 *
 * @param summary The figures and ratios.
 * @returns Tables, and what each claim comes to.
 */
export function report({ rows, ratios }: Summary): string {
  const failed = rows.filter(({ errors }) => errors.some((count) => count > 0));
  return [
    "Medians of the rounds",
    formatTable(
      [
        "runtime",
        "way",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "first answer after ms",
      ],
      rows.map((row) => [
        row.runtime,
        WAYS[row.way],
        formatCount(median(row.requestsPerSecond)),
        median(row.p50).toFixed(2),
        median(row.p99).toFixed(2),
        median(row.firstAnswer).toFixed(0),
      ]),
    ),
    "",
    "Requests/s relative to another way in the same turn: the median of all turns,",
    "and the least and most of the rounds' medians",
    formatTable(
      ["runtime", "ratio", "median", "least", "most"],
      ratios.map(({ runtime, way, to, rounds, median }) => [
        runtime,
        describe(way, to),
        ...[median, Math.min(...rounds), Math.max(...rounds)].map(formatRatio),
      ]),
    ),
    "",
    ...failed.map(({ runtime, way, errors }) =>
      `${runtime}, ${WAYS[way]}: requests that failed, by round: ` +
      errors.join(", ")
    ),
    ...COMPARISONS.flatMap(({ way, to, least, on }) =>
      least === undefined ? [] : [verdict(
        describe(way, to),
        least,
        ratios.filter((each) =>
          each.way === way && each.to === to && (on?.test(each.runtime) ?? true)
        ),
      )]
    ),
  ].join("\n");
}

function verdict(
  what: string,
  least: number,
  ratios: readonly Ratio[],
): string {
  const claim = `${what} at least ${least}`;
  if (ratios.length === 0) return `${claim}: not measured`;
  const isHeld = ratios.every(({ median }) => median >= least);
  const found = ratios.map(({ runtime, median }) =>
    `${formatRatio(median)} on ${runtime}`
  );
  return `${claim}: ${isHeld ? "yes" : "NO"}: ${found.join(", ")}`;
}

function describe(way: Way, to: Way): string {
  return `${WAYS[way]} / ${WAYS[to]}`;
}

function formatRatio(ratio: number): string {
  // So that what just misses a claim doesn't look like what just holds it.
  return ratio.toFixed(3);
}

/**
 * Formats a number of requests.
 *
 * @param value The number.
 * @returns It without a fraction, and with its thousands apart.
 */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/**
 * The number in the middle, or the mean of the two there.
 *
 * @param values At least one number.
 * @returns The median.
 */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) / 2;
  return (sorted[Math.floor(at)]! + sorted[Math.ceil(at)]!) / 2;
}
