/**
 * The listeners that a failed use of a descriptor leaves open, or is closing.
 *
 * @module
 */

import type { Descriptor } from "../core/descriptor.ts";

/**
 * The listener that holds each released descriptor. `node:net` can't detach a
 * descriptor without closing it. So the listener stays open, and keeps the
 * connections that it accepts, until the descriptor is claimed again.
 */
export const parkedListeners: WeakMap<Descriptor, { close(): void }> =
  new WeakMap();

/** Listeners that are being closed, which takes a turn of the loop on Deno. */
const closing = new Set<Promise<unknown>>();

/** Remembers the promise of closing a listener until it is settled. */
export function trackClosing(closed: unknown): void {
  if (!(closed instanceof Promise)) return;
  const settled: Promise<unknown> = closed.catch(() => {}).finally(() =>
    closing.delete(settled)
  );
  closing.add(settled);
}

/** Resolves when all listeners that are being closed are closed. */
export async function listenersClosed(): Promise<void> {
  while (closing.size > 0) await Promise.all(closing);
}
