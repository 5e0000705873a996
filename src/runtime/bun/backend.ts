/**
 * The neutral `serve` and `listen` on Bun's own servers.
 *
 * @module
 */

import { type Address, inetAddress } from "../../core/address.ts";
import type { Connection } from "../../core/types.ts";
import { createListeners } from "../adoption/create_listeners.ts";
import type { Backend, ConnectionListener } from "../backend.ts";
import { guard } from "../http/fetch_handler.ts";
import { RequestInfo } from "../http/serve_info.ts";
import { boundAddress, type BunSocket, BunStreams } from "./connection.ts";
import { bunFunctions, type BunServer } from "./functions.ts";
import { createBunListener } from "./listeners.ts";
import { BunServers } from "./server.ts";

/** `Bun.serve` and `Bun.listen`. */
export const bunBackend: Backend = {
  name: "bun",
  serve(platform, source, handler, onError, context, action) {
    const { answer, answerError } = guard(handler, onError);
    // Reading the client's address takes a while, so it is read early only for a
    // handler that takes it. Bun forgets it with the response.
    const toInfo = handler.length > 1
      ? (request: Request, server: BunServer) =>
        new RequestInfo(context, clientAddress(request, server), server)
      : (request: Request, server: BunServer) =>
        new RequestInfo(context, () => clientAddress(request, server), server);
    const options = {
      // As on the other runtimes: no limits and no error page of Bun's own.
      development: false,
      idleTimeout: 0,
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: (request: Request, server: BunServer) =>
        answer(request, toInfo(request, server)),
      // Answers what Bun itself rejects in a response.
      error: answerError,
    };
    return BunServers.create(platform, source, options, action, context);
  },
  listen(platform, source, action) {
    const functions = bunFunctions();
    const accepted: ReturnType<typeof acceptSockets>[] = [];
    const { listeners, sockets } = createListeners(
      platform,
      source,
      "stream-listener",
      {
        create(bindTo, inherited) {
          const own = acceptSockets(inherited);
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
        : boundAddress(listener, source.address, platform.libc()),
      attach: accepted[index]!.attach,
      close: () => listener.stop(),
      hasConnections: () => sockets.mayHaveConnections(),
      ref: () => listener.ref(),
      unref: () => listener.unref(),
    }));
  },
};

function clientAddress(
  request: Request,
  server: BunServer,
): Address | undefined {
  const client = server.requestIP(request);
  return inetAddress(client?.address, client?.port);
}

/** Collects the sockets of a listener until a function takes them. */
function acceptSockets(local: Address | undefined): {
  readonly handlers: object;
  readonly attach: ConnectionListener["attach"];
} {
  const waiting: Connection[] = [];
  let onConnection = (connection: Connection): void => {
    waiting.push(connection);
  };
  const handlersOf = ({ data }: BunSocket) => data!.handlers;
  return {
    attach(take) {
      onConnection = take;
      for (const connection of waiting.splice(0)) take(connection);
    },
    handlers: {
      open(socket: BunSocket) {
        socket.data = new BunStreams();
        onConnection(socket.data.open(socket, local));
      },
      data: (socket: BunSocket, data: Uint8Array) =>
        handlersOf(socket).data(socket, data),
      drain: (socket: BunSocket) => handlersOf(socket).drain(socket),
      end: (socket: BunSocket) => handlersOf(socket).end(socket),
      error: (socket: BunSocket, error: Error) =>
        handlersOf(socket).error(socket, error),
      close: (socket: BunSocket, error?: Error) =>
        handlersOf(socket).close(socket, error),
    },
  };
}
