/**
 * Permission bits of new paths. The umask sets them while the path is created: a
 * later `chmod(2)` would leave a gap, and would follow a link that another user
 * put in the path's place.
 *
 * @module
 */

import process from "node:process";

/** Permission bits that a umask applies to. */
const PERMISSIONS = 0o777;

/**
 * Sets the umask so that a new path gets permission bits.
 *
 * @param mode Without it, the umask is unchanged.
 * @returns Restores the umask.
 */
export function setUmask(mode: number | undefined): () => void {
  if (mode === undefined) return () => {};
  const umask = process.umask(~mode & PERMISSIONS);
  return () => void process.umask(umask);
}

/** Creates a path with permission bits, in the same turn of the event loop. */
export function withMode<T>(mode: number | undefined, create: () => T): T {
  const restore = setUmask(mode);
  try {
    return create();
  } finally {
    restore();
  }
}
