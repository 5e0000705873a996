/**
 * Detecting the platform: Deno, Bun or Node.
 *
 * @module
 */

import { processGlobal } from "./builtin.ts";
import type { BunFunctions } from "./bun/functions.ts";
import { bunPlatform } from "./bun/platform.ts";
import { type DenoGlobal, denoPlatform } from "./deno/platform.ts";
import { nodePlatform } from "./node/platform.ts";
import type { Platform } from "./platform.ts";

let current: Platform | undefined;

/**
 * Returns the platform of this process, the same object at each call.
 *
 * @throws {TypeError} If the runtime is neither Deno, Bun nor Node.
 */
export function currentPlatform(): Platform {
  return current ??= detect();
}

function detect(): Platform {
  const { Deno, Bun } = globalThis as { Deno?: DenoGlobal; Bun?: BunFunctions };
  // Node is last, because Deno and Bun look like Node, too.
  if (Deno?.version?.deno !== undefined) return denoPlatform(Deno);
  if (Bun?.version !== undefined) return bunPlatform(Bun);
  if (processGlobal()?.versions?.node !== undefined) return nodePlatform();
  throw new TypeError(
    "Detecting the runtime: found neither Deno, Bun nor Node: descriptors can " +
      "be inherited on these only",
  );
}

/**
 * Returns the platform of this process, which must have the name.
 *
 * @throws {TypeError} If the process runs on another runtime.
 */
export function requirePlatform(name: "deno" | "bun"): Platform {
  const platform = currentPlatform();
  if (platform.name === name) return platform;
  const expected = { deno: "Deno", bun: "Bun" }[name];
  throw new TypeError(
    `Using ${expected}'s own servers: this is ${platform.title}: import the ` +
      `neutral entry point, which works on each runtime`,
  );
}
