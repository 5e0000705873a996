/**
 * Putting a server of `node:net`, `node:tls`, `node:http` and the like onto
 * several endpoints, as one server.
 *
 * @module
 */

import type * as net from "node:net";
import type { Address } from "../../core/address.ts";
import {
  type Acceptor,
  checkAll,
  type Endpoint,
  listenOn,
  openAll,
  parkedAcceptor,
  type SocketOptions,
} from "./acceptor.ts";
import { builtin } from "../builtin.ts";
import type { Runtime } from "../platform.ts";

/** What `node:net` servers keep of the options they were made with. */
type ServerWithOptions = net.Server & Partial<SocketOptions>;

/** A server that accepts at all endpoints. */
export interface Attached {
  /** The address of each endpoint, where it can be told. */
  readonly addresses: readonly (Address | undefined)[];
  /** Stops accepting, and leaves all connections as they are. */
  readonly detach: () => void;
  /** Closes the server after that. */
  readonly finish: () => void;
}

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
 * @returns Where it accepts, and how that is ended.
 */
export async function attach(
  runtime: Runtime,
  server: net.Server,
  endpoints: readonly [Endpoint, ...Endpoint[]],
  takesDescriptors: boolean,
  doing: string,
): Promise<Attached> {
  const [first, ...rest] = endpoints;
  // A socket that is held since an earlier failure is listened on already.
  const own = takesDescriptors &&
    !("descriptor" in first && parkedAcceptor(first.descriptor) !== undefined);
  const options = socketOptions(server);
  checkAll(runtime, endpoints, doing);
  // The server's own socket comes last: closing that one would lose it.
  const acceptors = await openAll(
    runtime,
    own ? rest : endpoints,
    options,
    doing,
  );
  const addresses = acceptors.map((acceptor) => acceptor.address);
  if (own) {
    try {
      addresses.unshift(await listenOn(runtime, server, first, doing));
    } catch (error) {
      for (const acceptor of acceptors) acceptor.park();
      throw error;
    }
  }
  forwardAll(server, acceptors);
  if (own && "descriptor" in first) {
    const { close } = server;
    server.close = (callback) => {
      first.descriptor.markClosed();
      return close.call(server, callback);
    };
  } else if (!own) {
    showListening(server, addresses[0]);
  }
  return {
    addresses,
    detach() {
      for (const acceptor of acceptors) acceptor.close();
      if (!own) return;
      if ("descriptor" in first) first.descriptor.markClosed();
      // Its own close() may end idle connections.
      builtin("node:net").Server.prototype.close.call(server);
    },
    finish() {
      // One that had a socket of its own is closed with that.
      if (!own) server.close();
    },
  };
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

/**
 * Gives a server the connections of acceptors, and makes `close`, `ref` and
 * `unref` of the server mean all of its sockets: like its own, their connections
 * delay the `close` event.
 */
function forwardAll(server: net.Server, acceptors: readonly Acceptor[]): void {
  if (acceptors.length === 0) return;
  const { close, ref, unref, emit } = server;
  const forwarded = new Set<net.Socket>();
  let closed = false;
  server.emit = function (this: net.Server, event: string, ...args: unknown[]) {
    if (event === "close" && forwarded.size > 0) {
      closed = true;
      return true;
    }
    return (emit as (...all: unknown[]) => boolean).call(
      server,
      event,
      ...args,
    );
  } as typeof emit;
  server.close = function (callback) {
    for (const acceptor of acceptors) acceptor.close();
    return close.call(server, callback);
  };
  server.ref = function () {
    for (const acceptor of acceptors) acceptor.ref();
    return ref.call(server);
  };
  server.unref = function () {
    for (const acceptor of acceptors) acceptor.unref();
    return unref.call(server);
  };
  for (const acceptor of acceptors) {
    acceptor.attach((socket) => {
      forwarded.add(socket);
      socket.once("close", () => {
        forwarded.delete(socket);
        if (closed && forwarded.size === 0) server.emit("close");
      });
      server.emit("connection", socket);
    });
  }
}

/**
 * Makes a server that listens on no socket of its own look as one that does:
 * `listening`, `address()`, the `listening` and `close` events.
 */
function showListening(server: net.Server, address: Address | undefined): void {
  const { close } = server;
  let listening = true;
  Object.defineProperty(server, "listening", {
    configurable: true,
    get: () => listening,
  });
  server.address = () => listening ? toNodeAddress(address) : null;
  server.close = (callback) => {
    if (!listening) return close.call(server, callback);
    listening = false;
    if (callback !== undefined) server.once("close", () => callback());
    let emitted = false;
    server.once("close", () => emitted = true);
    // Its own close() ends idle connections, and says that it didn't listen;
    // on Node it emits the event all the same, on Bun not.
    close.call(server, () => {});
    setTimeout(() => {
      if (!emitted) server.emit("close");
    }, 0);
    return server;
  };
  server.emit("listening");
}

function toNodeAddress(
  address: Address | undefined,
): ReturnType<net.Server["address"]> {
  if (address?.kind === "unix") return address.path;
  if (address?.kind !== "ipv4" && address?.kind !== "ipv6") return null;
  const { kind, hostname, port } = address;
  return {
    address: hostname,
    family: kind === "ipv4" ? "IPv4" : "IPv6",
    port,
  };
}
