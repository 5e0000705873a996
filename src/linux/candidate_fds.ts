/**
 * The numbers that a descriptor of this process can have.
 *
 * @module
 */

import type { Libc } from "../ffi/libc.ts";

/** The least size of a table of descriptors: as many bits as a word has. */
const MIN_TABLE_SIZE = 64;

/** Yields a likely number if there is one, and then all from 3 on. */
export function* candidateFds(
  libc: Libc,
  likelyFd?: number,
): Generator<number> {
  if (likelyFd !== undefined) yield likelyFd;
  // Almost always enough, without reading how large the table is.
  for (let fd = 3; fd < MIN_TABLE_SIZE; fd++) yield fd;
  const size = /^FDSize:\s*(\d+)$/m.exec(libc.readFile("/proc/self/status"));
  if (size === null) throw new Error("/proc/self/status has no FDSize");
  for (let fd = MIN_TABLE_SIZE; fd < Number(size[1]); fd++) yield fd;
}
