/**
 * The number of processes that serve the same sockets.
 *
 * @module
 */

import os from "node:os";
import { quote } from "../../core/errors.ts";
import { argumentError } from "./options.ts";

/** More than machines have CPUs. */
export const MAX_INSTANCES = 1024;

/**
 * Parses the value of `--instances`.
 *
 * @returns The number; for `auto`, that of the CPUs that this process may use.
 */
export function parseInstances(text: string): number {
  if (text === "auto") {
    return Math.min(os.availableParallelism(), MAX_INSTANCES);
  }
  const count = Number(text);
  if (/^[1-9]\d{0,3}$/.test(text) && count <= MAX_INSTANCES) return count;
  throw argumentError(
    `expected --instances to be a number from 1 to ${MAX_INSTANCES}, or ` +
      `"auto", found ${quote(text)}`,
  );
}
