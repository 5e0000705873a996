/**
 * Making a `net.Server` listen, and checking where it does.
 *
 * @module
 */

import type * as net from "node:net";
import type { Descriptor } from "../../core/descriptor.ts";
import {
  type Address,
  fromUnixPath,
  inetAddress,
  sameAddress,
} from "../../core/address.ts";
import { ActivationError } from "../../core/errors.ts";
import { isClusterWorker } from "../builtin.ts";
import { passedOnDescriptors } from "../descriptors.ts";
import {
  addressMismatch,
  describeFallback,
  fallbackError,
  listenError,
  missingPermission,
  warnOfFallback,
} from "../errors.ts";
import type { ListenSource, Platform } from "../platform.ts";

/**
 * The backlog to ask for. `node:net` calls `listen(2)` again on an inherited
 * socket, and its own default would shrink the unit's `Backlog=` to 511; the
 * kernel limits this one to `net.core.somaxconn`. (The largest number overflows
 * in Deno, which adds one. Bun always asks for 511.)
 */
const BACKLOG = 65535;

/** Splits a source into those of one socket each. */
export function splitSource(
  source: ListenSource,
): readonly [ListenSource, ...ListenSource[]] {
  if (source.kind === "fallback") return [source];
  const [first, ...rest] = source.descriptors.map((
    descriptor,
    index,
  ): ListenSource => ({
    kind: "inherited",
    descriptors: [descriptor],
    infos: [source.infos[index]!],
  }));
  return [first!, ...rest];
}

/**
 * Makes a server listen on one socket, and checks that its address is the
 * descriptor's.
 *
 * @returns The address, if it is known.
 */
export async function listenOn(
  platform: Platform,
  server: net.Server,
  source: ListenSource,
  action: string,
): Promise<Address | undefined> {
  if (source.kind === "fallback") {
    const { address: fallback } = source;
    const options = "path" in fallback
      ? { path: nodePath(fallback.path) }
      : { port: fallback.port, host: fallback.hostname };
    const missing = platform.missingListenPermission?.(fallback);
    if (missing !== undefined) {
      const binding = `${action}: binding ${describeFallback(fallback)}`;
      throw missingPermission(missing, binding);
    }
    await settleListen(
      server,
      () => server.listen(options),
      (error) => fallbackError(error, source, action),
    );
    warnOfFallback(source, action);
    const address = serverAddress(server);
    surviveExhaustion(platform, server, undefined, address);
    return address;
  }
  const { descriptors: [descriptor], infos } = source;
  const expected = infos[0]!.address;
  const listening = `${action}: listening on ${descriptor}`;
  const end = keepDescriptorOnError(platform, server);
  try {
    await settleListen(
      server,
      () => listenOnDescriptor(server, descriptor),
      (error) => listenError(error, listening),
    );
  } finally {
    end();
  }
  const actual = serverAddress(server);
  if (expected && actual && !sameAddress(expected, actual)) {
    server.close();
    throw addressMismatch(platform, descriptor, expected, actual, action);
  }
  surviveExhaustion(platform, server, descriptor.fd, actual);
  return actual ?? expected;
}

/** What makes a server listen on a descriptor. */
export interface DescriptorOptions {
  readonly fd: number;
  readonly backlog: number;
}

/**
 * Makes a server listen on an inherited socket without waiting for the event
 * `listening`.
 *
 * @param listen Calls the server's own `listen()`.
 * @throws {ActivationError} If the server doesn't listen then.
 */
export function listenNow(
  platform: Platform,
  server: net.Server,
  descriptor: Descriptor,
  listen: (options: DescriptorOptions) => void,
  action: string,
): Address | undefined {
  const end = keepDescriptorOnError(platform, server);
  try {
    listen({ fd: descriptor.fd, backlog: BACKLOG });
  } finally {
    end();
  }
  if (!server.listening) {
    // The server reports the reason by an event.
    throw new ActivationError(
      "system",
      `${action}: ${platform.title} can't listen on ${descriptor}: see the ` +
        `server's event "error"`,
    );
  }
  const address = serverAddress(server);
  surviveExhaustion(platform, server, descriptor.fd, address);
  return address;
}

