/**
 * How long adopting takes, by the number of sockets.
 *
 * @module
 */

import { formatTable } from "../scripts/table.ts";
import type { Tool } from "../scripts/toolchain.ts";
import type { AdoptionTimes } from "./adoption_worker.ts";
import { commandOf, measurementsOf } from "./command.ts";

/** How many sockets are adopted in one process. */
const COUNTS = [1, 10, 100, 1000] as const;

const ROUNDS = 5;

/** What was measured on one runtime, in one way. */
interface Row {
  readonly runtime: string;
  readonly isOneCall: boolean;
  /** The least time for each of the sockets, in milliseconds, by their number. */
  readonly each: readonly number[];
}

/**
 * Measures on Deno and Bun, prints a table and what it shows.
 *
 * @param tools The runtimes.
 */
export async function benchAdoption(tools: readonly Tool[]): Promise<void> {
  const node = tools.find(({ label }) => label === "node 24")!;
  const rows: Row[] = [];
  for (const tool of tools.filter(({ runtime }) => runtime !== "node")) {
    for (const isOneCall of [false, true]) {
      rows.push({
        runtime: tool.label,
        isOneCall,
        each: await measure(node, tool, isOneCall),
      });
    }
  }
  console.log("Adopting: milliseconds for each socket, of so many");
  console.log(formatTable(
    [
      "runtime",
      "calls",
      ...COUNTS.map(String),
      ...STEPS.map(([, , name]) => name),
    ],
    rows.map(({ runtime, isOneCall, each }) => [
      runtime,
      isOneCall ? "one" : "one for each",
      ...each.map((time) => time.toFixed(3)),
      ...STEPS.map(([more, less]) => (each[more]! / each[less]!).toFixed(2)),
    ]),
  ));
  const isLinear = rows.every(({ isOneCall, each }) =>
    STEPS.slice(0, isOneCall ? 2 : 1)
      .every(([more, less]) => each[more]! / each[less]! <= 1.5)
  );
  console.log(
    `\nlinear up to 100 sockets, with one call up to 1,000: ${
      isLinear ? "yes" : "NO"
    }`,
  );
}

/** The least time for each of the sockets, by their number. */
async function measure(
  node: Tool,
  tool: Tool,
  isOneCall: boolean,
): Promise<number[]> {
  const plan = { tool, counts: COUNTS, rounds: ROUNDS, isOneCall };
  const times: AdoptionTimes[] = [];
  for await (
    const measurement of measurementsOf<AdoptionTimes>(
      commandOf(node, "adoption_host.ts"),
      { LISTENFDS_PLAN: JSON.stringify(plan) },
      "adopting",
    )
  ) {
    times.push(measurement);
  }
  return COUNTS.map((count) =>
    Math.min(
      ...times.filter((one) => one.count === count)
        .map(({ milliseconds }) => milliseconds / count),
    )
  );
}

/** Which of the counts are compared. */
const STEPS = [[2, 1, "100 to 10"], [3, 2, "1,000 to 100"]] as const;
