/**
 * The C library through the FFI of Deno.
 *
 * For a function that it declares, `Deno.dlopen` generates machine code, which
 * takes a quarter of a millisecond, and saves one or two microseconds for each
 * call. A service calls most functions a few times, when it starts: hence only the
 * addresses come from `Deno.dlopen`.
 *
 * @module
 */

import { declareFunctions, LIBC_FILE, toFunctions } from "./binding.ts";
import type { FunctionName, LibcFunctions } from "./signatures.ts";

/** The part of the global `Deno` that the adapter uses. */
export interface DenoFfi {
  dlopen(
    file: string,
    symbols: Record<string, { readonly type: "pointer" }>,
  ): { readonly symbols: Record<string, unknown> };
  readonly UnsafeFnPointer: new (
    pointer: object,
    definition: Declaration,
  ) => { call(...args: unknown[]): unknown };
  readonly UnsafePointerView: new (pointer: object) => {
    getInt32(offset?: number): number;
  };
  readonly build: { readonly os: string; readonly arch: string };
}

/** The types of a function. */
interface Declaration {
  readonly parameters: readonly string[];
  readonly result: string;
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
  deno: Pick<DenoFfi, "dlopen" | "UnsafeFnPointer" | "UnsafePointerView">,
  names: readonly Name[],
): LibcFunctions<Name> {
  const declarations = Object.entries(declareFunctions<Declaration>(
    names,
    DENO_TYPES,
    (parameters, result) => ({ parameters, result }),
  ));
  const { symbols } = deno.dlopen(
    LIBC_FILE,
    Object.fromEntries(
      declarations.map(([name]) => [name, { type: "pointer" }]),
    ),
  );
  const foreign = declarations.map(([name, declaration]) => {
    const pointer = new deno.UnsafeFnPointer(
      symbols[name] as object,
      declaration,
    );
    return [name, (...args: unknown[]) => pointer.call(...args)] as const;
  });
  return toFunctions(
    names,
    Object.fromEntries(foreign),
    (address) => new deno.UnsafePointerView(address as object).getInt32(),
  );
}
