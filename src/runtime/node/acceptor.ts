/**
 * Accepting connections on an inherited descriptor, or on an address to fall
 * back to, through `node:net`: the portable path.
 *
 * @module
 */

import type * as net from "node:net";
import {
  type Address,
  formatAddress,
  sameAddress,
} from "../../core/address.ts";
import type { Descriptor } from "../../core/descriptor.ts";
import { describeInfo, wrongKind } from "../../core/kinds.ts";
import { ActivationError, quote } from "../../core/errors.ts";
import { builtin } from "../builtin.ts";
import { requireUsable, type Runtime } from "../platform.ts";
import { serverAddress } from "../socket_address.ts";

/** An address to bind where nothing was handed over. */
export type Fallback =
  | { readonly port: number; readonly hostname?: string | undefined }
  | { readonly path: string };

/** Where to accept connections. */
export type Endpoint = { readonly descriptor: Descriptor } | Fallback;

/** How `node:net` is to treat the sockets that it accepts. */
export interface SocketOptions {
  /** Don't end our side when the peer has ended its own. */
  readonly allowHalfOpen: boolean;
  /** Send small pieces at once (`TCP_NODELAY`). */
  readonly noDelay?: boolean | undefined;
  /** Probe idle connections (`SO_KEEPALIVE`). */
  readonly keepAlive?: boolean | undefined;
  /** After how many milliseconds of silence to probe. */
  readonly keepAliveInitialDelay?: number | undefined;
  /** Don't read from a socket before somebody resumes it. */
  readonly pauseOnConnect?: boolean | undefined;
}

/**
 * The backlog to ask for. `node:net` calls `listen(2)` again on an inherited
 * socket, and its own default would shrink the unit's `Backlog=` to 511; this
 * one the kernel cuts to `net.core.somaxconn`. (The largest number there is
 * overflows in Deno, which adds one. Bun asks for 511 whatever it is told.)
 */
const BACKLOG = 65535;

/**
 * Acceptors whose use failed after they listened. `node:net` can't let go of a
 * descriptor without closing it, so they are kept, with the connections that
 * came meanwhile, until the descriptor is claimed again.
 */
const parked = new WeakMap<Descriptor, Acceptor>();

/**
 * The acceptor that holds a descriptor which nobody has claimed any more.
 *
 * @param descriptor The descriptor.
 * @returns The acceptor, or `undefined` if it is not held.
 */
export function parkedAcceptor(descriptor: Descriptor): Acceptor | undefined {
  return parked.get(descriptor);
}

/**
 * Checks that a descriptor of which no more is known is not a listener, where
 * the runtime can tell. One that is, is parked.
 *
 * @param runtime The runtime.
 * @param descriptor The descriptor, which is to be a connection.
 * @param doing What is being done, to begin an error's message with.
 */
export async function requireNoListener(
  runtime: Runtime,
  descriptor: Descriptor,
  doing: string,
): Promise<void> {
  if (!runtime.tellsByListening || descriptor.info.kind !== "socket") return;
  let acceptor: Acceptor;
  try {
    acceptor = await Acceptor.open(
      runtime,
      { descriptor },
      { allowHalfOpen: true },
      doing,
    );
  } catch {
    return;
  }
  acceptor.park();
  const { address } = acceptor;
  const found = describeInfo({ kind: "stream-listener", address });
  throw wrongKind(descriptor, ["stream-connection"], found, doing);
}

/** What an acceptor does with a connection. */
export type OnConnection = (socket: net.Socket) => void;

/** Accepts connections at one endpoint. */
export class Acceptor {
  readonly #server: net.Server;
  readonly #descriptor: Descriptor | undefined;
  readonly #waiting: net.Socket[] = [];
  #address: Address | undefined;
  #onConnection: OnConnection | undefined;

