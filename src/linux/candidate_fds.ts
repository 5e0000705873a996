/**
 * The numbers that a descriptor of this process can have.
 *
 * @module
 */

import type { Libc } from "../ffi/libc.ts";

/** Yields a likely number if there is one, and then all from 3 on. */
export function* candidateFds(
  libc: Libc,
  likelyFd?: number,
): Generator<number> {
  if (likelyFd !== undefined) yield likelyFd;
  const size = /^FDSize:\s*(\d+)$/m.exec(libc.readFile("/proc/self/status"));
  if (size === null) throw new Error("/proc/self/status has no FDSize");
  for (let fd = 3; fd < Number(size[1]); fd++) yield fd;
}
