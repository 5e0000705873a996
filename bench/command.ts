/**
 * Starting programs of the benchmarks, on any runtime.
 *
 * @module
 */

import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { Tool } from "../scripts/toolchain.ts";

/**
 * The command line that runs a program of this directory.
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

/**
 * Runs a host: a program that prints each measurement as a line of JSON, and
 * that ends when its standard input does.
 *
 * @param command The program and its arguments.
 * @param env Variables to set.
 * @param what What is measured, for an error.
 * @returns The measurements, as they come.
 */
export async function* measurementsOf<T>(
  [program, ...args]: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
  what: string,
): AsyncGenerator<T> {
  const host = new Deno.Command(program, {
    args,
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  for await (const line of createInterface(Readable.from(host.stdout))) {
    yield JSON.parse(line);
  }
  if (!(await host.status).success) {
    throw new Error(`Measuring ${what} failed, see above`);
  }
}

/**
 * Reads the number of rounds from `BENCH_ROUNDS`.
 *
 * @param usual The number without that variable.
 */
export function readRounds(usual: number): number {
  const text = Deno.env.get("BENCH_ROUNDS") ?? String(usual);
  if (/^[1-9]\d?$/.test(text)) return Number(text);
  throw new Error(
    `Reading BENCH_ROUNDS: expected a number from 1 to 99, found ` +
      JSON.stringify(text),
  );
}
