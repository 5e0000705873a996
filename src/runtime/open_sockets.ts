/**
 * The calls of the C library that create sockets, for the activator. Not part of
 * `open_libc.ts`, so that the library doesn't load them.
 *
 * @module
 */

import { bindBunFunctions } from "../ffi/bun.ts";
import { bindDenoFunctions, type DenoFfi } from "../ffi/deno.ts";
import { bindNodeFunctions } from "../ffi/node.ts";
import type { FunctionName, LibcFunctions } from "../ffi/signatures.ts";
import { SOCKET_FUNCTIONS, SocketCalls } from "../ffi/sockets.ts";
import { bunFfi, nodeFfi, openCalls } from "./open_libc.ts";

/** Opens the calls; `undefined` where {@linkcode openCalls} returns that. */
export function openSocketCalls(): SocketCalls | undefined {
  return openCalls(() => new SocketCalls(bindFunctions(SOCKET_FUNCTIONS)));
}

/** Binds functions of the C library through whichever FFI the runtime has. */
export function bindFunctions<Name extends FunctionName>(
  names: readonly Name[],
): LibcFunctions<Name> {
  const { Deno } = globalThis as { Deno?: DenoFfi };
  if (Deno?.dlopen !== undefined) return bindDenoFunctions(Deno, names);
  const bun = bunFfi();
  return bun === undefined
    ? bindNodeFunctions(nodeFfi()!, names)
    : bindBunFunctions(bun, names);
}
