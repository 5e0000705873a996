/**
 * Putting a server of `node:net`, `node:tls`, `node:http` and the like onto all
 * sockets of a name, as one server.
 *
 * @module
 */

import type * as net from "node:net";
import { type Address, toAddressInfo } from "../../core/address.ts";
import type { Descriptor } from "../../core/descriptor.ts";
import { builtin } from "../builtin.ts";
import { parkedListeners } from "../leftovers.ts";
import type { ListenSource, Platform } from "../platform.ts";
import { Acceptor, openAcceptors, socketOptions } from "./acceptor.ts";
import {
  type DescriptorOptions,
  listenNow,
  listenOn,
  splitSource,
} from "./listen.ts";

/**
 * Binds a server that the program has created to several sockets.
 *
 * A `net.Server` listens on one socket only. So the first is its own, and the
 * connections of the others are passed to it as `connection` events, which Node
 * documents for this use. The methods of the server are wrapped once, so that
 * closing, referencing and unreferencing it mean all sockets; while it isn't
 * bound, they do what they did before.
 */
export class ServerBinding {
  readonly #server: net.Server;
  readonly #close: net.Server["close"];
  /** The acceptors that pass their connections to the server. */
  readonly #acceptors: Acceptor[] = [];
  /** The descriptor that the server itself listens on. */
  #ownDescriptor: Descriptor | undefined;
  #hasOwnSocket = false;
  /** Whether its own socket is closed, and connections are open. */
  #isPaused = false;
  /** Whether the server reports that it listens, although only acceptors do. */
  #looksListening = false;
  #address: Address | undefined;
  /** Open connections that were passed to the server. */
  readonly #passed = new Set<net.Socket>();
  #delaysCloseEvent = false;
  /** Whether the `close` event waits for the passed connections. */
  #isCloseDue = false;

