/**
 * The neutral `serve` and `listen` on Bun's own servers.
 *
 * @module
 */

import { isBusy } from "../adoption/listen_sockets.ts";
import type { Address } from "../../core/address.ts";
import type { Connection, ServeInfo } from "../../core/types.ts";
import type { Endpoint } from "../node/acceptor.ts";
import { Announcer } from "../http/request_tracker.ts";
import type { Backends, StreamBackend } from "../backend.ts";
import { type BunSocket, BunStreams } from "./connection.ts";
import { listenAt, ownMethods, serveAt } from "./listeners.ts";
import { DrainableBunServers, WatchedOptions } from "./server.ts";
import type {
  BunAddress,
  BunListener,
  BunServer,
  BunServers,
} from "./types.ts";
import { guard, LazyInfo } from "../http/fetch_handler.ts";
import { openNative } from "../adoption/native.ts";
import { inetAddress } from "../socket_address.ts";

/** What a request can be asked for. */
interface Asked {
  requestIP(request: Request): BunAddress | null;
}

/** `Bun.serve` and `Bun.listen`. */
export function bunBackends(bun: BunServers): Backends {
  return {
    async serve(runtime, endpoints, { handler, onError }, doing) {
      const { answer, answerError } = guard(handler, onError);
      // Only a handler that takes it needs the client's address: reading it
      // takes a while. It must be read before the answer: Bun forgets it then.
      const toInfo = handler.length > 1
        ? readInfo
        : (request: Request, server: Asked) =>
          new LazyInfo(() => readInfo(request, server));
      const announcer = new Announcer();
      const watched = new WatchedOptions(announcer);
      const given: object = {
        // As on the other runtimes: neither a limit nor a page of Bun's own.
        development: false,
        idleTimeout: 0,
        maxRequestBodySize: Number.MAX_SAFE_INTEGER,
        fetch: (request: Request, server: Asked) =>
          answer(request, toInfo(request, server)),
        // What Bun itself finds wrong with an answer.
        error: answerError,
      };
      const options = watched.watch(given);
      const opened = await openNative(runtime, endpoints, "stream-listener", {
        bind: (place) => serveAt(bun, place, options),
        close: (server) => server.stop(true),
      }, doing);
      const own = opened.listeners.map(ownMethods);
      const { inherited } = opened.sockets;
      return {
        server: new DrainableBunServers(opened, own, announcer, watched),
        addresses: opened.listeners.map((server, at) =>
          inherited[at] ?? toAddress(server, endpoints[at]!)
        ),
        ref: () => own.forEach((each) => each.ref()),
        unref: () => own.forEach((each) => each.unref()),
      };
    },
    async listen(runtime, endpoints, doing) {
      const made: AcceptedSockets[] = [];
      const opened = await openNative(runtime, endpoints, "stream-listener", {
        bind(place) {
          const accepted = new AcceptedSockets(place.inherited);
          made.push(accepted);
          return listenAt(bun, place, {
            allowHalfOpen: true,
            socket: accepted.handlers,
          });
        },
        close: (listener) => listener.stop(true),
      }, doing);
      const { inherited } = opened.sockets;
      return opened.listeners.map((listener, at): StreamBackend => ({
        address: inherited[at] ?? toAddress(listener, endpoints[at]!),
        attach: (onConnection) => made[at]!.attach(onConnection),
        close: () => listener.stop(),
        isBusy: () => isBusy(opened.sockets),
        ref: () => listener.ref(),
        unref: () => listener.unref(),
      }));
    },
  };
}

function readInfo(request: Request, server: Asked): ServeInfo {
  const client = server.requestIP(request);
  return { remoteAddress: inetAddress(client?.address, client?.port) };
}

/** The address of a server or listener that Bun has bound itself. */
function toAddress(
  bound: BunServer | BunListener,
  endpoint: Endpoint,
): Address | undefined {
  if ("path" in endpoint) return { kind: "unix", path: endpoint.path };
  const { hostname, port } = bound as { hostname?: string; port?: number };
  return inetAddress(hostname, port);
}

/** A socket, with what was made of it when it was accepted. */
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
    for (const each of this.#waiting.splice(0)) onConnection(each);
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
