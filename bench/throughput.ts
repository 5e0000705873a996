/**
 * How many requests a second a server answers on an inherited socket, relative
 * to a port of its own, and behind a proxy.
 *
 * @module
 */

import type { Tool } from "../scripts/toolchain.ts";
import { commandOf, measurementsOf, readRounds } from "./command.ts";
import { requireWrk, runs } from "./programs.ts";
import { describeMachine, writeResults } from "./results.ts";
import { chart } from "./throughput_chart.ts";
import type { Plan } from "./throughput_host.ts";
import { report, summarize, type Summary } from "./throughput_report.ts";
import type { Measurement, Way } from "./throughput_ways.ts";

/** How many servers of each way there are, and how many turns each has. */
const ROUNDS = 9;
/** Few: two processes of one program differ by more than their turns do. */
const TURNS = 4;

/** No directory of programs that people call has it. */
const PROXIES = ["/usr/lib", "/lib"].map((directory) =>
  `${directory}/systemd/systemd-socket-proxyd`
);

/**
 * Measures on Deno, Bun and Node, prints tables and what they show, and writes
 * the results and a plot.
 *
 * @param tools The runtimes.
 * @throws {NotMeasured} If `wrk` is not installed.
 */
export async function benchThroughput(tools: readonly Tool[]): Promise<void> {
  await requireWrk();
  const proxy = await findProxy();
  if (proxy === undefined) {
    console.log(
      "Not behind the proxy: systemd-socket-proxyd is missing: install " +
        "systemd, such as by `apt install systemd`",
    );
  }
  const ways: readonly Way[] = [
    "own",
    "again",
    "adopted",
    "preload",
    "neutral",
    "portable",
  ];
  const plan: Plan = {
    // One version of each: what is compared are the ways.
    tools: tools.filter(({ runtime, label }) =>
      runtime !== "node" || label === "node 24"
    ),
    ways: proxy === undefined ? ways : [...ways, "proxy"],
    rounds: readRounds(ROUNDS),
    turns: TURNS,
    proxy,
  };
  const measurements: Measurement[] = [];
  for await (const measurement of measure(plan)) {
    if (measurements.at(-1)?.round !== measurement.round) {
      console.log(`Round ${measurement.round} of ${plan.rounds}`);
    }
    measurements.push(measurement);
  }
  const summary = summarize(measurements);
  console.log(`\n${report(summary)}`);
  await write(plan, summary);
}

async function findProxy(): Promise<string | undefined> {
  for (const path of PROXIES) if (await runs(path, "--version")) return path;
  return undefined;
}

/** Runs the host. */
function measure(plan: Plan): AsyncGenerator<Measurement> {
  const node = plan.tools.find(({ runtime }) => runtime === "node")!;
  return measurementsOf(
    commandOf(node, "throughput_host.ts"),
    { LISTENFDS_PLAN: JSON.stringify(plan) },
    "the throughput",
  );
}

async function write(
  { tools, rounds, turns }: Plan,
  summary: Summary,
): Promise<void> {
  const results = { rounds, turns, ...describeMachine(tools), ...summary };
  await writeResults({
    "throughput.json": JSON.stringify(results, null, 2),
    "throughput.svg": chart(summary),
  });
}
