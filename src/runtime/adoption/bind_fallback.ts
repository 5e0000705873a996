/**
 * Creating a listener of the runtime's own at a fallback address.
 *
 * The runtime binds the socket itself, and doesn't tell its number. It is found, so
 * that the listener survives a time without free descriptors, and its connections
 * are known, as on an inherited socket.
 *
 * @module
 */

import { ActivationError } from "../../core/errors.ts";
import type { UsableKind } from "../../core/kinds.ts";
import { decodeSockaddr } from "../../core/sockaddr.ts";
import type { Fallback, Placeholder } from "../../core/types.ts";
import type { Libc } from "../../ffi/libc.ts";
import { EpollSocket } from "../../linux/epoll_socket.ts";
import { watchListeningFds } from "../../linux/listening_fds.ts";
import {
  describeFallback,
  fallbackError,
  isReported,
  warnOfFallback,
} from "../errors.ts";
import type { FallbackSource, Platform } from "../platform.ts";
import { ListenSockets } from "./listen_sockets.ts";
import type { ListenerFactory } from "./listener_factory.ts";

/** Creates a listener at the fallback address. */
export function bindFallback<T>(
  platform: Platform,
  source: FallbackSource,
  kind: UsableKind,
  factory: ListenerFactory<T>,
  action: string,
): { listener: T; sockets: ListenSockets } {
  try {
    const bindTo = toPlaceholder(source.address, kind);
    const libc = platform.adoptionLibc();
    const find = "reason" in libc ? undefined : tryToWatch(libc);
    const listener = factory.create(bindTo, undefined);
    warnOfFallback(source, action);
    // Deno removes the path of a listener that it closes.
    const isKept = factory.losesSockets === true && bindTo.kind !== "unix";
    const sockets = "reason" in libc || find === undefined
      ? new ListenSockets()
      : listenSockets(libc, find, isKept);
    return { listener, sockets };
  } catch (error) {
    throw isReported(error) ? error : fallbackError(error, source, action);
  }
}

function tryToWatch(libc: Libc): (() => number | undefined) | undefined {
  try {
    return watchListeningFds(libc);
  } catch {
    // No descriptor is free.
    return undefined;
  }
}

/** Returns what is known of the bound socket, if it is found. */
function listenSockets(
  libc: Libc,
  find: () => number | undefined,
  isKept: boolean,
): ListenSockets {
  try {
    const fd = find();
    if (fd === undefined) return new ListenSockets();
    return new ListenSockets({
      libc,
      sockets: [EpollSocket.find(libc, fd)],
      addresses: [decodeSockaddr(libc.localAddress(fd))],
      kept: isKept ? [keep(libc, fd)] : [],
      areInherited: false,
    });
  } catch {
    // No descriptor is free.
    return new ListenSockets();
  }
}

function keep(libc: Libc, boundFd: number) {
  const fd = libc.duplicate(boundFd);
  return { fd, toString: () => `descriptor ${fd}` };
}

/**
 * Converts a fallback address to the form of a placeholder.
 *
 * @throws {ActivationError} If the runtime's own listeners don't take it.
 */
export function toPlaceholder(
  address: Fallback,
  kind: UsableKind | undefined,
): Placeholder {
  if ("path" in address) {
    if (address.path.startsWith("@")) {
      throw new ActivationError(
        "unsupported",
        `Binding ${describeFallback(address)}: the runtime's own listeners ` +
          `take no abstract names: set a path`,
      );
    }
    return { kind: "unix", path: address.path };
  }
  return {
    kind: kind === "datagram" ? "udp" : "tcp",
    hostname: address.hostname ?? "::",
    port: address.port,
  };
}
