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
    getArrayBuffer(byteLength: number): ArrayBuffer;
  };
  readonly permissions: {
    querySync(descriptor: { readonly name: "ffi" }): { readonly state: string };
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

/**
 * Calls a function after the start; waiting for that doesn't keep the process
 * alive. Deno before 2.9 calls it with the next event.
 */
function callAfterStart(call: () => void): void {
  // Not a timer: Deno 2.9 loads `node:timers` at the first one, for 6 ms.
  const memory = new Int32Array(new SharedArrayBuffer(4));
  const { value } = Atomics.waitAsync(memory, 0, 0, START_MS);
  void Promise.resolve(value).then(call);
}

/**
 * Binds functions; throws without permission, or if the C library lacks one. They
 * keep working after the program has given up the permission: Deno checks it when
 * a function is declared, not when it is called.
 *
 * @param defer Receives the function that switches to generated code, and decides
 * when to call it.
 */
export function bindDenoFunctions<Name extends FunctionName>(
  deno: Omit<DenoFfi, "build">,
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
  // Memory of the thread, which is read without a permission, too.
  const location = new deno.UnsafeFnPointer(
    symbols[ERRNO_LOCATION] as object,
    locate!,
  ).call();
  const errno = new Int32Array(
    new deno.UnsafePointerView(location as object).getArrayBuffer(4),
  );
  const wrap = (foreign: Record<string, ForeignFunction>) =>
    toFunctions(
      names,
      { ...foreign, [ERRNO_LOCATION]: () => location },
      () => errno[0]!,
    );
  const functions = wrap(Object.fromEntries(
    withoutCode.map(([name, , convert]) => [
      name,
      convert(symbols[name] as ForeignFunction),
    ]),
  ));
  defer(() => {
    // Where the program has given up the permission, Deno would ask the user.
    if (deno.permissions.querySync({ name: "ffi" }).state !== "granted") return;
    try {
      const { symbols } = deno.dlopen(LIBC_FILE, declarations);
      const declared = wrap(symbols as Record<string, ForeignFunction>);
      Object.assign(functions, declared);
    } catch {
      // Calls keep their present speed.
    }
  });
  return functions;
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
  // A function that takes only addresses gets generated code from the start.
  if (typeof type !== "string") return [{ parameters, result }, (it) => it];
  const isWide = type === DENO_TYPES.long || type === DENO_TYPES.size;
  return [
    { parameters: parameters.with(at, { struct: [type] }), result },
    (foreign) => (...args) => {
      const value = args[at] as number;
      // Typed arrays would take 0 in the place of what isn't a number.
      if (!Number.isInteger(value)) {
        throw new TypeError(
          `Calling the C library: expected an integer, found ${value}`,
        );
      }
      args[at] = new Uint8Array(
        isWide
          ? new BigInt64Array([BigInt(value)]).buffer
          : new Int32Array([value]).buffer,
      );
      return foreign(...args);
    },
  ];
}
