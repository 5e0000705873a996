/**
 * Listeners that are being closed because adoption failed. Deno takes a turn of
 * the event loop for that.
 *
 * @module
 */

const closing = new Set<Promise<unknown>>();

/** Remembers the promise of closing a listener until it is settled. */
export function trackClosing(closed: unknown): void {
  if (!(closed instanceof Promise)) return;
  const settled: Promise<unknown> = closed.catch(() => {}).finally(() =>
    closing.delete(settled)
  );
  closing.add(settled);
}

/** Resolves when no listener is being closed, so that none is left behind. */
export async function listenersClosed(): Promise<void> {
  while (closing.size > 0) await Promise.all(closing);
}