  constructor(server: net.Server) {
    this.#server = server;
    const { close, ref, unref, address } = server;
    this.#close = (callback) => close.call(server, callback);
    server.close = (callback) => this.#closeAll(callback);
    server.ref = () => {
      for (const acceptor of this.#acceptors) acceptor.ref();
      return ref.call(server);
    };
    server.unref = () => {
      for (const acceptor of this.#acceptors) acceptor.unref();
      return unref.call(server);
    };
    server.address = () =>
      this.#looksListening
        ? toNodeAddress(this.#address)
        : address.call(server);
  }

  /**
   * Makes the server accept on all sockets, or none.
   *
   * @param takesDescriptors Whether the server itself can listen on a
   * descriptor; if not, all connections are passed to it.
   * @returns The address of each socket, where it is known.
   */
  async listen(
    platform: Platform,
    source: ListenSource,
    takesDescriptors: boolean,
    action: string,
  ): Promise<(Address | undefined)[]> {
    const sources = splitSource(source);
    const [first, ...rest] = sources;
    const descriptor = first.kind === "inherited"
      ? first.descriptors[0]
      : undefined;
    // A parked listener holds its descriptor already.
    const hasOwnSocket = takesDescriptors &&
      !(descriptor && parkedListeners.has(descriptor));
    // The server's own socket is last, because it can only be closed, not parked.
    const acceptors = await openAcceptors(
      platform,
      source,
      socketOptions(this.#server),
      action,
      hasOwnSocket ? rest : sources,
    );
    const addresses = acceptors.map(({ address }) => address);
    if (hasOwnSocket) {
      try {
        addresses.unshift(
          await listenOn(platform, this.#server, first, action),
        );
      } catch (error) {
        for (const acceptor of acceptors) acceptor.park();
        throw error;
      }
    }
    this.#acceptors.push(...acceptors);
    this.#hasOwnSocket = hasOwnSocket;
    this.#ownDescriptor = hasOwnSocket ? descriptor : undefined;
    if (acceptors.length > 0) this.#delayCloseEvent();
    for (const acceptor of acceptors) {
      acceptor.attach((socket) => this.#pass(socket));
    }
    if (!hasOwnSocket) this.#lookListening(addresses[0]);
    return addresses;
  }

  /**
   * Makes the server accept on all inherited sockets, or none, without waiting for
   * the event `listening`.
   *
   * @param listen Calls the server's own `listen()`.
   * @returns The address of each socket, where it is known.
   */
  listenNow(
    platform: Platform,
    { descriptors }: ListenSource & { readonly kind: "inherited" },
    listen: (options: DescriptorOptions) => void,
    action: string,
  ): (Address | undefined)[] {
    const [first, ...rest] = descriptors;
    const server = this.#server;
    const address = listenNow(platform, server, first, listen, action);
    const acceptors = rest.map((each) =>
      Acceptor.openNow(platform, each, socketOptions(server), action)
    );
    this.#acceptors.push(...acceptors);
    this.#hasOwnSocket = true;
    this.#ownDescriptor = first;
    if (acceptors.length > 0) this.#delayCloseEvent();
    for (const acceptor of acceptors) {
      acceptor.attach((socket) => this.#pass(socket));
    }
    return [address, ...acceptors.map((each) => each.address)];
  }

  /** Stops accepting, and leaves all connections open. */
  pause(): void {
    for (const acceptor of this.#acceptors.splice(0)) acceptor.close();
    if (!this.#hasOwnSocket) return;
    this.#ownDescriptor?.markClosed();
    this.#isPaused = true;
    this.#server.once("close", () => this.#isPaused = false);
    // The server's own close() may end idle connections.
    builtin("node:net").Server.prototype.close.call(this.#server);
  }

  /** Closes the server after `pause()`. */
  finish(): void {
    // pause() has closed a server that had a socket of its own.
    if (!this.#hasOwnSocket) this.#server.close();
  }

  /** Makes the `close` event wait for the connections that were passed. */
  #delayCloseEvent(): void {
    if (this.#delaysCloseEvent) return;
    this.#delaysCloseEvent = true;
    const server = this.#server;
    const { emit } = server;
    server.emit = ((event: string, ...args: unknown[]) => {
      if (event === "close" && this.#passed.size > 0) {
        this.#isCloseDue = true;
        return true;
      }
      return (emit as (...all: unknown[]) => boolean)
        .call(server, event, ...args);
    }) as typeof emit;
  }

  /** Passes a connection to the server. */
  #pass(socket: net.Socket): void {
    this.#passed.add(socket);
    socket.once("close", () => {
      this.#passed.delete(socket);
      if (!this.#isCloseDue || this.#passed.size > 0) return;
      this.#isCloseDue = false;
      this.#server.emit("close");
    });
    this.#server.emit("connection", socket);
  }

  #closeAll(callback?: (error?: Error) => void): net.Server {
    for (const acceptor of this.#acceptors.splice(0)) acceptor.close();
    this.#ownDescriptor?.markClosed();
    const server = this.#server;
    if (!this.#looksListening && !this.#isPaused) return this.#close(callback);
    if (callback !== undefined) server.once("close", () => callback());
    // Node's own would fail at once, and the program exit before the responses.
    if (this.#isPaused) return server;
    this.#looksListening = false;
    let isEmitted = false;
    server.once("close", () => isEmitted = true);
    // The server's own close() ends idle connections, and fails because the
    // server doesn't listen; Node emits the event all the same, Bun doesn't.
    this.#close(() => {});
    setTimeout(() => {
      if (!isEmitted) server.emit("close");
    }, 0);
    return server;
  }

  /** Makes the server report that it listens: `listening`, `address()`, event. */
  #lookListening(address: Address | undefined): void {
    this.#address = address;
    this.#looksListening = true;
    Object.defineProperty(this.#server, "listening", {
      configurable: true,
      get: () => this.#looksListening,
    });
    this.#server.emit("listening");
  }
}

function toNodeAddress(
  address: Address | undefined,
): ReturnType<net.Server["address"]> {
  return address?.kind === "unix" ? address.path : toAddressInfo(address);
}
