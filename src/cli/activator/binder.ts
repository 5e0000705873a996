/**
 * What binds sockets and holds them, without accepting from them. There are two
 * ways, with the same outcome: `libc_binder.ts` where the runtime can call the C
 * library, `parked_binder.ts` elsewhere.
 *
 * @module
 */

import type {
  SocketAddress,
  SocketOptions,
  SocketSpec,
} from "../shared/socket_spec.ts";

/** Sockets that are bound. */
export interface Bound {
  /** The descriptors in this process, in order, which nothing else uses. */
  readonly fds: readonly number[];
  /** The ports that they are bound to; `undefined` where there are none. */
  readonly ports: readonly (number | undefined)[];
  /**
   * Makes the descriptors blocking, as a service manager hands them over. The
   * flag belongs to the socket, so a program leaves its own wish in it.
   */
  makeBlocking(): void;
  /** Whether a connection or a packet waits in any of them. */
  isWaiting(): boolean;
  /**
   * Waits for a connection to one of the listeners, and accepts it.
   *
   * @param onConnection Told of each connection until that is stopped.
   * @returns What stops it.
   */
  accept(onConnection: (connection: AcceptedConnection) => void): () => void;
  /** Closes the descriptors; paths stay. */
  close(): Promise<void>;
}

/** A connection that was accepted. */
export interface AcceptedConnection {
  /** The listener's index. */
  readonly index: number;
  /** The blocking descriptor. */
  readonly fd: number;
  /** The peer's numeric address; `undefined` for a Unix socket. */
  readonly hostname: string | undefined;
  /** The peer's port. */
  readonly port: number | undefined;
  /** Closes it in this process. */
  close(): void;
}

/** Binds sockets. */
export interface Binder {
  /** Whether it can make such sockets. */
  canBind(kind: SocketAddress["kind"]): boolean;
  /** Whether it can tell that somebody waits. */
  readonly seesWaiting: boolean;
  /** The options that it can't set. */
  ignoredOptions(options: SocketOptions): string[];
  /**
   * Binds sockets in order, all or none.
   *
   * @param specs The sockets, with numeric addresses.
   * @param willAccept Whether connections will be accepted here.
   * @throws {BindFailure} If one can't be bound.
   */
  bind(specs: readonly SocketSpec[], willAccept: boolean): Promise<Bound>;
}

/** A socket that couldn't be bound. */
export class BindFailure extends Error {
  /** Which socket. */
  readonly index: number;
  /** The error's name, such as `EADDRINUSE`. */
  readonly code: string;

  /** Makes the error. */
  constructor(index: number, code: string, options?: ErrorOptions) {
    super(code, options);
    this.name = "BindFailure";
    this.index = index;
    this.code = code;
  }
}

/** How many connections may wait, unless the socket says otherwise. */
export const DEFAULT_BACKLOG = 4096;
