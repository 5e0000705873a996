/**
 * How long parsing the variables of a thousand descriptors takes.
 *
 * @module
 */

import { formatTable } from "../scripts/table.ts";
import type { Tool } from "../scripts/toolchain.ts";
import { commandOf } from "./command.ts";
import type { ParsingTimes } from "./environment_worker.ts";

/**
 * Measures on every runtime, and prints the times.
 *
 * @param tools The runtimes.
 */
export async function benchEnvironment(tools: readonly Tool[]): Promise<void> {
  const results: { tool: Tool; times: ParsingTimes }[] = [];
  for (const tool of tools) results.push({ tool, times: await measure(tool) });
  const rows = results.map(({ tool, times: { median, first } }) => [
    tool.label,
    median.toFixed(4),
    first.toFixed(4),
  ]);
  console.log("Parsing the variables of 1,000 descriptors, with their names:");
  console.log(formatTable(["runtime", "median ms", "first call ms"], rows));
  const [median, first] = (["median", "first"] as const).map((which) =>
    Math.max(...results.map(({ times }) => times[which]))
  ) as [number, number];
  console.log(
    `\nUnder a millisecond: ${Math.max(median, first) < 1 ? "yes" : "NO"}: ` +
      `1,000 names parse in ${median.toFixed(3)} ms at the most, in a ` +
      `process's first call in ${first.toFixed(3)} ms`,
  );
}

async function measure(tool: Tool): Promise<ParsingTimes> {
  const [program, ...args] = commandOf(tool, "environment_worker.ts");
  const { success, stdout } = await new Deno.Command(program, {
    args,
    stdin: "null",
    stderr: "inherit",
  }).output();
  if (!success) {
    throw new Error(`Parsing the variables on ${tool.label} failed, see above`);
  }
  return JSON.parse(new TextDecoder().decode(stdout));
}
