/**
 * Starting programs of the benchmarks on any runtime.
 *
 * @module
 */

import type { Tool } from "../scripts/toolchain.ts";

/**
 * The command line that runs a program of this folder.
 *
 * @param tool The runtime to run it on.
 * @param script The program's file.
 * @param args Its arguments.
 * @returns The program and the arguments.
 */
export function commandOf(
  { runtime, path }: Pick<Tool, "runtime" | "path">,
  script: string,
  ...args: string[]
): [string, ...string[]] {
  const flags = runtime === "deno" ? ["run", "-A"] : [];
  const file = new URL(script, import.meta.url).pathname;
  return [path, ...flags, file, ...args];
}
