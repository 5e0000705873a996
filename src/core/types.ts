/**
 * The public types of the neutral entry point. They need no types of a runtime.
 *
 * @module
 */

import type { Address } from "./address.ts";
import type { Expectations } from "./expectations.ts";
import type { EndOptions } from "./end_options.ts";
import type { ListenAddress } from "./listen_address.ts";
import type { CompatibilityMap } from "./name_map.ts";

export type {
  ClosableWebSocket,
  EndOptions,
  ShutdownOptions,
} from "./end_options.ts";

/** The runtimes by their names in the public API. */
export type RuntimeName = "deno" | "bun" | "node";

/** The options of `activation()`. */
export interface ActivationOptions {
  /**
   * Names by port or path, for descriptors without names (systemd before 227).
   * Where there are names, the map is not used.
   */
  readonly map?: CompatibilityMap;
  /**
   * The kind that the descriptors of each name must have. Checked at each call,
   * also where the activation is remembered from an earlier one.
   */
  readonly expect?: Expectations;
  /**
   * Whether to leave the four variables in the environment, for a child that the
   * program passes the descriptors to. By default they are removed, also after an
   * error and if they are meant for another process.
   */
  readonly keepEnvironment?: boolean;
}

/** The reason why this process has no activation. */
export interface InactiveReason {
  /**
   * - `absent`: no service manager activated this process
   * - `foreign`: the variables are meant for another process
   * - `activated-before`: the program is evaluated again in an activated process,
   *   as `deno run --watch` does; a fallback is then not used
   * - `worker`: this is a worker thread, and the descriptors belong to the main
   *   thread; a fallback is then not used
   */
  readonly kind: "absent" | "foreign" | "activated-before" | "worker";
  /** The process that the descriptors are meant for, if there is one. */
  readonly listenPid?: number;
  /** This process. */
  readonly pid: number;
  /**
   * The program that was started in this process's place, if recognized: a
   * package manager, a task runner, a watcher or a shell, such as `npm`,
   * `node --watch` or `sh`; `cluster` for the primary process of `node:cluster`.
   */
  readonly wrapper?: string;
  /** The reason in a sentence, with what to do. */
  readonly message: string;
}

/**
 * Where to listen when, and only when, the process is not activated: a TCP port
 * (of one address, or of all), or the path of a Unix socket, with a leading `@`
 * for an abstract name. The path is removed on close; Deno before 2.7 and Bun
 * before 1.3 leave it.
 */
export type Fallback =
  | {
    readonly port: number;
    /** An address, or a name. By default, the port is bound on all addresses. */
    readonly hostname?: string;
    /** See {@linkcode StoreOption}. */
    readonly store?: boolean;
  }
  | {
    readonly path: string;
    /** See {@linkcode StoreOption}. */
    readonly store?: boolean;
  };

/** The option of a fallback that outlives the process. */
export interface StoreOption {
  /**
   * Whether the service manager stores the socket (`FileDescriptorStoreMax=`), so
   * that a restart without a socket unit loses nothing: the next process gets it
   * under the name. It is then bound wherever the name is missing, also beside
   * other descriptors, and drains as an inherited one. Nothing is stored where no
   * service manager wants to be notified.
   *
   * @default {false}
   */
  readonly store?: boolean;
}

/** The option for a process that is not activated. */
export interface FallbackOptions {
  /** Where to listen when, and only when, the process is not activated. */
  readonly fallback?: Fallback;
}

/**
 * What to listen on: a name, an address as text such as `systemd:web`, `fd:3`,
 * `tcp:127.0.0.1:8080` or `unix:/run/x.sock`, or a parsed address. Text with a
 * colon is an address, because names have none.
 */
export type ListenTarget = string | ListenAddress;

/** The address of a temporary listener, which an inherited socket replaces. */
export type Placeholder =
  | {
    /** A TCP listener or UDP socket, for an inherited one of IPv4 or IPv6. */
    readonly kind: "tcp" | "udp";
    /** An address of the loopback interface. */
    readonly hostname: string;
    /** 0: the operating system chooses. */
    readonly port: number;
  }
  | {
    /** A Unix listener. */
    readonly kind: "unix";
    /** An unused path in a directory that only this user can enter. */
    readonly path: string;
  };

/** How `adopt()` creates a listener, and closes it after a failure. */
export interface AdoptOptions<T> {
  /**
   * Creates a listener of the runtime's own at an address without meaning: with
   * `Deno.serve`, `Bun.listen`, or a framework that calls them. Nothing may
   * connect to it before `adopt()` has returned.
   */
  create(placeholder: Placeholder): T | Promise<T>;
  /** Closes the listener at once, if the socket can't replace the placeholder. */
  close(listener: T): unknown;
}

/** A stream connection: bytes in, bytes out. */
export interface Connection {
  /** The bytes of the peer; the stream ends when the peer ends its side. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** The bytes for the peer; closing the stream ends only this direction. */
  readonly writable: WritableStream<Uint8Array>;
  /** The local address, where it is known. */
  readonly localAddress: Address | undefined;
  /** The peer's address; `undefined` for Unix sockets, whose peers have none. */
  readonly remoteAddress: Address | undefined;
  /** Closes both directions at once; bytes that are not sent yet are lost. */
  close(): void;
  /** The same as {@linkcode Connection.close}. */
  [Symbol.dispose](): void;
}

