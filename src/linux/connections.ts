/**
 * The connections that a runtime's own server has accepted. The runtimes don't
 * show them; the operating system does: they are the sockets of this process
 * that have the listener's address and a peer.
 *
 * @module
 */

import { type Address, sameAddress } from "../core/address.ts";
import { decodeSockaddr } from "../core/sockaddr.ts";
import type { Libc } from "../ffi/libc.ts";
import { descriptors } from "./adopt.ts";

/** What is known of the open connections of a listener. */
export interface OpenConnections {
  /** How many there are. */
  readonly count: number;
  /** Whether one of them has sent something that nobody has read yet. */
  readonly hasInput: boolean;
}

/**
 * Counts the connections that were accepted at addresses.
 *
 * @param libc The C library.
 * @param listening The addresses of the listeners.
 * @returns What is known; `undefined` if it can't be told, since no descriptor
 * is free to look with, say.
 */
export function openConnections(
  libc: Libc,
  listening: readonly Address[],
): OpenConnections | undefined {
  try {
    let count = 0;
    let hasInput = false;
    for (const fd of accepted(libc, listening)) {
      count++;
      hasInput ||= libc.hasInput(fd);
    }
    return { count, hasInput };
  } catch {
    return undefined;
  }
}

/**
 * Ends the connections that were accepted at addresses, in both directions. The
 * runtime notices, and closes them.
 *
 * @param libc The C library.
 * @param listening The addresses of the listeners.
 */
export function closeConnections(
  libc: Libc,
  listening: readonly Address[],
): void {
  for (const fd of accepted(libc, listening)) {
    try {
      libc.endConnection(fd);
    } catch {
      // The peer was faster.
    }
  }
}

function* accepted(
  libc: Libc,
  listening: readonly Address[],
): Generator<number> {
  for (const fd of descriptors(libc)) {
    try {
      const address = decodeSockaddr(libc.socketName(fd));
      if (address === undefined) continue;
      if (!listening.some((each) => isAcceptedAt(address, each))) continue;
      // Fails for the listener itself, which has no peer.
      libc.peerName(fd);
    } catch {
      continue;
    }
    yield fd;
  }
}

/** Whether a socket of an address can come from a listener. */
function isAcceptedAt(address: Address, listener: Address): boolean {
  if (!("hostname" in listener)) return sameAddress(address, listener);
  if (!("hostname" in address) || address.port !== listener.port) return false;
  // A listener on all addresses accepts at each, but only of its own family: what
  // it accepts over IPv4 at :: has an address of IPv6.
  if (address.kind !== listener.kind) return false;
  return listener.hostname === "0.0.0.0" || listener.hostname === "::" ||
    sameAddress(address, listener);
}
