/**
 * Opens functions of the C library through the FFI of the runtime.
 *
 * @module
 */

import { bindBunFunctions, loadBunFfi } from "./bun.ts";
import { bindDenoFunctions, type DenoFfi, globalDenoFfi } from "./deno.ts";
import { bindNodeFunctions, globalProcess, loadNodeFfi } from "./node.ts";
import type { FunctionName, LibcFunctions } from "./signatures.ts";

/**
 * Opens functions.
 *
 * @returns The functions; `undefined` on other machines than those whose
 * constants are in `constants.ts`, without permission, and where the runtime or
 * the C library is too old.
 */
export function openFunctions<Name extends FunctionName>(
  names: readonly Name[],
  deno?: DenoFfi,
): LibcFunctions<Name> | undefined {
  const { platform, arch } = globalProcess();
  if (platform !== "linux" || (arch !== "x64" && arch !== "arm64")) {
    return undefined;
  }
  try {
    return bindFunctions(names, deno);
  } catch {
    return undefined;
  }
}

/** Binds functions; throws where they can't be called. */
export function bindFunctions<Name extends FunctionName>(
  names: readonly Name[],
  deno: DenoFfi | undefined = globalDenoFfi(),
): LibcFunctions<Name> {
  if (deno !== undefined) return bindDenoFunctions(deno, names);
  const bun = loadBunFfi();
  if (bun !== undefined) return bindBunFunctions(bun, names);
  return bindNodeFunctions(loadNodeFfi()!, names);
}
