/**
 * The part of the graceful shutdown that `Deno.serve` and `Bun.serve` share.
 *
 * @module
 */

import type { Address } from "../core/address.ts";
import type { OpenConnections } from "../linux/connections.ts";
import type { TcpTraffic } from "../linux/tcp_traffic.ts";
import type { ListenSockets } from "../runtime/adoption/listen_sockets.ts";
import type { RequestTracker } from "../runtime/http/request_tracker.ts";
import type { ServerContext } from "../runtime/server_context.ts";
import type { GracefulServer } from "../runtime/backend.ts";
import { delay } from "../runtime/timers.ts";
import { shutdownTimes } from "./times.ts";

/** Longest interval between two looks at the connections. */
const MAX_TICKS = 10;

/** A server of the runtime's own on all sockets of a name. */
export abstract class NativeServer implements GracefulServer {
  abstract readonly addresses: readonly (Address | undefined)[];
  readonly context?: ServerContext;
  protected readonly sockets: ListenSockets;
  protected readonly tracker: RequestTracker;
  /** The traffic while the server drains. */
  protected traffic: TcpTraffic | undefined;
  /** Whether all connections were closed at once. */
  protected isCut = false;

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
    this.traffic ??= this.sockets.watchTraffic();
  }

  connections(): OpenConnections | undefined {
    this.traffic?.update();
    return this.sockets.connections();
  }

  /**
   * Waits until all connections are closed: those that were upgraded, and those on
   * which a request has begun, are open after the runtime's own stop.
   */
  protected async connectionsClosed(): Promise<void> {
    for (let ticks = 1; !this.isCut; ticks++) {
      if (!this.sockets.mayHaveConnections()) return;
      this.traffic?.endUnused();
      // A process may have many connections, and a client much time.
      await delay(shutdownTimes.tickMs * Math.min(ticks, MAX_TICKS));
    }
  }

  abstract closeGracefully(): Promise<void>;
  abstract closeAllConnections(): void;
  abstract ref(): void;
  abstract unref(): void;
}
