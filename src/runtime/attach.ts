/**
 * Putting a server of `node:net`, `node:tls`, `node:http` and the like onto
 * several endpoints, as one server.
 *
 * @module
 */

import type * as net from "node:net";
import type { Address } from "../core/address.ts";
import {
  type Acceptor,
  checkAll,
  type Endpoint,
  listenOn,
  openAll,
  type SocketOptions,
} from "./acceptor.ts";
import type { Runtime } from "./runtime.ts";

/** What `node:net` servers keep of the options they were made with. */
type ServerWithOptions = net.Server & Partial<SocketOptions>;

/**
 * Makes a server accept at all endpoints, all or none.
 *
 * A `net.Server` listens on one socket only. So the first endpoint is its own,
 * and the connections of the others are given to it as its `connection` events,
 * which Node documents for this use. Closing the server closes them all.
 *
 * @param runtime The runtime.
 * @param server The server; it doesn't listen yet.
 * @param endpoints Where it is to accept.
 * @param takesDescriptors Whether the server itself can listen on a descriptor;
 * if not, the connections of the first endpoint are given to it, too.
 * @param doing What is being done, to begin an error's message with.
 * @returns The address of each endpoint, where it can be told.
 */
export async function attach(
  runtime: Runtime,
  server: net.Server,
  endpoints: readonly [Endpoint, ...Endpoint[]],
  takesDescriptors: boolean,
  doing: string,
): Promise<(Address | undefined)[]> {
  const [first, ...rest] = endpoints;
  const options = socketOptions(server);
  checkAll(runtime, endpoints, doing);
  // The server's own socket comes last: closing that one would lose it.
  const acceptors = await openAll(
    runtime,
    takesDescriptors ? rest : endpoints,
    options,
    doing,
  );
  let own: (Address | undefined)[] = [];
  if (takesDescriptors) {
    try {
      own = [await listenOn(runtime, server, first, doing)];
    } catch (error) {
      for (const acceptor of acceptors) acceptor.park();
      throw error;
    }
  }
  closeTogether(server, first, acceptors);
  for (const acceptor of acceptors) {
    acceptor.attach((socket) => {
      server.emit("connection", socket);
    });
  }
  return [...own, ...acceptors.map((acceptor) => acceptor.address)];
}

function socketOptions(server: ServerWithOptions): SocketOptions {
  return {
    allowHalfOpen: server.allowHalfOpen ?? false,
    noDelay: server.noDelay,
    keepAlive: server.keepAlive,
    keepAliveInitialDelay: server.keepAliveInitialDelay,
    pauseOnConnect: server.pauseOnConnect,
  };
}

/** Makes `close`, `ref` and `unref` of the server mean all of its sockets. */
function closeTogether(
  server: net.Server,
  own: Endpoint,
  acceptors: readonly Acceptor[],
): void {
  const { close, ref, unref } = server;
  server.close = function (...args) {
    if ("descriptor" in own) own.descriptor.markClosed();
    for (const acceptor of acceptors) acceptor.close();
    return close.apply(server, args);
  };
  server.ref = function () {
    for (const acceptor of acceptors) acceptor.ref();
    return ref.call(server);
  };
  server.unref = function () {
    for (const acceptor of acceptors) acceptor.unref();
    return unref.call(server);
  };
}
