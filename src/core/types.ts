/**
 * Types that users see. They need no types of any runtime.
 *
 * @module
 */

import type { Address } from "./address.ts";
import type { ListenAddress } from "./listen_address.ts";

/**
 * Where to listen when, and only when, the process is not activated: a TCP port
 * (of one address, or of all), or a Unix socket's path, `@` in front for an
 * abstract name. The path is removed again on close; Deno before 2.7 and Bun
 * before 1.3 leave it.
 */
export type Fallback =
  | { readonly port: number; readonly hostname?: string }
  | { readonly path: string };

/**
 * What to listen on: a name, the text of an address such as `systemd:web`,
 * `fd:3`, `tcp:127.0.0.1:8080` or `unix:/run/x.sock`, or such an address parsed.
 * Text with a colon is an address, since no name holds one.
 */
export type ListenTarget = string | ListenAddress;

/** A stream connection: bytes in, bytes out. */
export interface Connection {
  /** What the peer sends; it ends when the peer has ended its side. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** What the peer is sent; closing it ends this side and no more. */
  readonly writable: WritableStream<Uint8Array>;
  /** The local address, where it is known. */
  readonly localAddress: Address | undefined;
  /** The peer's address; `undefined` for Unix sockets, whose peers have none. */
  readonly remoteAddress: Address | undefined;
  /** Closes both directions at once; what is not sent yet is lost. */
  close(): void;
  /** The same as {@linkcode Connection.close}. */
  [Symbol.dispose](): void;
}

/**
 * What a handler is told of a request beside the `Request`. To be read before
 * the answer; of a handler that has no second parameter, copies
 * (`{ ...info }`) may have less.
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

/** Answers in the place of a handler that threw. */
export type ServeErrorHandler = (
  error: unknown,
) => Response | Promise<Response>;

/** How a listener was made, see {@linkcode Made}. */
export type Mode = "auto" | "native" | "portable";

/** How a server or listener came about. */
export interface Made {
  /**
   * `native`: the runtime's own server (`Deno.serve`, `Bun.serve`, Node's
   * `http.Server`). `portable`: `node:http` or `node:net`.
   */
  readonly mode: "native" | "portable";
  /** Why this one and not the other, in a sentence. */
  readonly modeReason: string;
}

/** A WebSocket, as far as draining uses it. */
export interface ClosableWebSocket {
  /** 3 when it is closed. */
  readonly readyState: number;
  /** Begins to close it. */
  close(code?: number, reason?: string): void;
}

/**
 * How a server ends without losing a request: it stops accepting, answers what
 * was accepted, and tells each client to use another connection.
 */
export interface DrainOptions {
  /**
   * Signals to drain on, such as `SIGTERM`, which systemd stops services with.
   * By default none: the program handles them, and calls `shutdown()`. A program
   * may have handlers of its own beside it. The process then ends by itself,
   * with the exit status 0, when nothing else keeps it alive; a second signal
   * has its usual effect.
   */
  readonly signals?: readonly string[];
  /**
   * After how many milliseconds of draining what is still going on is cut off:
   * 30,000 by default. Keep it below `TimeoutStopSec=` (systemd: 90 seconds).
   */
  readonly timeout?: number;
  /**
   * After how many milliseconds without a connection to drain and end the
   * process, with the exit status 0: the service manager starts it again with
   * the next connection. By default it goes on. All servers of the process must
   * be idle, each for its own time; one without it keeps the process. So do an
   * open listener, unless it is unref'd once it is open, and its connections; not
   * those of `adopt()`. The first connection is waited for a second at least,
   * where nothing tells whether it is there. Where nothing was handed over,
   * nothing happens: nobody would start the process again.
   */
  readonly idleTimeout?: number;
  /**
   * The WebSockets that are open, looked at when draining begins: each is closed
   * with the code 1001. A `Set` that the program keeps, or `clients` of a server
   * of `ws`. `Bun.serve` knows its own.
   */
  readonly webSockets?: Iterable<ClosableWebSocket>;
}
