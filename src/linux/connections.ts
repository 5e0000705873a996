/**
 * The connections that a runtime's own server has accepted. The runtimes don't
 * report them, so they are found as the sockets of this process that have the
 * listener's address and a peer.
 *
 * @module
 */

import { type Address, sameAddress } from "../core/address.ts";
import { decodeSockaddr } from "../core/sockaddr.ts";
import type { Libc } from "../ffi/libc.ts";
import { candidateFds } from "./candidate_fds.ts";

/** The open connections of a server. */
export interface OpenConnections {
  /** The number of connections. */
  readonly count: number;
  /** Whether a connection has unread bytes. */
  readonly hasInput: boolean;
}

/**
 * Counts the connections that were accepted at the listeners' addresses.
 *
 * @returns The connections; `undefined` if they can't be counted, because no
 * descriptor is free, for example.
 */
export function openConnections(
  libc: Libc,
  listenAddresses: readonly Address[],
): OpenConnections | undefined {
  try {
    let count = 0;
    let hasInput = false;
    for (const fd of acceptedFds(libc, listenAddresses)) {
      count++;
      hasInput ||= libc.hasUnreadBytes(fd);
    }
    return { count, hasInput };
  } catch {
    return undefined;
  }
}

/**
 * Shuts down the connections that were accepted at the listeners' addresses, so
 * that the runtime closes them.
 */
export function endConnections(
  libc: Libc,
  listenAddresses: readonly Address[],
): void {
  for (const fd of acceptedFds(libc, listenAddresses)) {
    try {
      libc.shutdownConnection(fd);
    } catch {
      // The peer has closed the connection already.
    }
  }
}

/** Yields the descriptors that were accepted at the listeners' addresses. */
export function* acceptedFds(
  libc: Libc,
  listenAddresses: readonly Address[],
): Generator<number> {
  for (const fd of candidateFds(libc)) {
    const local = libc.localAddressIfSocket(fd);
    const address = local && decodeSockaddr(local);
    if (address === undefined) continue;
    if (!listenAddresses.some((listen) => isAcceptedAt(address, listen))) {
      continue;
    }
    try {
      // Fails for the listener itself, because it has no peer.
      libc.peerAddress(fd);
    } catch {
      continue;
    }
    yield fd;
  }
}

/** Checks whether a listener can have accepted a connection with an address. */
function isAcceptedAt(address: Address, listen: Address): boolean {
  if (!("hostname" in listen)) return sameAddress(address, listen);
  if (!("hostname" in address) || address.port !== listen.port) return false;
  // A listener on all addresses accepts connections of its own family only: over
  // IPv4, a listener at :: accepts connections with IPv6 addresses.
  if (address.kind !== listen.kind) return false;
  return listen.hostname === "0.0.0.0" || listen.hostname === "::" ||
    sameAddress(address, listen);
}
