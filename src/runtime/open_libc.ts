/**
 * The C library on the runtimes that let programs call it.
 *
 * @module
 */

import { bindBunFunctions, type BunFfi } from "../ffi/bun.ts";
import { bindDenoFunctions, type DenoFfi } from "../ffi/deno.ts";
import { Libc, LIBC_FUNCTIONS } from "../ffi/libc.ts";
import { bindNodeFunctions, type NodeFfi } from "../ffi/node.ts";
import { optionalBuiltin, processGlobal } from "./builtin.ts";
import type { MissingLibc } from "./platform.ts";

/** The reason and the remedy where the C library can't be called. */
export const NO_LIBC: MissingLibc = {
  reason: "the C library can't be called here: that takes Linux on x86_64 or " +
    "arm64, and a unit without MemoryDenyWriteExecute=yes: use the portable path",
  isDenied: false,
};

/** Opens the C library through `Deno.dlopen`. */
export function denoLibc(deno: DenoFfi): Libc | undefined {
  return openCalls((isX64) =>
    new Libc(bindDenoFunctions(deno, LIBC_FUNCTIONS), isX64)
  );
}

/** Opens the C library through `bun:ffi`. */
export function bunLibc(): Libc | undefined {
  return openCalls((isX64) =>
    new Libc(bindBunFunctions(bunFfi()!, LIBC_FUNCTIONS), isX64)
  );
}

/** Opens the C library through `node:ffi`, which Node has from 26 on. */
export function nodeLibc(): Libc | undefined {
  return openCalls((isX64) =>
    new Libc(bindNodeFunctions(nodeFfi()!, LIBC_FUNCTIONS), isX64)
  );
}

/**
 * Opens calls of the C library.
 *
 * @returns The calls; `undefined` on other machines than those whose constants
 * are in `ffi/constants.ts`, without permission, and where the runtime or the C
 * library is too old.
 */
export function openCalls<Calls>(
  open: (isX64: boolean) => Calls,
): Calls | undefined {
  const { platform, arch } = processGlobal()!;
  if (platform !== "linux" || (arch !== "x64" && arch !== "arm64")) {
    return undefined;
  }
  try {
    return open(arch === "x64");
  } catch {
    return undefined;
  }
}

/** Loads `bun:ffi`, which only Bun has. */
export function bunFfi(): BunFfi | undefined {
  return optionalBuiltin("bun:ffi") as BunFfi | undefined;
}

/**
 * Loads `node:ffi` without Node's warning that it is experimental, because the
 * user didn't choose it, and the tests cover it with each version of Node.
 */
export function nodeFfi(): NodeFfi | undefined {
  const process = processGlobal()!;
  const { emitWarning } = process;
  process.emitWarning = (warning, ...options) => {
    if (options[0] === "ExperimentalWarning") return;
    emitWarning.call(process, warning, ...options);
  };
  try {
    return optionalBuiltin("node:ffi") as NodeFfi | undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}
