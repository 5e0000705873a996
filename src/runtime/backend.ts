/**
 * The interface of a backend: the servers and listeners behind the neutral
 * `serve` and `listen`.
 *
 * @module
 */

import type { Address } from "../core/address.ts";
import type {
  ClosableWebSocket,
  Connection,
  RuntimeName,
  ServeHandler,
  ServeOptions,
} from "../core/types.ts";
import type { OpenConnections } from "../linux/connections.ts";
import type { ServerContext } from "./server_context.ts";
import type { ListenSource, Platform } from "./platform.ts";

/** The servers of one runtime, or the portable path (`node`). */
export interface Backend {
  readonly name: RuntimeName;
  /** Creates a server on all sockets of a source, or none. */
  serve(
    platform: Platform,
    source: ListenSource,
    handler: ServeHandler,
    onError: ServeOptions["onError"],
    context: ServerContext,
    action: string,
  ): GracefulServer | Promise<GracefulServer>;
  /** Creates a listener for each socket of a source, or none. */
  listen(
    platform: Platform,
    source: ListenSource,
    action: string,
  ): ConnectionListener[] | Promise<ConnectionListener[]>;
}

/** A server on all sockets of a name, which ends in steps so that no request is lost. */
export interface GracefulServer {
  /** The address of each socket, in order, where it is known. */
  readonly addresses: readonly (Address | undefined)[];
  readonly isInherited: boolean;
  /** Total number of requests received. */
  readonly totalRequests: number;
  /** The state that its requests share, if a fetch handler answers them. */
  readonly context?: ServerContext;
  /** The open WebSockets that the server itself knows. */
  readonly webSockets?: Iterable<ClosableWebSocket>;
  /** Settles when the runtime's own server has ended or failed. */
  readonly ended?: Promise<unknown> | undefined;
  /** Stops accepting; new connections wait for the next process that listens. */
  pause(): void;
  /** Accepts again, where that is possible. */
  resume?(): void;
  /** Whether a connection waits to be accepted, where that can be known. */
  hasPending?(): boolean;
  /** From now on, each response tells its client that the connection ends. */
  closeConnectionsAfterResponses(): void;
  /** The open connections; `undefined` where they are unknown. */
  connections(): OpenConnections | undefined;
  /**
   * Closes idle connections, and the others after their responses. Resolves when
   * all are closed.
   */
  closeGracefully(): Promise<void>;
  closeAllConnections(): void;
  /** Resolves when the runtime has reported the end of the server. */
  closed?(): Promise<void>;
  /** Makes the methods that end the runtime's own server call a function. */
  merge?(stop: (now?: boolean) => Promise<void>): unknown;
  /** Keeps the process alive, as from the start. */
  ref(): void;
  /** Lets the process end although this serves. */
  unref(): void;
}

/** A listener for stream connections on one socket. */
export interface ConnectionListener {
  /** The address of the socket, where it is known. */
  readonly address: Address | undefined;
  /** Passes all connections to a function, those accepted before first. */
  attach(onConnection: (connection: Connection) => void): void;
  /**
   * Stops accepting; accepted connections stay open. The path of a fallback is
   * removed when the result settles.
   */
  close(): void | Promise<void>;
  /** Whether an accepted connection is open, or may be. */
  hasConnections(): boolean;
  ref(): void;
  unref(): void;
}
