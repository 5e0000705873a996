/**
 * The part of the graceful shutdown that `Deno.serve` and `Bun.serve` share.
 *
 * @module
 */

import type { Address } from "../core/address.ts";
import type { OpenConnections } from "../linux/connections.ts";
import type { ListenSockets } from "../runtime/adoption/listen_sockets.ts";
import type { RequestTracker } from "../runtime/http/request_tracker.ts";
import type { ServerContext } from "../runtime/server_context.ts";
import type { GracefulServer } from "../runtime/backend.ts";

/** A server of the runtime's own on all sockets of a name. */
export abstract class NativeServer implements GracefulServer {
  abstract readonly addresses: readonly (Address | undefined)[];
  readonly context?: ServerContext;
  protected readonly sockets: ListenSockets;
  protected readonly tracker: RequestTracker;

  /** @param first The runtime's own server that stands for all. */
  constructor(
    first: object,
    sockets: ListenSockets,
    tracker: RequestTracker,
    context: ServerContext | undefined,
  ) {
    this.sockets = sockets;
    this.tracker = tracker;
    if (context === undefined) return;
    this.context = context;
    context.server = first;
  }

  get isInherited(): boolean {
    return this.sockets.areInherited;
  }

  get totalRequests(): number {
    return this.tracker.total;
  }

  pause(): void {
    this.sockets.pause();
  }

  resume(): void {
    this.sockets.resume();
  }

  hasPending(): boolean {
    return this.sockets.hasPending();
  }

  closeConnectionsAfterResponses(): void {
    this.tracker.closeConnectionsAfterResponses();
  }

  connections(): OpenConnections | undefined {
    return this.sockets.connections();
  }

  abstract closeGracefully(): Promise<void>;
  abstract closeAllConnections(): void;
  abstract ref(): void;
  abstract unref(): void;
}
