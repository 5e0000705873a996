/**
 * The part of binding the C library that the runtimes' adapters share.
 *
 * @module
 */

import {
  type CType,
  type FunctionName,
  type LibcFunctions,
  SIGNATURES,
} from "./signatures.ts";

/** The file of the C library: glibc's name, which musl accepts, too. */
export const LIBC_FILE = "libc.so.6";

/** The function that returns the address of `errno`, in glibc and musl. */
export const ERRNO_LOCATION = "__errno_location";

/**
 * Declares functions and `__errno_location()` in the form of a runtime.
 *
 * @param typeNames The runtime's names of the types.
 */
export function declareFunctions<Declaration>(
  names: readonly FunctionName[],
  typeNames: Readonly<Record<CType | "pointer", string>>,
  declare: (parameters: string[], result: string) => Declaration,
): Record<string, Declaration> {
  const declarations = names.map((name) => {
    const [parameters, result] = SIGNATURES[name];
    const types = parameters.map((type) => typeNames[type]);
    return [name, declare(types, typeNames[result])] as const;
  });
  return {
    ...Object.fromEntries(declarations),
    [ERRNO_LOCATION]: declare([], typeNames.pointer),
  };
}

/**
 * Wraps functions that a runtime opened, so that they take and return numbers.
 *
 * @param readErrno Reads the number at the address of `errno`.
 * @param takesBigInts Whether the runtime takes 64-bit arguments as BigInt only.
 */
export function toFunctions<Name extends FunctionName>(
  names: readonly Name[],
  foreign: Readonly<Record<string, (...args: unknown[]) => unknown>>,
  readErrno: (address: unknown) => number,
  takesBigInts: boolean = false,
): LibcFunctions<Name> {
  const functions = names.map((name) => [
    name,
    toNumeric(name, foreign[name]!, takesBigInts),
  ]);
  // The address is the same for all calls of a thread. Asking for it after a call
  // that failed could overwrite the number.
  const errnoAddress = foreign[ERRNO_LOCATION]!();
  return {
    ...Object.fromEntries(functions),
    errno: () => readErrno(errnoAddress),
  };
}

/** Wraps a function only if it has 64-bit numbers, because wrapping takes time. */
function toNumeric(
  name: FunctionName,
  foreign: (...args: unknown[]) => unknown,
  takesBigInts: boolean,
): typeof foreign {
  const [parameters, result] = SIGNATURES[name];
  const wide = [...parameters.entries()].flatMap(([index, type]) =>
    takesBigInts && (type === "size" || type === "long") ? [index] : []
  );
  if (wide.length === 0 && result === "int") return foreign;
  return (...args) => {
    for (const index of wide) args[index] = BigInt(args[index] as number);
    return Number(foreign(...args));
  };
}
