/**
 * Ending WebSockets: they would hold a server for as long as their clients like.
 *
 * @module
 */

import type { ClosableWebSocket } from "../core/types.ts";
import { delay } from "../runtime/timers.ts";
import { shutdownTimes } from "./times.ts";

/** "Going away", see RFC 6455, 7.4.1. */
const GOING_AWAY = 1001;

const CONNECTING = 0;
const CLOSED = 3;

/**
 * Tells the clients of WebSockets that the server goes away, also of those that
 * open meanwhile. What was queued is sent before the close frame, so that a slow
 * client has as long as the shutdown lasts.
 *
 * @param webSockets Read again and again.
 * @param progress `isOver` ends the wait; after `isServerClosed`, only the
 * WebSockets that were closed here are awaited.
 */
export async function closeWebSockets(
  webSockets: Iterable<ClosableWebSocket>,
  progress: { readonly isServerClosed: boolean; readonly isOver: boolean },
): Promise<void> {
  const notified = new Set<ClosableWebSocket>();
  while (!progress.isOver) {
    for (const each of webSockets) {
      if (notified.has(each) || each.readyState === CONNECTING) continue;
      notified.add(each);
      try {
        each.close(GOING_AWAY, "The server is going away");
      } catch {
        // Already closed.
      }
    }
    if (
      progress.isServerClosed &&
      [...notified].every(({ readyState }) => readyState === CLOSED)
    ) return;
    await delay(shutdownTimes.tickMs);
  }
}
