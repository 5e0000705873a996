/**
 * The C library through `node:ffi`, which Node has from version 26 on.
 *
 * @module
 */

import type process from "node:process";
import { declareFunctions, LIBC_FILE, toFunctions } from "./binding.ts";
import type { FunctionName, LibcFunctions } from "./signatures.ts";

const NODE_TYPES = {
  int: "int32",
  unsigned: "uint32",
  long: "int64",
  size: "uint64",
  bytes: "pointer",
  pointer: "pointer",
} as const;

/** Returns the global `process`, which all three runtimes have. */
export function globalProcess(): typeof process {
  return (globalThis as unknown as { process: typeof process }).process;
}

/**
 * Loads `node:ffi` without Node's warning that it is experimental, because the
 * user didn't choose it, and the tests cover it with each version of Node.
 */
export function loadNodeFfi():
  | Parameters<typeof bindNodeFunctions>[0]
  | undefined {
  const process = globalProcess();
  const { emitWarning } = process;
  process.emitWarning = (...args: unknown[]) => {
    if (args[1] === "ExperimentalWarning") return;
    Reflect.apply(emitWarning, process, args);
  };
  try {
    return process.getBuiltinModule("node:ffi") as unknown as ReturnType<
      typeof loadNodeFfi
    >;
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Binds functions; throws if the C library lacks a function. */
export function bindNodeFunctions<Name extends FunctionName>(
  ffi: {
    dlopen(
      file: string,
      symbols: Record<string, { arguments: readonly string[]; return: string }>,
    ): { readonly functions: Record<string, (...args: unknown[]) => unknown> };
    getInt32(pointer: unknown, offset: number): number;
  },
  names: readonly Name[],
): LibcFunctions<Name> {
  const declarations = declareFunctions(
    names,
    NODE_TYPES,
    (parameters, result) => ({ arguments: parameters, return: result }),
  );
  const { functions } = ffi.dlopen(LIBC_FILE, declarations);
  const takesBigInts = true;
  return toFunctions(
    names,
    functions,
    (address) => ffi.getInt32(address, 0),
    takesBigInts,
  );
}
