/**
 * The calls that make sockets on whichever runtime this is, where that lets
 * programs call the C library.
 *
 * @module
 */

import type { BunFfi } from "../ffi/bun.ts";
import type { DenoFfi } from "../ffi/deno.ts";
import type { NodeFfi } from "../ffi/node.ts";
import { type ForeignFunctions, openSockets, Sockets } from "../ffi/sockets.ts";
import { optionalBuiltin, processGlobal } from "./builtin.ts";
import { quietly } from "./open_libc.ts";

const ERRNO = "__errno_location";

/**
 * Opens the calls.
 *
 * @returns The calls; `undefined` where there are none: on systems other than
 * Linux on x86_64 and arm64, on Node before 26, and on Deno without permission.
 */
export function openSocketCalls(): Sockets | undefined {
  const { platform, arch } = processGlobal()!;
  if (platform !== "linux" || (arch !== "x64" && arch !== "arm64")) {
    return undefined;
  }
  try {
    const foreign = foreignFunctions();
    return foreign && new Sockets(openSockets(foreign));
  } catch {
    // None that can be opened: too old a C library, or no permission.
    return undefined;
  }
}

function foreignFunctions(): ForeignFunctions | undefined {
  const { Deno } = globalThis as { Deno?: DenoFfi };
  // Deno and Bun look like Node, too: they come first.
  if (Deno?.dlopen !== undefined) return denoFunctions(Deno);
  const bun = optionalBuiltin("bun:ffi");
  if (bun !== undefined) return bunFunctions(bun as BunFfi);
  const node = quietly(() => optionalBuiltin("node:ffi"));
  return node === undefined ? undefined : nodeFunctions(node as NodeFfi);
}

function denoFunctions(deno: DenoFfi): ForeignFunctions {
  const types = {
    number: "i32",
    unsigned: "u32",
    bytes: "buffer",
    length: "usize",
  };
  return {
    open: (library, signatures) =>
      deno.dlopen(library, {
        ...mapValues(signatures, (kinds) => ({
          parameters: kinds.map((kind) => types[kind]),
          result: "i32",
        })),
        [ERRNO]: { parameters: [], result: "pointer" },
      }).symbols,
    errno: (location) =>
      new deno.UnsafePointerView(location as object).getInt32(),
    takesBigints: false,
  };
}

function bunFunctions(ffi: BunFfi): ForeignFunctions {
  const types = { number: "i32", unsigned: "u32", bytes: "ptr", length: "u64" };
  return {
    open: (library, signatures) =>
      ffi.dlopen(library, {
        ...mapValues(signatures, (kinds) => ({
          args: kinds.map((kind) => types[kind]),
          returns: "i32",
        })),
        [ERRNO]: { args: [], returns: "ptr" },
      }).symbols,
    errno: (location) => ffi.read.i32(location, 0),
    takesBigints: false,
  };
}

function nodeFunctions(ffi: NodeFfi): ForeignFunctions {
  const types = {
    number: "int32",
    unsigned: "uint32",
    bytes: "pointer",
    length: "uint64",
  };
  return {
    open: (library, signatures) =>
      ffi.dlopen(library, {
        ...mapValues(signatures, (kinds) => ({
          arguments: kinds.map((kind) => types[kind]),
          return: "int32",
        })),
        [ERRNO]: { arguments: [], return: "pointer" },
      }).functions,
    errno: (location) => ffi.getInt32(location, 0),
    takesBigints: true,
  };
}

function mapValues<T, U>(
  record: Readonly<Record<string, T>>,
  map: (value: T) => U,
): Record<string, U> {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [key, map(value)]),
  );
}
