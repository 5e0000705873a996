/**
 * Ending a server without losing a request.
 *
 * A server that closes an idle connection can't know whether the client has
 * just sent a request on it (RFC 9112, 9.3). So it first stops accepting, tells
 * each client with the next response that the connection ends, and closes only
 * connections that have been silent since.
 *
 * @module
 */

import type { ClosableWebSocket } from "../core/types.ts";
import type { GracefulServer } from "../runtime/backend.ts";
import { Deadline, delay } from "../runtime/timers.ts";
import { shutdownTimes } from "./times.ts";
import { closeWebSockets } from "./web_sockets.ts";

/**
 * Drains a server: all accepted requests are answered, unless that takes too
 * long.
 *
 * @param timeoutMs Time after which all that is still open is closed.
 * @param webSockets The open WebSockets, beside those that the server knows.
 */
export async function drain(
  server: GracefulServer,
  timeoutMs: number,
  webSockets: Iterable<ClosableWebSocket>,
): Promise<void> {
  const deadline = new Deadline(timeoutMs);
  const progress = { isServerClosed: false, isOver: false };
  const closeServer = async () => {
    await waitForSilence(server, deadline);
    await server.closeGracefully();
    progress.isServerClosed = true;
  };
  const closeGracefully = async () => {
    server.pause();
    server.closeConnectionsAfterResponses();
    server.context?.beginShutdown();
    await Promise.all([
      closeWebSockets(allOf(server, webSockets), progress),
      closeServer(),
    ]);
  };
  try {
    await Promise.race([closeGracefully(), deadline.reached]);
  } finally {
    progress.isOver = true;
    deadline.cancel();
    // Also after the last response: a WebSocket may still be open.
    server.closeAllConnections();
  }
  await server.closed?.();
}

/** Iterates over the WebSockets that are open at the time. */
function allOf(
  server: GracefulServer,
  webSockets: Iterable<ClosableWebSocket>,
): Iterable<ClosableWebSocket> {
  return {
    *[Symbol.iterator]() {
      yield* webSockets;
      yield* server.webSockets ?? [];
    },
  };
}

/** Waits until no request has arrived for a while, or the deadline. */
async function waitForSilence(
  server: GracefulServer,
  deadline: Deadline,
): Promise<void> {
  const times = shutdownTimes;
  let { totalRequests } = server;
  let quiet = 0;
  for (
    let tick = 0;
    tick < times.maxQuietTicks && quiet < times.quietTicks;
    tick++
  ) {
    // Wait first: a connection that is being accepted is visible only afterwards.
    await delay(times.tickMs);
    const open = server.connections();
    if (deadline.isReached || open?.count === 0) return;
    quiet++;
    if (server.totalRequests !== totalRequests || open?.hasInput) {
      totalRequests = server.totalRequests;
      quiet = 0;
    }
  }
}
