/**
 * What several processes on one socket gain and cost: the throughput of two
 * relative to one, how they share requests, and what each connection costs.
 *
 * @module
 */

import { formatTable } from "../scripts/table.ts";
import type { Tool } from "../scripts/toolchain.ts";
import { commandOf, measurementsOf, readRounds } from "./command.ts";
import type {
  InstancesAccepts,
  InstancesIdle,
  InstancesPlan,
  InstancesResult,
  InstancesShare,
  InstancesTurn,
} from "./instances_host.ts";
import { NotMeasured } from "./not_measured.ts";
import { requireWrk, runs } from "./programs.ts";
import { describeMachine, readResults, writeResults } from "./results.ts";
import { formatSpread, type Spread, spreadOf } from "./spread.ts";

/** With three turns each, these are fifteen pairs. */
const ROUNDS = readRounds(5);
const TURNS = 3;
const FILE = "instances.json";

/** The results of a runtime. */
interface RuntimeResults {
  /** Requests a second of one process, the median. */
  readonly onePerSecond: number;
  readonly twoPerSecond: number;
  /** Two processes relative to one. */
  readonly ratio: Spread;
  /** The same single process again, relative to the first. */
  readonly control: Spread;
  readonly errors: number;
  readonly shares: readonly Omit<InstancesShare, "kind">[];
  readonly accepts: readonly Omit<InstancesAccepts, "kind">[];
  readonly idle: readonly Omit<InstancesIdle, "kind">[];
}

/** Measures, and writes the results; `BENCH_ONLY` names a single runtime. */
export async function benchInstances(tools: readonly Tool[]): Promise<void> {
  await requireWrk();
  if (!await runs("strace", "--version")) {
    throw new NotMeasured("strace is missing: install it");
  }
  // Its C library sets SO_REUSEPORT.
  const host = tools.find(({ label }) => label === "node 26")!;
  const only = Deno.env.get("BENCH_ONLY");
  const measured = tools.filter((tool) =>
    (tool.runtime !== "node" || tool.label === "node 24") &&
    (only === undefined || tool.label === only)
  );
  const { runtimes } = await readResults(FILE, { runtimes: {} }) as {
    runtimes: Record<string, object>;
  };
  for (const tool of measured) {
    console.log(tool.label);
    const results = await measure(tool, host);
    print(tool.label, results);
    runtimes[tool.label] = { ...describeMachine([tool]), ...results };
  }
  await writeResults({
    [FILE]: JSON.stringify(
      { rounds: ROUNDS, turns: TURNS, runtimes },
      null,
      2,
    ),
  });
}

async function measure(tool: Tool, host: Tool): Promise<RuntimeResults> {
  const plan: InstancesPlan = {
    command: commandOf(tool, "instances_server.ts"),
    rounds: ROUNDS,
    turns: TURNS,
  };
  const results: InstancesResult[] = [];
  const measurements = measurementsOf<InstancesResult>(
    commandOf(host, "instances_host.ts"),
    { LISTENFDS_PLAN: JSON.stringify(plan) },
    "instances",
  );
  for await (const result of measurements) results.push(result);
  const rates = (set: InstancesTurn["set"]) =>
    ofKind<InstancesTurn>(results, "turn")
      .filter((turn) => turn.set === set)
      .map(({ perSecond }) => perSecond);
  const one = rates("one");
  const ratioOf = (all: number[]) =>
    spreadOf(all.map((rate, index) => rate / one[index]!));
  return {
    onePerSecond: Math.round(spreadOf(one).median),
    twoPerSecond: Math.round(spreadOf(rates("two")).median),
    ratio: ratioOf(rates("two")),
    control: ratioOf(rates("again")),
    errors: ofKind<InstancesTurn>(results, "turn")
      .reduce((sum, { errors }) => sum + errors, 0),
    shares: ofKind<InstancesShare>(results, "share"),
    accepts: ofKind<InstancesAccepts>(results, "accepts"),
    idle: ofKind<InstancesIdle>(results, "idle"),
  };
}

function ofKind<R extends InstancesResult>(
  results: readonly InstancesResult[],
  kind: R["kind"],
): R[] {
  return results.filter((result) => result.kind === kind) as R[];
}

function print(label: string, results: RuntimeResults): void {
  const { onePerSecond, twoPerSecond, ratio, control } = results;
  console.log(formatTable(
    ["runtime", "one", "two", "two / one", "again / one"],
    [[
      label,
      onePerSecond.toLocaleString("en"),
      twoPerSecond.toLocaleString("en"),
      formatSpread(ratio),
      formatSpread(control),
    ]],
  ));
  for (const { way, situation, counts } of results.shares) {
    const sum = counts.reduce((a, b) => a + b);
    const share = Math.round(100 * counts[0]! / sum);
    console.log(`${way}: ${situation}: ${counts.join(" and ")}, ${share} %`);
  }
  for (const { instances, connections, calls, failed } of results.accepts) {
    console.log(
      `${instances} instances: ${(calls / connections).toFixed(2)} accepts a ` +
        `connection, of which ${(failed / connections).toFixed(2)} failed`,
    );
  }
  for (const { instances, msPerSecond } of results.idle) {
    console.log(
      `${instances} idle instances: ${msPerSecond.toFixed(2)} ms a second`,
    );
  }
}