/** The options of `listen()`. */
export interface ListenOptions extends FallbackOptions {
  /**
   * The listener to use.
   *
   * - `auto`: the runtime's own where it can be put onto the sockets, else that of
   *   `node:net`
   * - `native`: only the runtime's own, which on Node is that of `node:net`
   * - `node`: only that of `node:net`
   *
   * @default {"auto"}
   */
  readonly backend?: "auto" | "native" | "node";
}

/**
 * Accepts the connections of all sockets of a name: TCP (IPv4 and IPv6) or Unix.
 *
 * Connections are accepted as they come, and wait for an iterator in a queue
 * whose only limit is that of open descriptors: take them at once, and handle
 * them concurrently.
 */
export interface Listener extends AsyncIterable<Connection> {
  /** The runtime whose listener accepts; `node` is `node:net`, on any runtime. */
  readonly backend: "deno" | "bun" | "node";
  /** The reason for this backend, in a sentence. */
  readonly backendReason: string;
  /**
   * The address of each socket, in order; `undefined` where it is unknown (a Unix
   * socket on Deno without `--allow-ffi`).
   */
  readonly addresses: readonly (Address | undefined)[];
  /**
   * Iterates over the connections, each of which one iterator gets. The iteration
   * ends when the listener is closed, after the connections accepted before.
   */
  [Symbol.asyncIterator](): AsyncIterator<Connection, undefined>;
  /**
   * Stops accepting. The socket stays with the service manager: it is not shut
   * down, and its path is not removed. Accepted connections stay open and keep
   * the process alive; an iterator can still take those that wait.
   *
   * @returns Resolves when the path of a fallback is removed.
   */
  close(): Promise<void>;
  /** Keeps the process alive while this listens, as from the start. */
  ref(): void;
  /** Lets the process end although this listens. */
  unref(): void;
  /** Stops accepting, and closes the connections that no iterator has taken. */
  [Symbol.dispose](): void;
}

/**
 * What a handler receives beside the `Request`. Read the members before the
 * response is returned. Copies (`{ ...info }`) lack them.
 */
export interface ServeInfo {
  /** The client's address; `undefined` on a Unix socket, where it has none. */
  readonly remoteAddress: Address | undefined;
  /**
   * Aborted when the server begins to shut down, so that event streams and long
   * polls can end: the same for all requests of a server.
   */
  readonly shutdownSignal: AbortSignal;
  /**
   * The server that received the request: `Deno.HttpServer`, Bun's `Server` or
   * Node's `http.Server`, see {@linkcode FetchServer.backend}.
   */
  readonly server: unknown;
}

/** Answers a request. */
export type ServeHandler = (
  request: Request,
  info: ServeInfo,
) => Response | Promise<Response>;

/** The options of `serve()`. */
export interface ServeOptions extends FallbackOptions, EndOptions {
  /**
   * Answers where the handler threw. By default the error is printed and the
   * response is a plain 500, as with `Deno.serve` and `Bun.serve`.
   */
  readonly onError?: (error: unknown) => Response | Promise<Response>;
  /**
   * Closes the server and all connections at once when it is aborted, as with
   * `Deno.serve`. {@linkcode FetchServer.shutdown} is the graceful way.
   */
  readonly signal?: AbortSignal;
  /**
   * The server to use.
   *
   * - `auto`: the runtime's own where it can be put onto the sockets, else that of
   *   `node:http`
   * - `native`: only the runtime's own, which on Node is that of `node:http`
   * - `node`: only that of `node:http`
   *
   * @default {"auto"}
   */
  readonly backend?: "auto" | "native" | "node";
}

/** An HTTP server on all sockets of a name. */
export interface FetchServer {
  /** The runtime whose server answers; `node` is `node:http`, on any runtime. */
  readonly backend: "deno" | "bun" | "node";
  /** The reason for this backend, in a sentence. */
  readonly backendReason: string;
  /**
   * The address of each socket, in order; `undefined` where it is unknown (a Unix
   * socket on Deno without `--allow-ffi`).
   */
  readonly addresses: readonly (Address | undefined)[];
  /**
   * Resolves when the server has been shut down or closed, and nothing is left.
   * Rejects if it fails, as that of `Deno.serve` does where no more files can be
   * opened.
   */
  readonly finished: Promise<void>;
  /**
   * Stops accepting, answers the accepted requests, and tells the clients to use
   * other connections. New connections wait for the next process. After
   * {@linkcode ShutdownOptions.timeout} all that is left is closed. The socket
   * stays with the service manager: it is not shut down, and its path is not
   * removed.
   *
   * @returns The same promise as {@linkcode FetchServer.finished}.
   */
  shutdown(): Promise<void>;
  /** Aborted when the server begins to shut down or is closed. */
  readonly shutdownSignal: AbortSignal;
  /**
   * Stops accepting and closes all connections at once.
   *
   * @returns The same promise as {@linkcode FetchServer.finished}. The path of a
   * fallback is removed when it settles.
   */
  close(): Promise<void>;
  /** Keeps the process alive while this serves, as from the start. */
  ref(): void;
  /** Lets the process end although this serves. */
  unref(): void;
  /** The same as {@linkcode FetchServer.shutdown}. */
  [Symbol.asyncDispose](): Promise<void>;
}
