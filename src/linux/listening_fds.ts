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
function listeningFds(libc: Libc): Set<number> {
  return new Set([...candidateFds(libc)].filter((fd) => libc.isListening(fd)));
}

/** The numbers above the lowest free one that a new socket may have. */
const LIKELY_COUNT = 8;
/** Standard error, which nearly every process has. */
const STDERR_FD = 2;

/**
 * Returns a function that finds the one socket that listens and didn't when this
 * was called; `undefined` if there is none, or if there are several, because
 * another thread has begun to listen, too.
 */
export function watchListeningFds(libc: Libc): () => number | undefined {
  const likely = likelyFds(libc);
  const find = () =>
    likely === undefined
      ? listeningFds(libc)
      : new Set(likely.filter((fd) => libc.isListening(fd)));
  const before = find();
  return () => {
    const [fd, another] = [...find()].filter((each) => !before.has(each));
    return another === undefined ? fd : undefined;
  };
}

/** The numbers that the next descriptors are likely to get. */
function likelyFds(libc: Libc): number[] | undefined {
  try {
    const first = libc.findLowestFreeFd(STDERR_FD);
    return Array.from({ length: LIKELY_COUNT }, (_, index) => first + index);
  } catch {
    return undefined;
  }
}

/**
 * Finds the listening socket that has an address.
 *
 * @param except Numbers to leave out.
 */
export function findListener(
  libc: Libc,
  address: Address | undefined,
  ...except: readonly number[]
): number | undefined {
  if (address === undefined) return undefined;
  return [...listeningFds(libc)].find((fd) => {
    if (except.includes(fd)) return false;
    const actual = decodeSockaddr(libc.localAddress(fd));
    return actual !== undefined && sameAddress(actual, address);
  });
}