  private constructor(server: net.Server, descriptor: Descriptor | undefined) {
    this.#server = server;
    this.#descriptor = descriptor;
    server.on("connection", (socket) => this.#accept(socket));
    // An error of one connection attempt (too many open files, say) ends no
    // listener; the peer sees its connection closed.
    server.on("error", ignore);
  }

  /**
   * Begins to accept at an endpoint. What is accepted waits until
   * {@linkcode Acceptor.attach} says where it goes.
   */
  static async open(
    runtime: Runtime,
    endpoint: Endpoint,
    options: SocketOptions,
    doing: string,
  ): Promise<Acceptor> {
    const descriptor = "descriptor" in endpoint
      ? endpoint.descriptor
      : undefined;
    const before = descriptor && parked.get(descriptor);
    if (before !== undefined) {
      parked.delete(descriptor!);
      before.#reuse(options);
      return before;
    }
    const server = builtin("node:net").createServer(options);
    const acceptor = new Acceptor(server, descriptor);
    acceptor.#address = await listenOn(runtime, server, endpoint, doing);
    return acceptor;
  }

  /** Begins again after parking, for a use with other options. */
  #reuse(options: SocketOptions): void {
    // `node:net` reads them for each connection that it accepts.
    Object.assign(this.#server, options);
    for (const socket of this.#waiting) {
      socket.allowHalfOpen = options.allowHalfOpen;
      if (options.noDelay) socket.setNoDelay();
      if (options.keepAlive) {
        socket.setKeepAlive(true, options.keepAliveInitialDelay);
      }
    }
    this.ref();
  }

  /** Where it listens, if that can be told. */
  get address(): Address | undefined {
    return this.#address;
  }

  /** Hands all connections, those that wait first, to a function. */
  attach(onConnection: OnConnection): void {
    this.#onConnection = onConnection;
    for (const socket of this.#waiting.splice(0)) {
      socket.off("error", ignore);
      if (!socket.destroyed) onConnection(socket);
    }
  }

  /** Stops for now: a descriptor stays open and can be claimed again. */
  park(): void {
    if (this.#descriptor === undefined) {
      for (const socket of this.#waiting.splice(0)) socket.destroy();
      return this.close();
    }
    this.#onConnection = undefined;
    this.unref();
    parked.set(this.#descriptor, this);
  }

  /**
   * Stops accepting. Closes the descriptor, but neither shuts the socket down
   * nor removes its path: both are the service manager's. Accepted connections
   * live on.
   */
  close(): void {
    if (this.#descriptor !== undefined) {
      parked.delete(this.#descriptor);
      this.#descriptor.markClosed();
    }
    this.#server.close();
  }

  /** Keeps the process alive, as it is from the start. */
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
 * Accepts at several endpoints, all or none.
 *
 * @param runtime The runtime.
 * @param endpoints Where to accept.
 * @param options How to treat the sockets.
 * @param doing What is being done, to begin an error's message with.
 * @returns An acceptor for each endpoint.
 */
export async function openAll(
  runtime: Runtime,
  endpoints: readonly Endpoint[],
  options: SocketOptions,
  doing: string,
): Promise<Acceptor[]> {
  checkAll(runtime, endpoints, doing);
  const opened: Acceptor[] = [];
  try {
    for (const endpoint of endpoints) {
      opened.push(await Acceptor.open(runtime, endpoint, options, doing));
    }
  } catch (error) {
    for (const acceptor of opened) acceptor.park();
    throw error;
  }
  return opened;
}

/**
 * Checks all descriptors before any of them is touched.
 *
 * @param runtime The runtime.
 * @param endpoints Where to accept.
 * @param doing What is being done, to begin an error's message with.
 */
export function checkAll(
  runtime: Runtime,
  endpoints: readonly Endpoint[],
  doing: string,
): void {
  const descriptors = endpoints.flatMap((endpoint) =>
    "descriptor" in endpoint ? [endpoint.descriptor] : []
  );
  requireUsable(runtime, descriptors, "stream-listener", doing);
}

/**
 * Makes a server listen at an endpoint, and checks that this is where it
 * listens.
 *
 * @param runtime The runtime.
 * @param server The server.
 * @param endpoint Where it is to listen.
 * @param doing What is being done, to begin an error's message with.
 * @returns The address, if it can be told.
 */
export async function listenOn(
  runtime: Runtime,
  server: net.Server,
  endpoint: Endpoint,
  doing: string,
): Promise<Address | undefined> {
  if (!("descriptor" in endpoint)) {
    await settleListen(server, () => {
      if ("path" in endpoint) server.listen({ path: nodePath(endpoint.path) });
      else server.listen({ port: endpoint.port, host: endpoint.hostname });
    }, `${doing}: binding ${describePlace(endpoint)}`);
    return serverAddress(server);
  }
  const { descriptor } = endpoint;
  const { address: expected } = descriptor.info;
  runtime.keepRefused?.(server);
  await settleListen(server, () => {
    server.listen({ fd: descriptor.fd }, BACKLOG);
  }, `${doing}: listening on ${descriptor}`);
  const found = serverAddress(server);
  if (
    expected !== undefined && found !== undefined &&
    !sameAddress(expected, found)
  ) {
    server.close();
    throw addressMismatch(runtime, descriptor, expected, found, doing);
  }
  return found ?? expected;
}

/** The error for a runtime that listens somewhere else than it should. */
export function addressMismatch(
  runtime: Runtime,
  descriptor: Descriptor,
  expected: Address,
  found: Address,
  doing: string,
): ActivationError {
  return new ActivationError(
    "address-mismatch",
    `${doing}: ${descriptor} is bound to ${formatAddress(expected)}, but ` +
      `${runtime.title} ${runtime.version} used ${formatAddress(found)}, ` +
      `which is closed again: use another version`,
  );
}

/** Waits until a server listens, or fails to. */
function settleListen(
  server: net.Server,
  listen: () => void,
  doing: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onListening = () => {
      server.off("error", onError);
      resolve();
    };
    const onError = (error: unknown) => {
      server.off("listening", onListening);
      reject(listenError(error, doing));
    };
    server.once("listening", onListening);
    server.once("error", onError);
    try {
      listen();
    } catch (error) {
      onError(error);
    }
  });
}

/** The error for what a server or socket refused. */
export function listenError(error: unknown, doing: string): ActivationError {
  const { code, name, message } = error as NodeJS.ErrnoException;
  const denied = name === "NotCapable" || name === "PermissionDenied" ||
    code === "EACCES" || code === "EPERM";
  return new ActivationError(
    denied ? "permission" : "failed",
    `${doing}: ${message}`,
    { cause: error },
  );
}

/** A path as `node:net` takes it, with NUL for the `@` of an abstract name. */
function nodePath(path: string): string {
  return path.startsWith("@") ? `\0${path.slice(1)}` : path;
}

/** An endpoint to fall back to, as messages name it. */
export function describePlace(endpoint: Fallback): string {
  if ("path" in endpoint) return quote(endpoint.path);
  return `port ${endpoint.port} of ${endpoint.hostname ?? "all addresses"}`;
}
