/**
 * The portable path: the neutral `serve` and `listen` on `node:http` and
 * `node:net`, on every runtime.
 *
 * @module
 */

import type * as http from "node:http";
import type { Address } from "../../core/address.ts";
import type { OpenConnections } from "../../linux/connections.ts";
import type {
  Backend,
  ConnectionListener,
  GracefulServer,
} from "../backend.ts";
import { builtin } from "../builtin.ts";
import type { ServerContext } from "../server_context.ts";
import { type Acceptor, openAcceptors, socketOptions } from "./acceptor.ts";
import { fromSocket } from "./connection.ts";
import {
  fetchListener,
  isConversionLoaded,
  loadConversion,
} from "./fetch_listener.ts";
import { hasFramedBody, HttpConnections } from "./http_connections.ts";

/** Servers of `node:http`, and listeners of `node:net`. */
export const nodeBackend: Backend = {
  name: "node",
  async serve(platform, source, handler, onError, context, action) {
    if (!isConversionLoaded()) await loadConversion();
    const { takeStaticBody } = platform;
    const listener = fetchListener(handler, onError, context, takeStaticBody);
    const server = builtin("node:http").createServer();
    const connections = new HttpConnections(server);
    context.server = server;
    server.on("connection", (socket) => connections.add(socket));
    server.on("request", (request, response) => {
      const isFramed = hasFramedBody(request);
      if (isFramed) {
        platform.fixRequestPause?.(request);
        response.once("close", () => discardBody(request));
      }
      const exchange = connections.track(request, response, isFramed);
      listener(request, response, exchange);
    });
    // An error of one connection attempt (too many open files, say) leaves the
    // server open.
    server.on("error", () => {});
    // The server doesn't listen itself, because stopping to accept would then
    // close idle connections at once.
    const acceptors = await openAcceptors(
      platform,
      source,
      socketOptions(server),
      action,
    );
    for (const acceptor of acceptors) {
      acceptor.attach((socket) => void server.emit("connection", socket));
    }
    // Deno closes idle connections of a server that doesn't seem to listen.
    Object.defineProperty(server, "listening", { value: true });
    // Starts the server's timers.
    server.emit("listening");
    const isInherited = source.kind === "inherited";
    return new PortableServer(
      isInherited,
      server,
      acceptors,
      connections,
      context,
    );
  },
  async listen(platform, source, action) {
    const options = { allowHalfOpen: true };
    const acceptors = await openAcceptors(platform, source, options, action);
    return acceptors.map(toListener);
  },
};

function toListener(acceptor: Acceptor): ConnectionListener {
  const open = new Set<unknown>();
  return {
    address: acceptor.address,
    attach: (onConnection) =>
      acceptor.attach((socket) => {
        open.add(socket);
        socket.once("close", () => open.delete(socket));
        onConnection(fromSocket(socket, acceptor.address));
      }),
    close: () => acceptor.close(),
    hasConnections: () => open.size > 0,
    ref: () => acceptor.ref(),
    unref: () => acceptor.unref(),
  };
}

/**
 * Discards the rest of a body that the handler left unread, because the next
 * request follows. `node:http` does so only for a body that no one began to read.
 */
function discardBody(request: http.IncomingMessage): void {
  if (request.complete) return;
  request.removeAllListeners("data");
  request.resume();
}

/** A server of `node:http` that gets its connections from acceptors. */
class PortableServer implements GracefulServer {
  readonly context: ServerContext;
  readonly isInherited: boolean;
  readonly addresses: readonly (Address | undefined)[];
  readonly #server: http.Server;
  readonly #close: http.Server["close"];
  readonly #acceptors: readonly Acceptor[];
  readonly #connections: HttpConnections;

  constructor(
    isInherited: boolean,
    server: http.Server,
    acceptors: readonly Acceptor[],
    connections: HttpConnections,
    context: ServerContext,
  ) {
    this.isInherited = isInherited;
    this.addresses = acceptors.map(({ address }) => address);
    this.#server = server;
    this.#close = server.close.bind(server);
    this.#acceptors = acceptors;
    this.#connections = connections;
    this.context = context;
  }

  get totalRequests(): number {
    return this.#connections.totalRequests;
  }

  pause(): void {
    for (const acceptor of this.#acceptors) acceptor.close();
  }

  closeConnectionsAfterResponses(): void {
    this.#connections.closeConnectionsAfterResponses();
  }

  connections(): OpenConnections {
    return { count: this.#connections.count, hasInput: false };
  }

  closeGracefully(): Promise<void> {
    return this.#connections.closeGracefully();
  }

  closeAllConnections(): void {
    this.#connections.destroy();
    // Stops the timers; the error says that the server doesn't listen.
    this.#close(() => {});
  }

  merge(stop: () => Promise<void>): void {
    const server = this.#server;
    server.close = (callback) => {
      stop().then(() => callback?.(), callback);
      return server;
    };
  }

  ref(): void {
    for (const acceptor of this.#acceptors) acceptor.ref();
  }

  unref(): void {
    for (const acceptor of this.#acceptors) acceptor.unref();
  }
}
