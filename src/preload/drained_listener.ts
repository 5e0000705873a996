/**
 * Draining the listeners of `Bun.listen` and `Deno.listen`, which know nothing of
 * their connections.
 *
 * @module
 */

import type { Address } from "../core/address.ts";
import type { ListenSockets } from "../runtime/adoption/listen_sockets.ts";
import type { GracefulServer } from "../runtime/backend.ts";
import { delay } from "../runtime/timers.ts";
import type { HandedSockets } from "./handed_sockets.ts";

/** Interval of looking for open connections. */
const LOOK_MS = 20;

/** What a listener has on each runtime. */
interface ReferencedListener {
  ref(): void;
  unref(): void;
}

/** A listener that stops accepting, and waits for the ends of its connections. */
class DrainedListener implements GracefulServer {
  readonly isInherited = true;
  readonly totalRequests = 0;
  readonly #listener: ReferencedListener;
  readonly #sockets: ListenSockets;
  readonly #closed: PromiseWithResolvers<void> = Promise.withResolvers();
  #isOver = false;

  constructor(listener: ReferencedListener, sockets: ListenSockets) {
    this.#listener = listener;
    this.#sockets = sockets;
  }

  get addresses(): readonly (Address | undefined)[] {
    return this.#sockets.addresses;
  }

  /** Settles when the program has closed the listener. */
  get ended(): Promise<void> {
    return this.#closed.promise;
  }

  /** The program has closed the listener; its connections stay open. */
  end(): void {
    this.#closed.resolve();
  }

  pause(): void {
    this.#sockets.pause();
  }

  resume(): void {
    this.#sockets.resume();
  }

  hasPending(): boolean {
    return this.#sockets.hasPending();
  }

  closeConnectionsAfterResponses(): void {}

  connections() {
    return this.#sockets.connections();
  }

  /** The program, or the client, ends each connection. */
  async closeGracefully(): Promise<void> {
    while (!this.#isOver && this.#sockets.mayHaveConnections()) {
      await delay(LOOK_MS);
    }
  }

  closeAllConnections(): void {
    this.#isOver = true;
    this.#sockets.endConnections();
    this.unref();
  }

  ref(): void {
    this.#listener.ref();
  }

  unref(): void {
    this.#listener.unref();
  }
}

/**
 * Makes a listener drain with the servers.
 *
 * @returns A function to call when the program has closed it.
 */
export function drainListener(
  handed: HandedSockets,
  listener: ReferencedListener,
  sockets: ListenSockets,
): () => void {
  const server = new DrainedListener(listener, sockets);
  handed.begin(server);
  return () => server.end();
}
