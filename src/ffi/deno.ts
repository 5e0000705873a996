/**
 * The C library through the FFI of Deno.
 *
 * `Deno.dlopen` generates machine code for each function that is declared to it.
 * That takes 0.25 ms a function, and makes each call 1 µs faster. Before its first
 * answer, a service makes a few calls of many functions: until then they are
 * declared in a form for which Deno generates none.
 *
 * @module
 */

import {
  declareFunctions,
  ERRNO_LOCATION,
  LIBC_FILE,
  toFunctions,
} from "./binding.ts";
import type { FunctionName, LibcFunctions } from "./signatures.ts";

type ForeignFunction = (...args: unknown[]) => unknown;

/** The types of a function. */
interface Declaration {
  readonly parameters: readonly (string | { readonly struct: [string] })[];
  readonly result: string;
}

/** The part of the global `Deno` that the adapter uses. */
export interface DenoFfi {
  dlopen(
    file: string,
    symbols: Record<string, Declaration | { readonly type: "pointer" }>,
  ): { readonly symbols: Record<string, unknown> };
  readonly UnsafeFnPointer: new (
    pointer: object,
    definition: Declaration,
  ) => { call: ForeignFunction };
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

/**
 * How long functions are called without generated code, in milliseconds: longer
 * than a service takes to its first answer.
 */
const START_MS = 250;

/** Calls a function after the start; waiting for that doesn't keep the process. */
function callAfterStart(call: () => void): void {
  // Not a timer: Deno 2.9 loads `node:timers` at the first one, for 6 ms.
  const memory = new Int32Array(new SharedArrayBuffer(4));
  const { value } = Atomics.waitAsync(memory, 0, 0, START_MS);
  void Promise.resolve(value).then(call);
}

/**
 * Binds functions; throws without permission, or if the C library lacks one. They
 * work on when the program gives the permission up: Deno checks it when a function
 * is declared, not when it is called.
 *
 * @param defer Receives what makes calls faster by generated code.
 */
export function bindDenoFunctions<Name extends FunctionName>(
  deno: Pick<DenoFfi, "dlopen" | "UnsafeFnPointer" | "UnsafePointerView">,
  names: readonly Name[],
  defer: (generateCode: () => void) => void = callAfterStart,
): LibcFunctions<Name> {
  const { [ERRNO_LOCATION]: locate, ...declarations } = declareFunctions(
    names,
    DENO_TYPES,
    (parameters, result) => ({ parameters, result }),
  );
  const withoutCode = Object.entries(declarations).map(([name, each]) =>
    [name, ...preventCode(each)] as const
  );
  const { symbols } = deno.dlopen(LIBC_FILE, {
    ...Object.fromEntries(withoutCode.map(([name, each]) => [name, each])),
    [ERRNO_LOCATION]: { type: "pointer" },
  });
  let calls = Object.fromEntries(
    withoutCode.map(([name, , convert]) => [
      name,
      convert(symbols[name] as ForeignFunction),
    ]),
  );
  defer(() => {
    try {
      calls = deno.dlopen(LIBC_FILE, declarations).symbols as typeof calls;
    } catch {
      // Without the permission any more, calls stay as fast as they are.
    }
  });
  const foreign = Object.fromEntries(names.map((name) => [
    name,
    (...args: unknown[]) => calls[name]!(...args),
  ]));
  const location = new deno.UnsafeFnPointer(
    symbols[ERRNO_LOCATION] as object,
    locate!,
  );
  return toFunctions(
    names,
    { ...foreign, [ERRNO_LOCATION]: () => location.call() },
    (address) => new deno.UnsafePointerView(address as object).getInt32(),
  );
}

/**
 * Declares an integer as a structure of that integer, for which Deno generates no
 * code. Both are passed in the same register (System V ABI of x86-64, 3.2.3, and
 * AAPCS64, 6.8.2).
 *
 * @returns The declaration, and what converts the function that Deno then gives.
 */
function preventCode(
  { parameters, result }: Declaration,
): [Declaration, (foreign: ForeignFunction) => ForeignFunction] {
  const at = parameters.findIndex((type) => type !== DENO_TYPES.bytes);
  const type = parameters[at];
  // A function of addresses alone has generated code from the start.
  if (typeof type !== "string") return [{ parameters, result }, (it) => it];
  const isWide = type === DENO_TYPES.long || type === DENO_TYPES.size;
  return [
    { parameters: parameters.with(at, { struct: [type] }), result },
    (foreign) => (...args) => {
      const value = args[at] as number;
      args[at] = new Uint8Array(
        isWide
          ? new BigInt64Array([BigInt(value)]).buffer
          : new Int32Array([value]).buffer,
      );
      return foreign(...args);
    },
  ];
}
