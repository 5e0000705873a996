/**
 * Types that users see. They need no types of any runtime.
 *
 * @module
 */

import type { Address } from "./core/address.ts";

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

/** What a handler is told of a request beside the `Request`. */
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
