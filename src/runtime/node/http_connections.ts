/**
 * Which connections of an `http.Server` have a request in flight, so that a
 * server can stop without losing one.
 *
 * `http.Server.close` would do for a server that listens itself, but it leaves a
 * connection open that was busy when it was called, and doesn't know those that
 * were passed to the server as events.
 *
 * @module
 */

import type * as http from "node:http";
import type * as net from "node:net";

/**
 * Time that a peer has to close its side after the last response. Closing at
 * once could reset the connection before the response has arrived.
 */
const LINGER_MS = 1000;

/** The connections of one server. */
export class HttpConnections {
  /** The responses that are due on each connection. */
  readonly #due = new Map<net.Socket, Set<http.ServerResponse>>();
  readonly #ended: PromiseWithResolvers<void> = Promise.withResolvers();
  #closesConnections = false;
  #isEnding = false;
  /** Total number of requests received. */
  totalRequests = 0;

  /** Tracks a connection until it is closed. */
  add(socket: net.Socket): Set<http.ServerResponse> {
    const due = new Set<http.ServerResponse>();
    this.#due.set(socket, due);
    socket.once("close", () => {
      this.#due.delete(socket);
      this.#settle();
    });
    return due;
  }

  /** Number of open connections. */
  get count(): number {
    return this.#due.size;
  }

  /** Tracks a request until its response is sent or its connection is closed. */
  track(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { socket } = request;
    const due = this.#due.get(socket) ?? this.add(socket);
    this.totalRequests++;
    due.add(response);
    if (this.#closesConnections) announceClose(response);
    let isLast = false;
    // Read late, because the program may set another header meanwhile.
    response.once("finish", () => isLast = isCloseAnnounced(response));
    response.once("close", () => {
      due.delete(response);
      if (due.size === 0 && (isLast || this.#isEnding)) endSoon(socket);
    });
  }

  /** From now on, each response tells its client that the connection ends. */
  closeConnectionsAfterResponses(): void {
    this.#closesConnections = true;
    for (const due of this.#due.values()) {
      for (const response of due) announceClose(response);
    }
  }

  /** Ends each connection after the responses that are due on it. */
  closeGracefully(): Promise<void> {
    this.closeConnectionsAfterResponses();
    this.#isEnding = true;
    for (const [socket, due] of this.#due) {
      if (due.size === 0) endSoon(socket);
    }
    this.#settle();
    return this.#ended.promise;
  }

  /** Closes all connections at once. */
  destroy(): void {
    this.#isEnding = true;
    for (const socket of this.#due.keys()) socket.destroy();
    this.#settle();
  }

  #settle(): void {
    if (this.#isEnding && this.#due.size === 0) this.#ended.resolve();
  }
}

/** Tells the client that no request can follow on this connection. */
function announceClose(response: http.ServerResponse): void {
  if (!response.headersSent) response.setHeader("connection", "close");
}

function isCloseAnnounced(response: http.ServerResponse): boolean {
  return response.getHeader("connection") === "close";
}

/** Ends our side, and the connection a moment later if the peer doesn't. */
function endSoon(socket: net.Socket): void {
  if (socket.destroyed) return;
  socket.end();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
}
