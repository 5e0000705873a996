/**
 * Draining servers of `node:http`, `node:https`, `node:http2`, `node:tls` and
 * `node:net` that a program has made itself.
 *
 * @module
 */

import type * as http from "node:http";
import type * as http2 from "node:http2";
import type * as net from "node:net";
import type { OpenConnections } from "../../linux/connections.ts";
import type { Attached } from "./server_binding.ts";
import { builtin } from "../builtin.ts";
import { type Drainable, Limit } from "../../shutdown/drain.ts";
import { HttpConnections } from "../http/http_connections.ts";

/** Which protocol a server speaks, as far as it matters here. */
type Protocol = "http1" | "http2" | "other";

/** How long the `close` event may take where all connections are cut. */
const CLOSE_MS = 1000;

/** A server with its connections, which it must not have any of yet. */
export class DrainableNodeServer implements Drainable {
  readonly #server: net.Server;
  #isInherited = false;
  readonly #protocol: Protocol;
  /** All that are open. */
  readonly #sockets = new Set<net.Socket>();
  /** Those that speak HTTP/1, as far as that is known. */
  #http1 = new HttpConnections();
  readonly #sessions = new Set<http2.ServerHttp2Session>();
  #attached: Attached | undefined;
  /** The last request of each connection of HTTP/1, and its answer. */
  readonly #last = new Map<
    net.Socket,
    readonly [http.IncomingMessage, http.ServerResponse]
  >();
  #isAnnouncing = false;
  #begun = 0;
  /** Resolves with the server's `close` event. */
  #ended: Promise<unknown> = Promise.resolve();
  #closed: (() => void) | undefined;

  /**
   * Begins to watch a server.
   *
   * @param server The server.
   */
  constructor(server: net.Server) {
    this.#server = server;
    this.#protocol = protocolOf(server);
    // Also where the program makes it listen itself, without this library.
    server.on("listening", () => this.begin());
    server.on("connection", (socket: net.Socket) => this.#add(socket));
    if (this.#protocol === "http1") {
      // A connection for TLS is another one when it is set up.
      const event = isTls(server) ? "secureConnection" : "connection";
      server.on(event, (socket: net.Socket) => void this.#http1.add(socket));
    }
    server.on("session", (session: http2.ServerHttp2Session) => {
      this.#sessions.add(session);
      session.once("close", () => this.#sessions.delete(session));
    });
    for (const event of ["request", "checkContinue", "checkExpectation"]) {
      // A listener changes what the server does with the latter two.
      if (event !== "request" && server.listenerCount(event) === 0) continue;
      // Before the program's own, which may answer at once.
      server.prependListener(event, this.#onRequest);
    }
  }

  /** Begins anew with a server that was drained, before it listens again. */
  begin(): void {
    if (!this.#isAnnouncing) return;
    this.#isAnnouncing = false;
    this.#http1 = new HttpConnections();
  }

  /**
   * Tells that it listens.
   *
   * @param attached Where, and how to end that.
   * @param isInherited Whether its sockets were handed over.
   */
  attached(attached: Attached, isInherited: boolean): void {
    this.#attached = attached;
    this.#isInherited = isInherited;
    this.#ended = new Promise((resolve) => this.#server.once("close", resolve));
  }

  /** Resolves with the server's `close` event. */
  get ended(): Promise<unknown> {
    return this.#ended;
  }

  get isInherited(): boolean {
    return this.#isInherited;
  }

  get begun(): number {
    return this.#begun;
  }

  detach(): void {
    this.#attached?.detach();
  }

  announce(): void {
    this.#isAnnouncing = true;
    for (const [request, response] of this.#last.values()) {
      if (!response.writableFinished) this.#http1.track(request, response);
    }
    this.#last.clear();
    this.#http1.announce();
  }

  connections(): OpenConnections {
    return { count: this.#sockets.size, hasInput: false };
  }

  async end(): Promise<void> {
    const sessions = [...this.#sessions].map((session) => {
      const closed = new Promise((resolve) => session.once("close", resolve));
      // Sends GOAWAY, and ends after the streams that are open.
      session.close();
      return closed;
    });
    await Promise.all([this.#http1.end(), ...sessions]);
    if (this.#protocol !== "other") {
      // No request came on what is left: a client that has not even set up TLS.
      for (const socket of this.#sockets) socket.destroy();
    }
    if (this.#sockets.size === 0) return;
    await new Promise<void>((resolve) => this.#closed = resolve);
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#attached?.finish();
  }

  /** The event must not be taken for one of the server when it listens again. */
  async settled(): Promise<void> {
    const limit = new Limit(CLOSE_MS);
    await Promise.race([this.#ended, limit.reached]);
    limit.clear();
  }

  #add(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#closed?.();
    });
  }

  readonly #onRequest = (
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): void => {
    this.#begun++;
    // HTTP/2 has no such header; its sessions are told when they end.
    if (request.httpVersionMajor > 1) return;
    if (this.#isAnnouncing) return this.#http1.track(request, response);
    // All that a request costs until draining begins: the last of each connection.
    const { socket } = request;
    if (!this.#last.has(socket)) {
      socket.once("close", () => this.#last.delete(socket));
    }
    this.#last.set(socket, [request, response]);
  };
}

function protocolOf(server: net.Server): Protocol {
  // Of node:http2, no class is public.
  if ("updateSettings" in server) return "http2";
  const { Server } = builtin("node:http");
  return server instanceof Server ||
      server instanceof builtin("node:https").Server
    ? "http1"
    : "other";
}

function isTls(server: net.Server): boolean {
  return server instanceof builtin("node:tls").Server ||
    server instanceof builtin("node:https").Server;
}
