/**
 * Making a `net.Server` listen, and checking where it does.
 *
 * @module
 */

import type * as net from "node:net";
import { type Address, sameAddress } from "../../core/address.ts";
import type { Descriptor } from "../../core/descriptor.ts";
import type { DescriptorInfo } from "../../core/info.ts";
import type { Fallback } from "../../core/types.ts";
import { addressMismatch, describeFallback, listenError } from "../errors.ts";
import type { ListenSource, Platform } from "../platform.ts";
import { inetAddress } from "../socket_address.ts";

/**
 * The backlog to ask for. `node:net` calls `listen(2)` again on an inherited
 * socket, and its own default would shrink the unit's `Backlog=` to 511; the
 * kernel limits this one to `net.core.somaxconn`. (The largest number overflows
 * in Deno, which adds one. Bun always asks for 511.)
 */
const BACKLOG = 65535;

/** Where one server listens. */
export type SocketPlace =
  | { readonly descriptor: Descriptor; readonly info: DescriptorInfo }
  | Fallback;

/** The sockets of a source, one by one. */
export function placesOf(
  source: ListenSource,
): readonly [SocketPlace, ...SocketPlace[]] {
  if (source.kind === "fallback") return [source.address];
  const [first, ...rest] = source.descriptors.map((descriptor, index) => ({
    descriptor,
    info: source.infos[index]!,
  }));
  return [first!, ...rest];
}

/**
 * Makes a server listen, and checks that its address is the descriptor's.
 *
 * @returns The address, if it is known.
 */
export async function listenOn(
  platform: Platform,
  server: net.Server,
  place: SocketPlace,
  action: string,
): Promise<Address | undefined> {
  if (!("descriptor" in place)) {
    const address = "path" in place
      ? { path: nodePath(place.path) }
      : { port: place.port, host: place.hostname };
    const binding = `${action}: binding ${describeFallback(place)}`;
    await settleListen(server, [address], binding);
    return serverAddress(server);
  }
  const { descriptor, info: { address: expected } } = place;
  platform.keepDescriptorOnListenError?.(server);
  const listening = `${action}: listening on ${descriptor}`;
  await settleListen(server, [{ fd: descriptor.fd }, BACKLOG], listening);
  const actual = serverAddress(server);
  if (expected && actual && !sameAddress(expected, actual)) {
    server.close();
    throw addressMismatch(platform, descriptor, expected, actual, action);
  }
  return actual ?? expected;
}

/** Resolves when a server listens, and rejects when it fails to. */
function settleListen(
  server: net.Server,
  options: [address: object, backlog?: number],
  action: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onListening = () => {
      server.off("error", onError);
      resolve();
    };
    const onError = (error: unknown) => {
      server.off("listening", onListening);
      reject(listenError(error, action));
    };
    server.once("listening", onListening);
    server.once("error", onError);
    try {
      server.listen(...options as [net.ListenOptions]);
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
  if (typeof address === "string") {
    return address.startsWith("\0")
      ? { kind: "unix-abstract", name: address.slice(1) }
      : { kind: "unix", path: address };
  }
  return inetAddress(address?.address, address?.port);
}

/** A path as `node:net` takes it, with NUL for the `@` of an abstract name. */
function nodePath(path: string): string {
  return path.startsWith("@") ? `\0${path.slice(1)}` : path;
}
