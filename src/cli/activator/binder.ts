/**
 * Interface of what binds sockets without accepting from them. Two binders have
 * the same outcome: `libc_binder.ts` where the runtime can call the C library,
 * `parked_binder.ts` elsewhere.
 *
 * @module
 */

import type {
  SocketAddress,
  SocketSettings,
  SocketSpec,
} from "../shared/socket_spec.ts";

/** SocketCalls bound by a {@linkcode Binder}. */
export interface BoundSockets {
  /** Descriptors in this process, in order; nothing else uses them. */
  readonly fds: readonly number[];
  /** Bound ports; `undefined` for Unix sockets. */
  readonly ports: readonly (number | undefined)[];
  /**
   * Makes the descriptors blocking, as a service manager hands them over. The
   * flag belongs to the socket, so each program may have changed it.
   */
  makeBlocking(): void;
  /**
   * Makes the descriptors non-blocking, for several programs on the same sockets:
   * one that accepts would wait for the next connection otherwise.
   */
  makeNonBlocking(): void;
  /** Returns true if a connection or a datagram waits in any socket. */
  isWaiting(): boolean;
  /** Accepts connections until the returned function is called. */
  accept(onConnection: (connection: AcceptedConnection) => void): () => void;
  /** Closes the descriptors; paths stay. */
  close(): Promise<void>;
}

/** An accepted connection. */
export interface AcceptedConnection {
  /** Index of the listener. */
  readonly index: number;
  /** Blocking descriptor. */
  readonly fd: number;
  /** Numeric address of the peer; `undefined` for a Unix socket. */
  readonly hostname: string | undefined;
  /** Port of the peer. */
  readonly port: number | undefined;
  /** Closes the descriptor in this process. */
  close(): void;
}

/** Binds sockets. */
export interface Binder {
  /** Returns true if the binder can create sockets of a kind. */
  canBind(kind: SocketAddress["kind"]): boolean;
  /** True if {@linkcode BoundSockets.isWaiting} works. */
  readonly seesWaiting: boolean;
  /** Returns the settings that the binder can't apply. */
  ignoredSettings(settings: SocketSettings): string[];
  /**
   * Binds sockets with numeric addresses in order, all or none.
   *
   * @param willAccept True if connections will be accepted in this process.
   * @throws {BindFailure} If a socket can't be bound.
   */
  bind(
    specs: readonly SocketSpec[],
    willAccept: boolean,
  ): Promise<BoundSockets>;
}

/** Binding a socket failed. */
export class BindFailure extends Error {
  /** Index of the socket. */
  readonly index: number;
  /** Name of the system error, such as `EADDRINUSE`. */
  readonly code: string;

  /** Creates the error. */
  constructor(index: number, code: string, options?: ErrorOptions) {
    super(code, options);
    this.name = "BindFailure";
    this.index = index;
    this.code = code;
  }
}

/** Backlog of sockets without a setting. */
export const DEFAULT_BACKLOG = 4096;
