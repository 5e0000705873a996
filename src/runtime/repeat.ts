/**
 * Repeating a check that no event announces.
 *
 * @module
 */

import { callLater } from "./timers.ts";

/** The interval after a check that found something. */
const MIN_INTERVAL_MS = 10;
/** The longest interval: the time that a problem lasts before it is noticed. */
const MAX_INTERVAL_MS = 250;

/**
 * Repeats a check until it returns `undefined`. The interval doubles while the
 * check returns `false`, so that a process at rest has little to do, and is the
 * shortest after it returns `true`. The checks don't keep the process.
 *
 * @param check Returns `true` if it found something, and `undefined` at the end.
 */
export function repeatCheck(check: () => boolean | undefined): void {
  let intervalMs = MAX_INTERVAL_MS;
  const run = () => {
    const isActive = check();
    if (isActive === undefined) return;
    intervalMs = isActive
      ? MIN_INTERVAL_MS
      : Math.min(2 * intervalMs, MAX_INTERVAL_MS);
    callLater(run, intervalMs);
  };
  callLater(run, intervalMs);
}
