/**
 * The C library through `bun:ffi`.
 *
 * @module
 */

import { declareFunctions, LIBC_FILE, toFunctions } from "./binding.ts";
import { globalProcess } from "./node.ts";
import type { FunctionName, LibcFunctions } from "./signatures.ts";

const BUN_TYPES = {
  int: "i32",
  unsigned: "u32",
  long: "i64",
  size: "u64",
  bytes: "ptr",
  pointer: "ptr",
} as const;

/** Loads `bun:ffi`, which only Bun has. */
export function loadBunFfi():
  | Parameters<typeof bindBunFunctions>[0]
  | undefined {
  return globalProcess().getBuiltinModule("bun:ffi") as unknown as ReturnType<
    typeof loadBunFfi
  >;
}

/** Binds functions; throws if the C library lacks a function. */
export function bindBunFunctions<Name extends FunctionName>(
  ffi: {
    dlopen(
      file: string,
      symbols: Record<string, { args: readonly string[]; returns: string }>,
    ): { readonly symbols: Record<string, (...args: unknown[]) => unknown> };
    readonly read: { i32(pointer: unknown, offset: number): number };
  },
  names: readonly Name[],
): LibcFunctions<Name> {
  const declarations = declareFunctions(
    names,
    BUN_TYPES,
    (args, returns) => ({ args, returns }),
  );
  const { symbols } = ffi.dlopen(LIBC_FILE, declarations);
  return toFunctions(names, symbols, (address) => ffi.read.i32(address, 0));
}
