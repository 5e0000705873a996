/**
 * What the measurements of throughput show.
 *
 * @module
 */

import { formatTable } from "../scripts/table.ts";
import { type Measurement, type Way, WAYS } from "./throughput_ways.ts";

/** What is counted or timed. */
const FIGURES = [
  "requestsPerSecond",
  "p50",
  "p99",
  "firstAnswer",
  "errors",
] as const;

type Figure = typeof FIGURES[number];

/** One way on one runtime, with the figures of each round. */
export type Row =
  & { readonly runtime: string; readonly way: Way }
  & Readonly<Record<Figure, readonly number[]>>;

/** How many times as many requests one way answers as another. */
export interface Ratio {
  readonly runtime: string;
  readonly way: Way;
  readonly to: Way;
  /** The median of the rounds. */
  readonly median: number;
  /** The ratio in each round, between servers that were measured in turn. */
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
  { way: "adopted", to: "own", least: 0.97 },
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
  const byRuntime = Map.groupBy(measurements, ({ runtime }) => runtime);
  const rows = [...byRuntime].flatMap(([runtime, all]) =>
    (Object.keys(WAYS) as Way[]).flatMap((way): Row[] => {
      const own = all.filter((each) => each.way === way)
        .sort((a, b) => a.round - b.round);
      if (own.length === 0) return [];
      const figure = (which: Figure) =>
        own.map((each) => Number(each[which].toPrecision(5)));
      return [{
        runtime,
        way,
        requestsPerSecond: figure("requestsPerSecond"),
        p50: figure("p50"),
        p99: figure("p99"),
        firstAnswer: figure("firstAnswer"),
        errors: figure("errors"),
      }];
    })
  );
  const ratios = [...byRuntime.keys()].flatMap((runtime) =>
    COMPARISONS.flatMap(({ way, to }): Ratio[] => {
      const [above, below] = [way, to].map((which) =>
        rows.find((row) => row.runtime === runtime && row.way === which)
          ?.requestsPerSecond
      );
      if (above === undefined || below === undefined) return [];
      const rounds = above.map((value, at) =>
        Number((value / below[at]!).toPrecision(4))
      );
      return [{ runtime, way, to, median: median(rounds), rounds }];
    })
  );
  return { rows, ratios };
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
    "Requests/s relative to another way in the same round",
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
