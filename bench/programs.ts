/**
 * Programs that benchmarks need and that may not be installed.
 *
 * @module
 */

import { NotMeasured } from "./not_measured.ts";

/** Whether a program is installed; `wrk` tells its version with status 1. */
export async function runs(
  program: string,
  ...args: string[]
): Promise<boolean> {
  try {
    await new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return true;
  } catch {
    return false;
  }
}

/** @throws {NotMeasured} If `wrk` is not installed. */
export async function requireWrk(): Promise<void> {
  if (await runs("wrk", "--version")) return;
  throw new NotMeasured(
    "wrk is missing: install it, such as by `apt install wrk`",
  );
}
