/**
 * The C library through `Deno.dlopen`.
 *
 * @module
 */

import { declareFunctions, LIBC_FILE, toFunctions } from "./binding.ts";
import type { FunctionName, LibcFunctions } from "./signatures.ts";

/** The part of the global `Deno` that the adapter uses. */
export interface DenoFfi {
  dlopen(
    file: string,
    symbols: Record<string, { parameters: readonly string[]; result: string }>,
  ): { readonly symbols: Record<string, (...args: unknown[]) => unknown> };
  readonly UnsafePointerView: new (pointer: object) => {
    getInt32(offset?: number): number;
  };
  readonly build: { readonly os: string; readonly arch: string };
}

const DENO_TYPES = {
  int: "i32",
  unsigned: "u32",
  long: "i64",
  size: "usize",
  bytes: "buffer",
  pointer: "pointer",
} as const;

/** Returns the global `Deno`, which only Deno has. */
export function globalDenoFfi(): DenoFfi | undefined {
  const { Deno } = globalThis as { Deno?: DenoFfi };
  return Deno?.dlopen === undefined ? undefined : Deno;
}

/** Binds functions; throws without permission, or if the C library lacks one. */
export function bindDenoFunctions<Name extends FunctionName>(
  deno: Pick<DenoFfi, "dlopen" | "UnsafePointerView">,
  names: readonly Name[],
): LibcFunctions<Name> {
  const declarations = declareFunctions(
    names,
    DENO_TYPES,
    (parameters, result) => ({ parameters, result }),
  );
  const { symbols } = deno.dlopen(LIBC_FILE, declarations);
  return toFunctions(
    names,
    symbols,
    (address) => new deno.UnsafePointerView(address as object).getInt32(),
  );
}
