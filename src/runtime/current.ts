/**
 * Which runtime this is.
 *
 * @module
 */

import { type BunGlobal, bunRuntime } from "./bun/platform.ts";
import { processGlobal } from "./builtin.ts";
import { type DenoGlobal, denoRuntime } from "./deno/platform.ts";
import { nodeRuntime } from "./node/platform.ts";
import type { Runtime } from "./platform.ts";

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

/**
 * The shim for the runtime that this runs on, which must be a certain one.
 *
 * @param name The runtime.
 * @returns The shim.
 * @throws {TypeError} If it is another one.
 */
export function requireRuntime(name: "deno" | "bun"): Runtime {
  const runtime = currentRuntime();
  if (runtime.name === name) return runtime;
  const wanted = { deno: "Deno", bun: "Bun" }[name];
  throw new TypeError(
    `Using ${wanted}'s own servers: this is ${runtime.title}: import the ` +
      `neutral entry point, which works on each runtime`,
  );
}
