/**
 * The public types of the neutral entry point. They need no types of a runtime.
 *
 * @module
 */

import type { Address } from "./address.ts";
import type { Expectations } from "./expectations.ts";
import type { ListenAddress } from "./listen_address.ts";
import type { CompatibilityMap } from "./name_map.ts";

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
   * `absent`: the variables are missing, so no service manager activated this
   * process. `foreign`: they are meant for another process.
   */
  readonly kind: "absent" | "foreign";
  /** The process that the descriptors are meant for, if there is one. */
  readonly listenPid?: number;
  /** This process. */
  readonly pid: number;
  /** The wrapper between the service manager and this process, if recognized. */
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
  | { readonly port: number; readonly hostname?: string }
  | { readonly path: string };

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

/** Where a listener is created whose place an inherited socket takes. */
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
  readonly bind: (placeholder: Placeholder) => T | Promise<T>;
  /** Closes it at once, if the socket can't take the placeholder's place. */
  readonly close: (listener: T) => void | Promise<void>;
}

/** A stream connection: bytes in, bytes out. */
export interface Connection {
  /** The bytes of the peer; it ends when the peer has ended its side. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** The bytes for the peer; closing it ends this side and no more. */
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

/** Which server or listener to use, see {@linkcode Made}. */
export type Mode = "auto" | "native" | "portable";

/** Which server or listener was used. */
export interface Made {
  /**
   * `native`: the runtime's own server (`Deno.serve`, `Bun.serve`, Node's
   * `http.Server`). `portable`: `node:http` or `node:net`.
   */
  readonly mode: "native" | "portable";
  /** The reason for this one and not the other, in a sentence. */
  readonly modeReason: string;
}

/** The options of `listen()`. */
export interface ListenOptions extends FallbackOptions {
  /**
   * `auto`, the default: the runtime's own listener where it can be put onto the
   * sockets, else `node:net`. `native` or `portable`: only the one or the other.
   * Node's own listener is `node:net`.
   */
  readonly mode?: Mode;
}

/**
 * Accepts the connections of all sockets of a name: TCP (IPv4 and IPv6) or Unix.
 *
 * Connections are accepted as they come, and wait for an iterator in a queue
 * whose only limit is that of open descriptors: take them at once, and handle
 * them concurrently.
 */
export interface Listener extends AsyncIterable<Connection>, Made {
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
   */
  close(): void;
  /** Keeps the process alive while this listens, as from the start. */
  ref(): void;
  /** Lets the process end although this listens. */
  unref(): void;
  /** Stops accepting, and closes the connections that no iterator has taken. */
  [Symbol.dispose](): void;
}

/**
 * What a handler receives beside the `Request`. Read it before the response is
 * returned; for a handler without a second parameter, copies (`{ ...info }`) may
 * lack members.
 */
export interface ServeInfo {
  /** The client's address; `undefined` on a Unix socket, where it has none. */
  readonly remoteAddress: Address | undefined;
}

/** Answers a request. */
export type ServeHandler = (
  request: Request,
  info: ServeInfo,
) => Response | Promise<Response>;

/** Answers in place of a handler that threw. */
export type ServeErrorHandler = (
  error: unknown,
) => Response | Promise<Response>;

/** A WebSocket, as far as a drain uses it. */
export interface ClosableWebSocket {
  /** 3 when it is closed. */
  readonly readyState: number;
  /** Begins to close it. */
  close(code?: number, reason?: string): void;
}

/**
 * How a server ends without losing a request: it stops accepting, answers the
 * accepted requests, and tells each client to use another connection.
 */
export interface DrainOptions {
  /**
   * Signals to drain on, such as `SIGTERM`, with which systemd stops services. By
   * default none: the program handles them, and calls `shutdown()`. A program may
   * have handlers of its own, too. The process then ends by itself, with the exit
   * status 0, when nothing else keeps it alive; a second signal has its usual
   * effect.
   */
  readonly signals?: readonly string[];
  /**
   * Milliseconds after which all that is still open is closed: 30,000 by default.
   * Keep it below `TimeoutStopSec=` (systemd: 90 seconds).
   */
  readonly timeout?: number;
  /**
   * Milliseconds without a connection after which the servers drain and the
   * process ends, with the exit status 0: the service manager starts it again
   * with the next connection. By default it goes on.
   *
   * All servers of the process must be idle, each for its own time; a server
   * without a time keeps the process. So do an open listener, unless it is
   * unref'd once it is open, and its connections; listeners of `adopt()` don't.
   * Where the accept queue can't be read, the first connection is awaited for at
   * least a second. Without inherited sockets nothing happens, because nothing
   * would start the process again.
   */
  readonly idleTimeout?: number;
  /**
   * The open WebSockets, read when a drain begins: each is closed with the code
   * 1001. A `Set` that the program maintains, or `clients` of a server of `ws`.
   * `Bun.serve` knows its own.
   */
  readonly webSockets?: Iterable<ClosableWebSocket>;
}

/** The options of `serve()`. */
export interface ServeOptions extends FallbackOptions {
  /**
   * Answers where the handler threw. By default the error is printed and the
   * response is a plain 500, as with `Deno.serve` and `Bun.serve`.
   */
  readonly onError?: ServeErrorHandler;
  /** Shuts the server down when it is aborted. */
  readonly signal?: AbortSignal;
  /** How the server ends without losing a request. */
  readonly drain?: DrainOptions;
  /**
   * `auto`, the default: the runtime's own server where it can be put onto the
   * sockets, else `node:http`. `native` or `portable`: only the one or the other.
   * Node's own server is `node:http`.
   */
  readonly mode?: Mode;
}

/** An HTTP server on all sockets of a name. */
export interface FetchServer extends Made {
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
   * Drains: stops accepting, answers the accepted requests, and tells the clients
   * to use other connections. New connections wait for the next process. After
   * {@linkcode DrainOptions.timeout} all that is left is closed. The socket stays
   * with the service manager: it is not shut down, and its path is not removed.
   *
   * @returns The same promise as {@linkcode FetchServer.finished}.
   */
  shutdown(): Promise<void>;
  /** Stops accepting and closes all connections at once. */
  close(): void;
  /** Keeps the process alive while this serves, as from the start. */
  ref(): void;
  /** Lets the process end although this serves. */
  unref(): void;
  /** The same as {@linkcode FetchServer.shutdown}. */
  [Symbol.asyncDispose](): Promise<void>;
}
