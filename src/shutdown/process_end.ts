/**
 * Announcing that the process is going to end: a signal has arrived that all
 * servers shut down on, or all servers were idle.
 *
 * @module
 */

const listeners = new Set<() => void>();
let isAnnounced = false;

/** Whether the process is going to end. */
export function isProcessEnding(): boolean {
  return isAnnounced;
}

/** Calls a function when the process begins to end, at once if it has. */
export function onProcessEnd(listener: () => void): void {
  if (isAnnounced) listener();
  else listeners.add(listener);
}

/** Announces the end; the servers that drain have begun to. */
export function announceProcessEnd(): void {
  if (isAnnounced) return;
  isAnnounced = true;
  for (const listener of listeners) listener();
}
