/**
 * The C library on whichever runtime this is, where that lets programs call it.
 *
 * @module
 */

import { type BunFfi, openBunLibc } from "../ffi/bun.ts";
import { type DenoFfi, openDenoLibc } from "../ffi/deno.ts";
import { Libc, type RawLibc } from "../ffi/libc.ts";
import { type NodeFfi, openNodeLibc } from "../ffi/node.ts";
import { optionalBuiltin, processGlobal } from "./builtin.ts";
import type { MissingLibc } from "./platform.ts";

/** What is said where there is no C library. */
export const NO_LIBC: MissingLibc = {
  reason: "the C library can't be called here: that takes Linux on x86_64 or " +
    "arm64, and a unit without MemoryDenyWriteExecute=yes: use the portable path",
  isDenied: false,
};

/** Opens the C library through `Deno.dlopen`. */
export function denoLibc(deno: DenoFfi): Libc | undefined {
  return open(() => openDenoLibc(deno));
}

/** Opens the C library through `bun:ffi`. */
export function bunLibc(): Libc | undefined {
  return open(() => openBunLibc(optionalBuiltin("bun:ffi") as BunFfi));
}

/** Opens the C library through `node:ffi`, which Node has from 26 on. */
export function nodeLibc(): Libc | undefined {
  return open(() =>
    openNodeLibc(quietly(() => optionalBuiltin("node:ffi")) as NodeFfi)
  );
}

/**
 * Loads a module without the warning that it is experimental, which Node gives
 * once: nobody who reads it chose to use that module, and what it is used for
 * here is tested with each version of Node.
 */
export function quietly<T>(load: () => T): T {
  const global = processGlobal()!;
  const { emitWarning } = global;
  global.emitWarning = (warning, ...options) => {
    if (options[0] === "ExperimentalWarning") return;
    emitWarning.call(global, warning, ...options);
  };
  try {
    return load();
  } finally {
    global.emitWarning = emitWarning;
  }
}

function open(openRaw: () => RawLibc): Libc | undefined {
  const { platform, arch } = processGlobal()!;
  // The numbers in libc.ts are those of Linux on these machines.
  if (platform !== "linux" || (arch !== "x64" && arch !== "arm64")) {
    return undefined;
  }
  try {
    return new Libc(openRaw(), arch === "x64");
  } catch {
    // None that can be opened: too old a C library or runtime, or no permission.
    return undefined;
  }
}
