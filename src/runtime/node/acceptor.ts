/**
 * Accepting connections on an inherited descriptor or at a fallback address
 * through `node:net`: the portable path.
 *
 * @module
 */

import type * as net from "node:net";
import type { Address } from "../../core/address.ts";
import type { Descriptor } from "../../core/descriptor.ts";
import type { DescriptorInfo } from "../../core/info.ts";
import { describeInfo, wrongKind } from "../../core/kinds.ts";
import { builtin } from "../builtin.ts";
import { requireUsable } from "../checks.ts";
import { parkedListeners } from "../leftovers.ts";
import type { ListenSource, Platform } from "../platform.ts";
import { listenNow, listenOn, splitSource } from "./listen.ts";

/** What `net.Server` keeps of the options that it was created with. */
export function socketOptions(
  server: net.Server & net.ServerOpts,
): net.ServerOpts {
  return {
    allowHalfOpen: server.allowHalfOpen ?? false,
    noDelay: server.noDelay,
    keepAlive: server.keepAlive,
    keepAliveInitialDelay: server.keepAliveInitialDelay,
    pauseOnConnect: server.pauseOnConnect,
  };
}

/** Accepts connections on one socket. */
export class Acceptor {
  readonly #server: net.Server;
  readonly #descriptor: Descriptor | undefined;
  readonly #waiting: net.Socket[] = [];
  #address: Address | undefined;
  #onConnection: ((socket: net.Socket) => void) | undefined;

  private constructor(server: net.Server, descriptor: Descriptor | undefined) {
    this.#server = server;
    this.#descriptor = descriptor;
    server.on("connection", (socket) => this.#accept(socket));
    // An error of one connection attempt (too many open files, say) leaves the
    // listener open; the peer sees its connection closed.
    server.on("error", ignore);
  }

  /**
   * Begins to accept on one socket. Connections wait until
   * {@linkcode Acceptor.attach} takes them.
   */
  static async open(
    platform: Platform,
    source: ListenSource,
    options: net.ServerOpts,
    action: string,
  ): Promise<Acceptor> {
    const descriptor = source.kind === "inherited"
      ? source.descriptors[0]
      : undefined;
    const parked = descriptor && parkedListeners.get(descriptor);
    if (parked instanceof Acceptor) {
      parkedListeners.delete(descriptor!);
      parked.#reuse(options);
      return parked;
    }
    const server = builtin("node:net").createServer(options);
    const acceptor = new Acceptor(server, descriptor);
    acceptor.#address = await listenOn(platform, server, source, action);
    return acceptor;
  }

  /**
   * Begins to accept on an inherited socket, which no listener holds, without
   * waiting for the event `listening`.
   */
  static openNow(
    platform: Platform,
    descriptor: Descriptor,
    options: net.ServerOpts,
    action: string,
  ): Acceptor {
    const server = builtin("node:net").createServer(options);
    const acceptor = new Acceptor(server, descriptor);
    acceptor.#address = listenNow(
      platform,
      server,
      descriptor,
      (options) => server.listen(options as net.ListenOptions),
      action,
    );
    return acceptor;
  }

  /** Resumes a parked acceptor with other options. */
  #reuse(options: net.ServerOpts): void {
    // `node:net` reads them for each connection that it accepts.
    Object.assign(this.#server, options);
    for (const socket of this.#waiting) {
      socket.allowHalfOpen = options.allowHalfOpen ?? false;
      if (options.noDelay) socket.setNoDelay();
      if (options.keepAlive) {
        socket.setKeepAlive(true, options.keepAliveInitialDelay);
      }
    }
    this.ref();
  }

  /** The address of the socket, if it is known. */
  get address(): Address | undefined {
    return this.#address;
  }

  /** Passes all connections to a function, those that wait first. */
  attach(onConnection: (socket: net.Socket) => void): void {
    this.#onConnection = onConnection;
    for (const socket of this.#waiting.splice(0)) {
      socket.off("error", ignore);
      if (!socket.destroyed) onConnection(socket);
    }
  }

  /** Parks the listener: the descriptor stays open and can be claimed again. */
  park(): void {
    if (this.#descriptor === undefined) {
      for (const socket of this.#waiting.splice(0)) socket.destroy();
      return this.close();
    }
    this.#onConnection = undefined;
    this.unref();
    parkedListeners.set(this.#descriptor, this);
  }

  /**
   * Stops accepting. Closes the descriptor, but neither shuts the socket down
   * nor removes its path: both belong to the service manager. Accepted
   * connections stay open.
   */
  close(): void {
    if (this.#descriptor !== undefined) {
      parkedListeners.delete(this.#descriptor);
      this.#descriptor.markClosed();
    }
    this.#server.close();
  }

  /** Keeps the process alive, as from the start. */
  ref(): void {
    this.#server.ref();
  }

  /** Lets the process end although this listens. */
  unref(): void {
    this.#server.unref();
  }

  #accept(socket: net.Socket): void {
    if (this.#onConnection !== undefined) return this.#onConnection(socket);
    socket.on("error", ignore);
    this.#waiting.push(socket);
  }
}

function ignore(): void {}

/**
 * Opens an acceptor for each socket, or none.
 *
 * @param sources The sockets to accept on; by default the whole source.
 */
export async function openAcceptors(
  platform: Platform,
  source: ListenSource,
  options: net.ServerOpts,
  action: string,
  sources: readonly ListenSource[] = splitSource(source),
): Promise<Acceptor[]> {
  requireListeners(platform, source, action);
  const acceptors: Acceptor[] = [];
  try {
    // One after the other, so that a failure leaves the later ones untouched:
    // connections to a parked listener are lost if the program exits.
    for (const each of sources) {
      acceptors.push(await Acceptor.open(platform, each, options, action));
    }
    return acceptors;
  } catch (error) {
    for (const acceptor of acceptors) acceptor.park();
    throw error;
  }
}

/** Checks all descriptors of a source before any of them is touched. */
function requireListeners(
  platform: Platform,
  source: ListenSource,
  action: string,
): void {
  if (source.kind === "fallback") return;
  const { descriptors, infos } = source;
  requireUsable(platform, descriptors, infos, "stream-listener", action);
}

/**
 * Checks that a socket of unknown kind is not a listener, where the runtime can
 * tell. A listener is parked.
 */
export async function requireConnection(
  platform: Platform,
  descriptor: Descriptor,
  info: DescriptorInfo,
  action: string,
): Promise<void> {
  if (!platform.detectsListenersByListening || info.kind !== "socket") return;
  let acceptor: Acceptor;
  try {
    acceptor = await Acceptor.open(
      platform,
      { kind: "inherited", descriptors: [descriptor], infos: [info] },
      { allowHalfOpen: true },
      action,
    );
  } catch {
    return;
  }
  acceptor.park();
  const { address } = acceptor;
  const actual = describeInfo({ kind: "stream-listener", address });
  throw wrongKind(descriptor, ["stream-connection"], actual, action);
}
