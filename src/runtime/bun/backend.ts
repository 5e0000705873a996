/**
 * The neutral `serve` and `listen` on Bun's own servers.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import type { Connection, ServeInfo } from "../../core/types.ts";
import { createListeners } from "../adoption/create_listeners.ts";
import type { Backend, ConnectionListener } from "../backend.ts";
import { guard, LazyInfo } from "../http/fetch_handler.ts";
import { inetAddress } from "../socket_address.ts";
import { boundAddress, type BunSocket, BunStreams } from "./connection.ts";
import { type BunAddress, bunFunctions } from "./functions.ts";
import { createBunListener } from "./listeners.ts";
import { BunServers } from "./server.ts";

/** What the handler of `Bun.serve` is given beside the request. */
interface RequestServer {
  requestIP(request: Request): BunAddress | null;
}

/** `Bun.serve` and `Bun.listen`. */
export const bunBackend: Backend = {
  name: "bun",
  serve(platform, source, handler, onError, action) {
    const { answer, answerError } = guard(handler, onError);
    // Reading the client's address takes a while, so it is read early only for a
    // handler that takes it. Bun forgets it with the response.
    const toInfo = handler.length > 1
      ? readBunInfo
      : (request: Request, server: RequestServer) =>
        new LazyInfo(() => readBunInfo(request, server));
    const options = {
      // As on the other runtimes: no limits and no error page of Bun's own.
      development: false,
      idleTimeout: 0,
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: (request: Request, server: RequestServer) =>
        answer(request, toInfo(request, server)),
      // Answers what Bun itself rejects in a response.
      error: answerError,
    };
    return BunServers.create(platform, source, options, action);
  },
  listen(platform, source, action) {
    const functions = bunFunctions();
    const accepted: AcceptedSockets[] = [];
    const { listeners, sockets } = createListeners(
      platform,
      source,
      "stream-listener",
      {
        create(bindTo, inherited) {
          const own = new AcceptedSockets(inherited);
          accepted.push(own);
          return createBunListener(functions, bindTo, inherited, {
            allowHalfOpen: true,
            socket: own.handlers,
          });
        },
        close: (listener) => listener.stop(true),
      },
      action,
    );
    return listeners.map((listener, index): ConnectionListener => ({
      address: source.kind === "inherited"
        ? sockets.addresses[index]
        : boundAddress(listener as object, source.address),
      attach: (onConnection) => accepted[index]!.attach(onConnection),
      close: () => listener.stop(),
      hasConnections: () => sockets.mayHaveConnections(),
      ref: () => listener.ref(),
      unref: () => listener.unref(),
    }));
  },
};

function readBunInfo(request: Request, server: RequestServer): ServeInfo {
  const client = server.requestIP(request);
  return { remoteAddress: inetAddress(client?.address, client?.port) };
}

/** A socket with the streams that were created for it. */
type AcceptedSocket = BunSocket & { data: BunStreams };

/** The sockets that a listener accepts. */
class AcceptedSockets {
  readonly #local: Address | undefined;
  readonly #waiting: Connection[] = [];
  #onConnection: ((connection: Connection) => void) | undefined;

  constructor(local: Address | undefined) {
    this.#local = local;
  }

  attach(onConnection: (connection: Connection) => void): void {
    this.#onConnection = onConnection;
    for (const connection of this.#waiting.splice(0)) onConnection(connection);
  }

  readonly handlers: object = {
    open: (socket: AcceptedSocket) => {
      socket.data = new BunStreams();
      const connection = socket.data.open(socket, this.#local);
      if (this.#onConnection === undefined) this.#waiting.push(connection);
      else this.#onConnection(connection);
    },
    data: (socket: AcceptedSocket, data: Uint8Array) =>
      socket.data.handlers.data(socket, data),
    drain: (socket: AcceptedSocket) => socket.data.handlers.drain(socket),
    end: (socket: AcceptedSocket) => socket.data.handlers.end(socket),
    error: (socket: AcceptedSocket, error: Error) =>
      socket.data.handlers.error(socket, error),
    close: (socket: AcceptedSocket, error?: Error) =>
      socket.data.handlers.close(socket, error),
  };
}
