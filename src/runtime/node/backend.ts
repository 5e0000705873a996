/**
 * The portable path: `node:http` and `node:net`, on every runtime.
 *
 * @module
 */

import type { OpenConnections } from "../../linux/connections.ts";
import type * as http from "node:http";
import { type Acceptor, openAll } from "./acceptor.ts";
import { attach, type Attached } from "./server_binding.ts";
import type { Backends, FetchBackend, StreamBackend } from "../backend.ts";
import { builtin } from "../builtin.ts";
import type { Drainable } from "../../shutdown/drain.ts";
import { fetchListener } from "../http/fetch_listener.ts";
import { HttpConnections } from "../http/http_connections.ts";
import { toConnection } from "./connection.ts";

/** Servers of `node:http`, and listeners of `node:net`. */
export const portable: Backends = {
  async serve(runtime, endpoints, { handler, onError }, doing) {
    const listener = await fetchListener(handler, onError);
    const server = builtin("node:http").createServer();
    const connections = new HttpConnections();
    server.on("connection", (socket) => connections.add(socket));
    server.on("request", (request, response) => {
      runtime.prepareRequest?.(request);
      response.once("close", () => drop(request));
      connections.track(request, response);
      listener(request, response);
    });
    // Of one connection attempt (too many open files, say): the others go on.
    server.on("error", () => {});
    const attached = await attach(
      runtime,
      server,
      endpoints,
      // Stopping to accept would close idle connections at once.
      false,
      doing,
    );
    return {
      addresses: attached.addresses,
      server: new DrainableHttpServer(
        "descriptor" in endpoints[0],
        connections,
        attached,
      ),
      ref: () => void server.ref(),
      unref: () => void server.unref(),
    } satisfies FetchBackend;
  },
  async listen(runtime, endpoints, doing) {
    const options = { allowHalfOpen: true };
    const acceptors = await openAll(runtime, endpoints, options, doing);
    return acceptors.map(toBackend);
  },
};

function toBackend(acceptor: Acceptor): StreamBackend {
  const open = new Set<unknown>();
  return {
    address: acceptor.address,
    attach: (onConnection) =>
      acceptor.attach((socket) => {
        open.add(socket);
        socket.once("close", () => open.delete(socket));
        onConnection(toConnection(socket, acceptor.address));
      }),
    close: () => acceptor.close(),
    isBusy: () => open.size > 0,
    ref: () => acceptor.ref(),
    unref: () => acceptor.unref(),
  };
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

/** A server of `node:http` whose connections are known. */
export class DrainableHttpServer implements Drainable {
  readonly isInherited: boolean;
  readonly #connections: HttpConnections;
  readonly #attached: Attached;

  /**
   * @param isInherited Whether its sockets were handed over.
   * @param connections Its connections.
   * @param attached How to stop accepting.
   */
  constructor(
    isInherited: boolean,
    connections: HttpConnections,
    attached: Attached,
  ) {
    this.isInherited = isInherited;
    this.#connections = connections;
    this.#attached = attached;
  }

  detach(): void {
    this.#attached.detach();
  }

  get begun(): number {
    return this.#connections.begun;
  }

  announce(): void {
    this.#connections.announce();
  }

  connections(): OpenConnections {
    return { count: this.#connections.count, hasInput: false };
  }

  end(): Promise<void> {
    return this.#connections.end();
  }

  cut(): void {
    this.#connections.destroy();
    this.#attached.finish();
  }
}
