/**
 * Servers of `node:http`, `node:https`, `node:http2`, `node:tls` and `node:net`
 * that a program has created itself, on the sockets of a name.
 *
 * @module
 */

import type * as http from "node:http";
import type * as http2 from "node:http2";
import type * as net from "node:net";
import type { Address } from "../../core/address.ts";
import type { OpenConnections } from "../../linux/connections.ts";
import { waitAtMost } from "../timers.ts";
import type { GracefulServer } from "../backend.ts";
import { builtin } from "../builtin.ts";
import type { ListenSource, Platform } from "../platform.ts";
import { requestHook } from "../http/request_hook.ts";
import { Http2Sessions } from "./http2_sessions.ts";
import { HttpConnections } from "./http_connections.ts";
import type { DescriptorOptions } from "./listen.ts";
import { ServerBinding } from "./server_binding.ts";

/** Time that the `close` event may take after all connections are closed. */
const CLOSE_EVENT_MS = 1000;

/** A server of the program, which has no connections yet. */
export class NodeServer implements GracefulServer {
  readonly #server: net.Server;
  readonly #binding: ServerBinding;
  /** `other`: without requests, such as `node:net` and `node:tls`. */
  readonly #protocol: "http1" | "http2" | "other";
  #addresses: readonly (Address | undefined)[] = [];
  #isInherited = false;
  /** The open connections. */
  readonly #sockets = new Set<net.Socket>();
  /** The connections that are known to speak HTTP/1. */
  #http1: HttpConnections;
  readonly #http2 = new Http2Sessions();
  /** The last request of each connection of HTTP/1, and its response. */
  readonly #last = new Map<
    net.Socket,
    readonly [http.IncomingMessage, http.ServerResponse]
  >();
  #closesConnections = false;
  #totalRequests = 0;
  #ended: Promise<unknown> = Promise.resolve();
  #onAllClosed: (() => void) | undefined;

