/**
 * What the neutral `serve` and `listen` stand on: the runtime's own servers, or
 * the portable path.
 *
 * @module
 */

import type { Address } from "../core/address.ts";
import type {
  ClosableWebSocket,
  Connection,
  ServeErrorHandler,
  ServeHandler,
} from "../core/types.ts";
import type { Endpoint } from "./node/acceptor.ts";
import type { Drainable } from "../shutdown/drain.ts";
import type { Runtime } from "./platform.ts";

/** What keeps the process alive, and lets it end. */
export interface Refs {
  /** Keeps the process alive. */
  ref(): void;
  /** Lets the process end. */
  unref(): void;
}

/** A server for a fetch handler, on all endpoints of a name. */
export interface FetchBackend extends Refs {
  /** How it is ended. */
  readonly server: Drainable;
  /** Where it listens. */
  readonly addresses: readonly (Address | undefined)[];
  /** The WebSockets that it knows. */
  readonly webSockets?: Iterable<ClosableWebSocket>;
  /** Settles when the server has ended, or failed, on its own account. */
  readonly ended?: Promise<unknown>;
}

/** A listener for stream connections at one endpoint. */
export interface StreamBackend extends Refs {
  /** Where it listens. */
  readonly address: Address | undefined;
  /** Hands all connections, also those that came before, to a function. */
  attach(onConnection: (connection: Connection) => void): void;
  /** Stops accepting. What was accepted lives on. */
  close(): void;
  /** Whether something that was accepted is open still, as far as is known. */
  isBusy(): boolean;
}

/** What is to be served. */
export interface FetchService {
  /** Answers a request. */
  readonly handler: ServeHandler;
  /** Answers where the handler threw. */
  readonly onError: ServeErrorHandler | undefined;
}

/** How servers and listeners come about. */
export interface Backends {
  /** Makes a server at all endpoints, or at none. */
  serve(
    runtime: Runtime,
    endpoints: readonly [Endpoint, ...Endpoint[]],
    service: FetchService,
    doing: string,
  ): Promise<FetchBackend>;
  /** Makes listeners at all endpoints, or at none. */
  listen(
    runtime: Runtime,
    endpoints: readonly [Endpoint, ...Endpoint[]],
    doing: string,
  ): Promise<readonly StreamBackend[]>;
}
