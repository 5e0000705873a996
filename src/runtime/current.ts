/**
 * The platform that this runs on.
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
 * Returns the platform that this runs on, the same at each call.
 *
 * @throws {TypeError} If it is neither Deno, Bun nor Node.
 */
export function currentPlatform(): Platform {
  return current ??= detect();
}

function detect(): Platform {
  const { Deno, Bun } = globalThis as { Deno?: DenoGlobal; Bun?: BunFunctions };
  // First, because Deno and Bun look like Node, too.
  if (Deno?.version?.deno !== undefined) return denoPlatform(Deno);
  if (Bun?.version !== undefined) return bunPlatform(Bun);
  if (processGlobal()?.versions?.node !== undefined) return nodePlatform();
  throw new TypeError(
    "Detecting the runtime: found neither Deno, Bun nor Node: descriptors can " +
      "be inherited on these only",
  );
}

/**
 * Returns the platform that this runs on, which must be a certain one.
 *
 * @throws {TypeError} If it is another one.
 */
export function requirePlatform(name: "deno" | "bun"): Platform {
  const platform = currentPlatform();
  if (platform.name === name) return platform;
  const wanted = { deno: "Deno", bun: "Bun" }[name];
  throw new TypeError(
    `Using ${wanted}'s own servers: this is ${platform.title}: import the ` +
      `neutral entry point, which works on each runtime`,
  );
}
