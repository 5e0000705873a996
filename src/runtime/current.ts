/**
 * Which runtime this is.
 *
 * @module
 */

import { type BunGlobal, bunRuntime } from "./bun.ts";
import { processGlobal } from "./builtin.ts";
import { type DenoGlobal, denoRuntime } from "./deno.ts";
import { nodeRuntime } from "./node.ts";
import type { Runtime } from "./runtime.ts";

let current: Runtime | undefined;

/**
 * The shim for the runtime that this runs on.
 *
 * @returns The shim; the same one every time.
 * @throws {TypeError} If it is neither Deno, Bun nor Node.
 */
export function currentRuntime(): Runtime {
  return current ??= detect();
}

function detect(): Runtime {
  const { Deno, Bun } = globalThis as { Deno?: DenoGlobal; Bun?: BunGlobal };
  // Deno and Bun look like Node, too: they come first.
  if (Deno?.version?.deno !== undefined) return denoRuntime(Deno);
  if (Bun?.version !== undefined) return bunRuntime(Bun);
  if (processGlobal()?.versions?.node !== undefined) return nodeRuntime();
  throw new TypeError(
    "Detecting the runtime: found neither Deno, Bun nor Node: descriptors can " +
      "be inherited on these only",
  );
}