/** The part of a server's handle that listens. */
interface InheritedHandle {
  listen(backlog: number): number;
  close(): void;
}

/** What the servers of Node and Deno keep their handle in. */
interface WithInheritedHandle extends net.Server {
  _handle?: InheritedHandle | null;
}

/** Handles of servers that could not listen, with their descriptors. */
const keptHandles: InheritedHandle[] = [];

/**
 * Prepares a server for one call that listens on an inherited socket: where that
 * fails, its handle stays open, and is kept from the garbage collector. The server
 * would close it, and with it a descriptor that can still be claimed.
 *
 * @returns Ends that, when the call has succeeded or failed.
 */
function keepDescriptorOnError(
  platform: Platform,
  server: net.Server,
): () => void {
  const { _handle } = server as WithInheritedHandle;
  // One that has a handle listens already, and refuses the call.
  if (!platform.closesOnListenError || _handle) return () => {};
  const define = (descriptor: PropertyDescriptor) =>
    Object.defineProperty(server, "_handle", {
      configurable: true,
      enumerable: true,
      ...descriptor,
    });
  let current: InheritedHandle | null = null;
  let isOver = false;
  const end = () => {
    if (isOver) return;
    isOver = true;
    define({ value: current, writable: true });
  };
  define({
    get: () => current,
    set(handle: InheritedHandle | null) {
      current = handle;
      if (handle === null) return;
      const { listen } = handle;
      handle.listen = (backlog) => {
        end();
        handle.listen = listen;
        const error = listen.call(handle, backlog);
        if (error !== 0) {
          handle.close = () => {};
          keptHandles.push(handle);
        }
        return error;
      };
    },
  });
  return end;
}

/** Without what a sandbox forbids, the server is what the runtime makes it. */
function surviveExhaustion(
  platform: Platform,
  server: net.Server,
  fd: number | undefined,
  address: Address | undefined,
): void {
  try {
    platform.surviveExhaustion?.(server, fd, address);
  } catch {
    // The socket is not found in the epoll instances, which are not readable.
  }
}

/** The part of Node's servers that listens in this process. */
interface WithListen2 {
  _listen2?(
    ...args: [
      address: null,
      port: null,
      type: null,
      backlog: number,
      fd: number,
    ]
  ): void;
}

/**
 * Makes a server listen on a descriptor. In a worker of `node:cluster`, `listen()`
 * takes the descriptor with this number from the primary process, which accepts
 * for all workers; one that was passed on to the worker is its own.
 */
function listenOnDescriptor(server: net.Server, descriptor: Descriptor): void {
  const { fd } = descriptor;
  const { _listen2 } = server as WithListen2;
  const isOwn = passedOnDescriptors.has(descriptor) && isClusterWorker();
  if (isOwn && _listen2 !== undefined) {
    _listen2.call(server, null, null, null, BACKLOG, fd);
  } else {
    server.listen({ fd }, BACKLOG);
  }
}

/** Resolves when a server listens, and rejects when it fails to. */
function settleListen(
  server: net.Server,
  listen: () => void,
  toError: (error: unknown) => ActivationError,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onListening = () => {
      server.off("error", onError);
      resolve();
    };
    const onError = (error: unknown) => {
      server.off("listening", onListening);
      reject(toError(error));
    };
    server.once("listening", onListening);
    server.once("error", onError);
    try {
      listen();
    } catch (error) {
      onError(error);
    }
  });
}

/**
 * Reads the address of a server; `undefined` where the runtime doesn't report
 * it, as for an inherited Unix socket.
 */
function serverAddress(server: net.Server): Address | undefined {
  const address = server.address();
  if (typeof address === "string") return fromUnixPath(address);
  return inetAddress(address?.address, address?.port);
}

/** A path as `node:net` takes it, with NUL for the `@` of an abstract name. */
function nodePath(path: string): string {
  return path.startsWith("@") ? `\0${path.slice(1)}` : path;
}
