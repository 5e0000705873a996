/**
 * Ending a server without losing a request.
 *
 * A server that closes an idle connection can't know whether the client has
 * just sent a request on it (RFC 9112, 9.3). So it first stops accepting, tells
 * each client with its next answer that the connection ends there, and closes
 * only what has been silent since.
 *
 * @module
 */

import type { OpenConnections } from "../linux/connections.ts";
import type { ClosableWebSocket } from "../core/types.ts";
import { shutdownTimes } from "./times.ts";
import { closeWebSockets } from "./web_sockets.ts";

/** A server that can be ended in steps. */
export interface Drainable {
  /** Whether its sockets were handed over. */
  readonly isInherited: boolean;
  /** Accepts nothing more; what comes waits for whoever listens next. */
  detach(): void;
  /** Undoes that, where it can be undone. */
  attach?(): void;
  /** Whether a connection waits to be accepted, where that can be told. */
  isWaiting?(): boolean;
  /** Tells clients, with each answer, to send nothing more on the connection. */
  announce(): void;
  /** How many requests have begun since the start. */
  readonly begun: number;
  /** What is known of the open connections. */
  connections(): OpenConnections | undefined;
  /** Ends idle connections, and the others after their answers. */
  end(): Promise<void>;
  /** Ends all that is left at once. */
  cut(): void;
  /** Resolves after that when nothing more will come of it. */
  settled?(): Promise<void>;
}

/**
 * Drains a server: all that was accepted is answered, unless it takes too long.
 *
 * @param server The server.
 * @param timeout After how many milliseconds what is left is cut off.
 * @param webSockets Those that are open.
 */
export async function drain(
  server: Drainable,
  timeout: number,
  webSockets: Iterable<ClosableWebSocket>,
): Promise<void> {
  const limit = new Limit(timeout);
  server.detach();
  server.announce();
  const end = async () => {
    const closed = closeWebSockets(webSockets);
    await silence(server, limit);
    await Promise.all([server.end(), closed]);
  };
  await Promise.race([end(), limit.reached]);
  limit.clear();
  // Also where all is answered: a WebSocket may not have closed.
  server.cut();
  await server.settled?.();
}

/** Waits until no more requests are to be expected. */
async function silence(server: Drainable, limit: Limit): Promise<void> {
  let { begun } = server;
  let quiet = 0;
  for (
    let tick = 0;
    tick < shutdownTimes.maxQuietTicks && quiet < shutdownTimes.quietTicks;
    tick++
  ) {
    // First: what was being accepted just then shows only after that.
    await new Promise((resolve) => setTimeout(resolve, shutdownTimes.tickMs));
    const open = server.connections();
    if (limit.isReached || open?.count === 0) return;
    quiet++;
    if (server.begun !== begun || open?.hasInput) {
      begun = server.begun;
      quiet = 0;
    }
  }
}

/** The longest delay that `setTimeout` takes. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** A time that may come to an end. */
export class Limit {
  readonly reached: Promise<void>;
  isReached = false;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(timeout: number) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.reached = promise;
    this.#timer = setTimeout(() => {
      this.isReached = true;
      resolve();
    }, Math.min(timeout, MAX_DELAY_MS));
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
