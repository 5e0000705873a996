/**
 * Runs the benchmarks, all or those that are named:
 *
 *     deno run -A bench/main.ts [environment] [metadata] [startup] [adoption]
 *         [throughput] [conversion] [exchanges] [instances]
 *
 * The exit status tells only whether they could be run, not what they showed.
 */

import { type Tool, toolchain } from "../scripts/toolchain.ts";
import { benchAdoption } from "./adoption.ts";
import { benchEnvironment } from "./environment.ts";
import { benchConversion, benchExchanges } from "./exchanges.ts";
import { benchInstances } from "./instances.ts";
import { benchMetadata } from "./metadata.ts";
import { NotMeasured } from "./not_measured.ts";
import { benchStartup } from "./startup.ts";
import { benchThroughput } from "./throughput.ts";

/** Each prints what it measured. */
const BENCHMARKS: ReadonlyMap<
  string,
  (tools: readonly Tool[]) => Promise<void>
> = new Map([
  ["environment", benchEnvironment],
  ["metadata", benchMetadata],
  ["startup", benchStartup],
  ["adoption", benchAdoption],
  ["throughput", benchThroughput],
  ["conversion", benchConversion],
  ["exchanges", benchExchanges],
  ["instances", benchInstances],
]);

async function main(args: readonly string[]): Promise<void> {
  const names = args.length > 0 ? args : [...BENCHMARKS.keys()];
  const chosen = names.map((name) => {
    const run = BENCHMARKS.get(name);
    if (run === undefined) {
      throw new Error(
        `Choosing a benchmark: expected any of ` +
          `${[...BENCHMARKS.keys()].join(", ")}, found ${JSON.stringify(name)}`,
      );
    }
    return { name, run };
  });
  const tools = await toolchain();
  let measured = 0;
  for (const { name, run } of chosen) {
    console.log(`\n== ${name}`);
    try {
      await run(tools);
      measured++;
    } catch (error) {
      if (!(error instanceof NotMeasured)) throw error;
      console.error(`Not measured: ${error.message}`);
    }
  }
  if (measured === 0) throw new Error("nothing was measured, see above");
}

try {
  await main(Deno.args);
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  Deno.exit(1);
}
