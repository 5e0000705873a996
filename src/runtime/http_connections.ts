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

/** The connections of one server. */
export class HttpConnections {
  /** How many requests are in flight on each connection. */
  readonly #inFlight = new Map<net.Socket, number>();
  readonly #ended: Promise<void>;
  #resolveEnded!: () => void;
  #ending = false;

  /** @param server The server; it has no connection yet. */
  constructor(server: http.Server) {
    this.#ended = new Promise((resolve) => this.#resolveEnded = resolve);
    server.on("connection", (socket: net.Socket) => {
      this.#inFlight.set(socket, 0);
      socket.once("close", () => {
        this.#inFlight.delete(socket);
        this.#settle();
      });
    });
  }

  /** Counts a request until its response is sent, or its connection is gone. */
  track(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { socket } = request;
    this.#inFlight.set(socket, (this.#inFlight.get(socket) ?? 0) + 1);
    if (this.#ending) response.setHeader("connection", "close");
    response.once("close", () => {
      const left = (this.#inFlight.get(socket) ?? 1) - 1;
      if (this.#inFlight.has(socket)) this.#inFlight.set(socket, left);
      if (left === 0 && this.#ending) socket.end();
    });
  }

  /** Ends each connection after the requests that are in flight on it. */
  end(): Promise<void> {
    this.#ending = true;
    for (const [socket, requests] of this.#inFlight) {
      if (requests === 0) socket.end();
    }
    this.#settle();
    return this.#ended;
  }

  /** Closes all connections at once. */
  destroy(): void {
    this.#ending = true;
    for (const socket of this.#inFlight.keys()) socket.destroy();
    this.#settle();
  }

  #settle(): void {
    if (this.#ending && this.#inFlight.size === 0) this.#resolveEnded();
  }
}
