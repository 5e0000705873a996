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
  #announcing = false;
  #ending = false;
  /** How many requests have begun since the start. */
  begun = 0;

  constructor() {
    this.#ended = new Promise((resolve) => this.#resolveEnded = resolve);
  }

  /** Notes a connection until it is gone. */
  add(socket: net.Socket): Set<http.ServerResponse> {
    const due = new Set<http.ServerResponse>();
    this.#due.set(socket, due);
    socket.once("close", () => {
      this.#due.delete(socket);
      this.#settle();
    });
    return due;
  }

  /** How many connections are open. */
  get count(): number {
    return this.#due.size;
  }

  /** Notes a request until its answer is sent, or its connection is gone. */
  track(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { socket } = request;
    const due = this.#due.get(socket) ?? this.add(socket);
    this.begun++;
    due.add(response);
    if (this.#announcing) announceEnd(response);
    let isLast = false;
    // Only now: the program may have set another header meanwhile.
    response.once("finish", () => isLast = isAnnounced(response));
    response.once("close", () => {
      due.delete(response);
      if (due.size === 0 && (isLast || this.#ending)) endSoon(socket);
    });
  }

  /** Tells clients, with each answer, to send nothing more on the connection. */
  announce(): void {
    this.#announcing = true;
    for (const due of this.#due.values()) {
      for (const response of due) announceEnd(response);
    }
  }

  /** Ends each connection after the answers that are due on it. */
  end(): Promise<void> {
    this.announce();
    this.#ending = true;
    for (const [socket, due] of this.#due) {
      if (due.size === 0) endSoon(socket);
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

function isAnnounced(response: http.ServerResponse): boolean {
  return response.getHeader("connection") === "close";
}

/** Ends our side, and the connection a moment later if the peer doesn't. */
function endSoon(socket: net.Socket): void {
  if (socket.destroyed) return;
  socket.end();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
}
