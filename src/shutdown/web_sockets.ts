/**
 * Ending WebSockets: they would hold a server for as long as their clients like.
 *
 * @module
 */

import type { ClosableWebSocket } from "../core/types.ts";
import { delay } from "./timers.ts";
import { shutdownTimes } from "./times.ts";

/** "Going away", see RFC 6455, 7.4.1. */
const GOING_AWAY = 1001;

const CLOSED = 3;

/**
 * Tells the clients of WebSockets that the server goes away, and waits a moment
 * for them to close.
 */
export async function closeWebSockets(
  webSockets: Iterable<ClosableWebSocket>,
): Promise<void> {
  let open = [...webSockets];
  for (const each of open) {
    try {
      each.close(GOING_AWAY, "The server is going away");
    } catch {
      // Not open yet, or already closed.
    }
  }
  const { tickMs, webSocketCloseMs } = shutdownTimes;
  for (let waited = 0; waited < webSocketCloseMs; waited += tickMs) {
    open = open.filter(({ readyState }) => readyState !== CLOSED);
    if (open.length === 0) return;
    await delay(tickMs);
  }
}
