/**
 * Which connections of an `http.Server` have a request in flight, so that a
 * server can stop without losing one.
 *
 * `http.Server.close` would do for one that listens itself, but it leaves a
 * connection open that was busy when it was called, and doesn't know those that
 * were given to the server as events.
 *
 * @module
 */

import type * as http from "node:http";
import type * as net from "node:net";

/**
 * How long a peer has to close its side after the last answer. Closing at once
 * could reset the connection before the answer has arrived.
 */
const LINGER_MS = 1000;

/** The connections of one server. */
export class HttpConnections {
  /** The answers that are due on each connection. */
  readonly #due = new Map<net.Socket, Set<http.ServerResponse>>();
  readonly #ended: Promise<void>;
  #resolveEnded!: () => void;
  #ending = false;

  /** @param server The server; it has no connection yet. */
  constructor(server: http.Server) {
    this.#ended = new Promise((resolve) => this.#resolveEnded = resolve);
    server.on("connection", (socket: net.Socket) => {
      this.#due.set(socket, new Set());
      socket.once("close", () => {
        this.#due.delete(socket);
        this.#settle();
      });
    });
  }

  /** Notes a request until its answer is sent, or its connection is gone. */
  track(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { socket } = request;
    const due = this.#due.get(socket);
    due?.add(response);
    if (this.#ending) announceEnd(response);
    response.once("close", () => {
      drop(request);
      due?.delete(response);
      if (due?.size === 0 && this.#ending) endSoon(socket);
    });
  }

  /** Ends each connection after the answers that are due on it. */
  end(): Promise<void> {
    this.#ending = true;
    for (const [socket, due] of this.#due) {
      if (due.size === 0) endSoon(socket);
      for (const response of due) announceEnd(response);
    }
    this.#settle();
    return this.#ended;
  }

  /** Closes all connections at once. */
  destroy(): void {
    this.#ending = true;
    for (const socket of this.#due.keys()) socket.destroy();
    this.#settle();
  }

  #settle(): void {
    if (this.#ending && this.#due.size === 0) this.#resolveEnded();
  }
}

/** Tells the client that no request can follow on this connection. */
function announceEnd(response: http.ServerResponse): void {
  if (!response.headersSent) response.setHeader("connection", "close");
}

/**
 * Reads on to the end of a body that the handler left unread: the next request
 * comes behind it. `node:http` does so itself only for one that nobody began
 * to read.
 */
function drop(request: http.IncomingMessage): void {
  if (request.complete) return;
  request.removeAllListeners("data");
  request.resume();
}

/** Ends our side, and the connection a moment later if the peer doesn't. */
function endSoon(socket: net.Socket): void {
  if (socket.destroyed) return;
  socket.end();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
}
