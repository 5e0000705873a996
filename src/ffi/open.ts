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
  deno: DenoFfi | undefined = globalDenoFfi(),
): LibcFunctions<Name> | undefined {
  try {
    return machine(deno) && bindFunctions(names, deno);
  } catch {
    return undefined;
  }
}

/** Returns the architecture of a machine whose constants are in `constants.ts`. */
export function machine(
  deno: DenoFfi | undefined = globalDenoFfi(),
): "x64" | "arm64" | undefined {
  // Not through `process` on Deno, which creates that at the first access.
  const { os, arch } = deno?.build ?? nodeBuild();
  if (os !== "linux") return undefined;
  switch (arch) {
    case "x64":
    case "x86_64":
      return "x64";
    case "arm64":
    case "aarch64":
      return "arm64";
    default:
      return undefined;
  }
}

function nodeBuild(): DenoFfi["build"] {
  const { platform, arch } = globalProcess();
  return { os: platform, arch };
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
