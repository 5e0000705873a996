/**
 * What the measurements of reading metadata show.
 *
 * @module
 */

import { formatTable } from "../scripts/table.ts";
import type { Family, Measurement, Others } from "./metadata_host.ts";

/** What each situation is called. */
export const OTHERS: Readonly<Record<Others, string>> = {
  none: "alone",
  ipv4: "with IPv4 connections",
  ipv6: "with IPv6 connections",
};

const FAMILIES: Readonly<Record<Family, string>> = {
  ipv4: "IPv4",
  ipv6: "IPv6",
  unix: "Unix",
};

/** The numbers of descriptors. */
const COUNTS = [1, 10, 100, 1000] as const;

/** Above this, times did grow: it is not the machine's noise. */
const TOLERANCE = 1.5;

/** One way of reading on one runtime: a row of the tables. */
interface Row {
  readonly source: string;
  readonly listeners: Family;
  readonly runtime: string;
  /** The situations that it was measured in. */
  readonly situations: readonly Others[];
  /** How long reading so many descriptors took, in milliseconds. */
  readonly time: (others: Others, count: number) => number;
}

/** How many times as long reading takes with more of something. */
interface Growth {
  /** What it is to be judged together with, on all runtimes. */
  readonly group: string;
  /** The number of descriptors. */
  readonly count: number;
  readonly ratio: number;
}

/**
 * Compares the times.
 *
 * @param measurements What was measured.
 * @returns Tables, and what each claim comes to.
 */
export function report(measurements: readonly Measurement[]): string {
  const rows = toRows(measurements);
  const runtimes = new Set(measurements.map(({ runtime }) => runtime));
  for (const { source, runtime } of rows) {
    if (source === "libc") runtimes.delete(runtime);
  }
  const without = [...runtimes].join(", ") || "none";
  const connected = Math.max(...measurements.map((each) => each.connected));
  return [
    "Alone: how long each descriptor takes, relative to a single one",
    formatCounts(rows),
    "",
    `With ${formatCount(connected)} connected sockets: how long so many ` +
    "descriptors take,\nrelative to alone, by the family of the connections",
    formatOthers(rows),
    "",
    `Without libc, which they can't call: ${without}`,
    ...["libc", "/proc"].flatMap((source) => {
      const group = rows.filter((row) => row.source === source);
      return [
        verdict(
          `Linear in the descriptors, over ${source}`,
          "each takes at most # times as long as with a tenth of them",
          group.flatMap(growthByCount),
        ),
        verdict(
          `Flat in the other sockets for TCP listeners, over ${source}`,
          "at most # times as long as alone",
          group.flatMap(growthByOthers),
        ),
      ];
    }),
  ].join("\n");
}

function toRows(measurements: readonly Measurement[]): Row[] {
  const rows = new Map<string, Row>();
  const times = new Map<string, number>();
  const key = (...parts: unknown[]) => parts.join();
  for (const { runtime, listeners, others, readings } of measurements) {
    for (const { source, count, milliseconds } of readings) {
      // The least of the rounds: what else the machine does can only add.
      const cell = key(source, listeners, runtime, others, count);
      times.set(cell, Math.min(milliseconds, times.get(cell) ?? Infinity));
      const id = key(source, listeners, runtime);
      const situations = new Set(rows.get(id)?.situations).add(others);
      rows.set(id, {
        source,
        listeners,
        runtime,
        situations: [...situations],
        time: (...rest) => times.get(key(id, ...rest))!,
      });
    }
  }
  // A stable order: the families and runtimes stay as they were.
  return [...rows.values()].sort((a, b) =>
    Number(a.source === "/proc") - Number(b.source === "/proc")
  );
}

function formatCounts(rows: readonly Row[]): string {
  const headings = "1 takes,of 10,of 100,of 1000,1000 to 100,1000 take";
  return formatTable(
    ["source", "listeners", "runtime", ...headings.split(",")],
    rows.map((row) => {
      const each = (count: number) => row.time("none", count) / count;
      return [
        ...describe(row),
        `${each(1).toPrecision(2)} ms`,
        ...[10, 100, 1000].map((count) => formatRatio(each(count) / each(1))),
        formatRatio(each(1000) / each(100)),
        `${row.time("none", 1000).toPrecision(2)} ms`,
      ];
    }),
  );
}

function formatOthers(rows: readonly Row[]): string {
  const others = (["ipv4", "ipv6"] as const)
    .filter((each) => rows.some(({ situations }) => situations.includes(each)));
  const headings = others.flatMap((each) =>
    COUNTS.map((count) => `${FAMILIES[each]}: ${count}`)
  );
  return formatTable(
    ["source", "listeners", "runtime", ...headings],
    rows.filter(({ situations }) => situations.length > 1).map((row) => [
      ...describe(row),
      ...growthByOthers(row).map(({ ratio }) => formatRatio(ratio)),
    ]),
  );
}

function describe({ source, listeners, runtime }: Row): string[] {
  return [source, FAMILIES[listeners], runtime];
}

function formatRatio(ratio: number): string {
  return ratio.toPrecision(2);
}

function formatCount(value: number): string {
  return value.toLocaleString("en");
}

/** How long each takes relative to each of a tenth of them. */
function growthByCount({ situations, time }: Row): Growth[] {
  return situations.flatMap((others) =>
    COUNTS.slice(1).map((count) => ({
      group: OTHERS[others],
      count,
      ratio: time(others, count) / time(others, count / 10) / 10,
    }))
  );
}

/** How long all take among other sockets relative to alone. */
function growthByOthers({ listeners, situations, time }: Row): Growth[] {
  return situations.filter((others) => others !== "none").flatMap((others) =>
    COUNTS.map((count) => ({
      group: `${FAMILIES[listeners]} listeners ${OTHERS[others]}`,
      count,
      ratio: time(others, count) / time("none", count),
    }))
  );
}

/** What a claim comes to, by where times grow most. */
function verdict(
  claim: string,
  measure: string,
  growths: readonly Growth[],
): string {
  // A group's median, as the machine may have been busy with something else.
  const groups = [
    ...Map.groupBy(growths, ({ group, count }) => `${group}, ${count}`)
      .values(),
  ].map((all) => ({ ...all[0]!, ratio: median(all.map(({ ratio }) => ratio)) }))
    .sort((a, b) => b.ratio - a.ratio);
  const [most] = groups;
  if (most === undefined) return `${claim}: not measured`;
  const worst = COUNTS.flatMap((count) =>
    groups.filter((each) => each.count === count).slice(0, 1)
  );
  const counts = worst.map(({ count }) => formatCount(count)).join(", ");
  const ratios = worst.map(({ ratio }) => formatRatio(ratio)).join(", ");
  return `${claim}: ${most.ratio <= TOLERANCE ? "yes" : "NO"}\n` +
    `  with ${counts} descriptors ${measure.replace("#", ratios)} ` +
    `(${most.group})`;
}

/** The number in the middle, or the mean of the two there. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) / 2;
  return (sorted[Math.floor(at)]! + sorted[Math.ceil(at)]!) / 2;
}
