/**
 * The listening sockets of this process.
 *
 * @module
 */

import { type Address, sameAddress } from "../core/address.ts";
import { decodeSockaddr } from "../core/sockaddr.ts";
import type { Libc } from "../ffi/libc.ts";
import { candidateFds } from "./candidate_fds.ts";

/** Returns the numbers of all sockets that listen. */
export function listeningFds(libc: Libc): Set<number> {
  return new Set([...candidateFds(libc)].filter((fd) => listens(libc, fd)));
}

/** Finds the listening socket that has an address. */
export function findListener(
  libc: Libc,
  address: Address | undefined,
): number | undefined {
  if (address === undefined) return undefined;
  return [...listeningFds(libc)].find((fd) => {
    const actual = decodeSockaddr(libc.localAddress(fd));
    return actual !== undefined && sameAddress(actual, address);
  });
}

function listens(libc: Libc, fd: number): boolean {
  try {
    return libc.socketOption(fd, "acceptConn") === 1;
  } catch {
    // The number is free, or belongs to no socket.
    return false;
  }
}
