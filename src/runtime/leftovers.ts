/**
 * What a failed use of a descriptor leaves behind.
 *
 * @module
 */

import type { Descriptor } from "../core/descriptor.ts";

/**
 * The listener that holds each released descriptor. `node:net` can't let go of a
 * descriptor without closing it, so the listener stays, with the connections
 * that it accepts meanwhile, until the descriptor is claimed again.
 */
export const parkedListeners: WeakMap<Descriptor, { close(): void }> =
  new WeakMap();

/** Closing a listener takes a turn of the event loop on Deno. */
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