  constructor(server: net.Server) {
    this.#server = server;
    this.#binding = new ServerBinding(server);
    this.#protocol = protocolOf(server);
    this.#http1 = new HttpConnections(server);
    // The program may also make the server listen without this library.
    server.on("listening", () => this.#startAgain());
    server.on("connection", (socket: net.Socket) => this.#add(socket));
    if (this.#protocol !== "other") {
      // With TLS, requests arrive on another socket after the handshake.
      const event = isTls(server) ? "secureConnection" : "connection";
      server.on(event, (socket: net.Socket) => this.#addHttp(socket));
    }
    server.on("session", (session: http2.ServerHttp2Session) => {
      this.#http2.add(session);
    });
    for (const event of ["request", "checkContinue", "checkExpectation"]) {
      // Any listener for the other two events changes what the server does.
      if (event !== "request" && server.listenerCount(event) === 0) continue;
      // Before the program's own, which may answer at once.
      server.prependListener(event, this.#onRequest);
    }
  }

  /**
   * Makes the server listen on all sockets, or none.
   *
   * @param takesDescriptors Whether the server itself can listen on a
   * descriptor.
   */
  async listen(
    platform: Platform,
    source: ListenSource,
    takesDescriptors: boolean,
    action: string,
  ): Promise<void> {
    this.#startAgain();
    this.#addresses = await this.#binding.listen(
      platform,
      source,
      takesDescriptors,
      action,
    );
    this.#watch(source.kind === "inherited");
  }

  /**
   * Makes the server listen on all inherited sockets, or none, without waiting for
   * the event `listening`.
   *
   * @param listen Calls the server's own `listen()`.
   */
  listenNow(
    platform: Platform,
    source: ListenSource & { readonly kind: "inherited" },
    listen: (options: DescriptorOptions) => void,
    action: string,
  ): void {
    this.#startAgain();
    this.#addresses = this.#binding.listenNow(
      platform,
      source,
      listen,
      action,
    );
    this.#watch(true);
  }

  #watch(isInherited: boolean): void {
    this.#isInherited = isInherited;
    this.#ended = new Promise((resolve) => this.#server.once("close", resolve));
  }

  /** Forgets an earlier drain. */
  #startAgain(): void {
    if (!this.#closesConnections) return;
    this.#closesConnections = false;
    this.#http1 = new HttpConnections(this.#server);
  }

  get addresses(): readonly (Address | undefined)[] {
    return this.#addresses;
  }

  get isInherited(): boolean {
    return this.#isInherited;
  }

  get totalRequests(): number {
    return this.#totalRequests;
  }

  /** Resolves with the server's `close` event. */
  get ended(): Promise<unknown> {
    return this.#ended;
  }

  pause(): void {
    this.#binding.pause();
  }

  closeConnectionsAfterResponses(): void {
    this.#closesConnections = true;
    for (const [request, response] of this.#last.values()) {
      if (!response.writableFinished) this.#http1.track(request, response);
    }
    this.#last.clear();
    this.#http1.closeConnectionsAfterResponses();
  }

  connections(): OpenConnections {
    return { count: this.#sockets.size, hasInput: false };
  }

  async closeGracefully(): Promise<void> {
    this.#http2.closeGracefully();
    if (this.#protocol !== "other") {
      for (const socket of this.#sockets) {
        // A client that has not even begun to set up TLS.
        if (socket.bytesRead === 0) socket.destroy();
      }
    }
    await this.#http1.closeGracefully();
    // The socket of a session is open until all was sent, unlike the session.
    if (this.#sockets.size === 0) return;
    await new Promise<void>((resolve) => this.#onAllClosed = resolve);
  }

  closeAllConnections(): void {
    this.#http1.destroy();
    this.#http2.destroy();
    for (const socket of this.#sockets) socket.destroy();
    this.#binding.finish();
  }

  /** Waits for `close`, so that a server that listens again doesn't get it. */
  async closed(): Promise<void> {
    await waitAtMost(CLOSE_EVENT_MS, this.#ended);
  }

  ref(): void {
    this.#server.ref();
  }

  unref(): void {
    this.#server.unref();
  }

  #add(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#onAllClosed?.();
    });
  }

  /** Tracks a connection that doesn't speak HTTP/2. */
  #addHttp(
    socket: net.Socket & { alpnProtocol?: string | false | null },
  ): void {
    const isHttp2 = this.#protocol === "http2" &&
      (!isTls(this.#server) || socket.alpnProtocol === "h2");
    if (!isHttp2) this.#http1.add(socket);
  }

  readonly #onRequest = (
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): void => {
    this.#totalRequests++;
    requestHook.call?.();
    // HTTP/2 has no such header; its sessions learn it from GOAWAY.
    if (request.httpVersionMajor > 1) return;
    if (this.#closesConnections) {
      this.#http1.track(request, response);
      return;
    }
    // Before a drain, keep only the last request of a connection: that is cheap.
    const { socket } = request;
    if (!this.#last.has(socket)) {
      socket.once("close", () => this.#last.delete(socket));
    }
    this.#last.set(socket, [request, response]);
  };
}

function protocolOf(server: net.Server): "http1" | "http2" | "other" {
  // The classes of node:http2 are not public.
  if ("updateSettings" in server) return "http2";
  // To load modules for their classes takes milliseconds: only for a server that
  // seems to be one of them.
  if (!("closeIdleConnections" in server)) return "other";
  return server instanceof builtin("node:http").Server ||
      server instanceof builtin("node:https").Server
    ? "http1"
    : "other";
}

function isTls(server: net.Server): boolean {
  // Most are servers of node:http itself, which are spared loading node:https.
  const { Server } = builtin("node:http");
  if (Object.getPrototypeOf(server) === Server.prototype) return false;
  return server instanceof builtin("node:tls").Server ||
    server instanceof builtin("node:https").Server;
}
