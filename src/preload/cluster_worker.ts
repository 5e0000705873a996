/**
 * A worker of `node:cluster`, which ends when its primary has handed over all that
 * it has accepted.
 *
 * @module
 */

import type * as net from "node:net";
import { processGlobal } from "../runtime/builtin.ts";
import { waitAtMost } from "../runtime/timers.ts";

/** The handle of a listening socket. */
export interface ServerHandle {
  onconnection: (status: number, client: unknown) => void;
  close(): void;
  ref(): void;
  unref(): void;
}

/** What has such a handle. */
export type WithHandle = net.Server & {
  _handle?: ServerHandle | null;
  /** Listens on the handle that the server has. */
  _listen2(...args: unknown[]): void;
};

/** Longest time that a worker waits for its primary, on a machine under load. */
const PRIMARY_MS = 10_000;

/** The other process has ended, which is what was wanted. */
export function ignoreSendError(): void {}

// Node passes messages that begin like this past the program's own listeners.

/** From the primary: workers have all connections, so this one is to end. */
export const SHUTDOWN = "NODE_LISTENFDS_SHUTDOWN";
/** From a worker: a signal to stop has arrived. */
export const STOPPING = "NODE_LISTENFDS_STOPPING";

/** What a worker knows of its primary. */
export class ClusterWorker {
  readonly #process = processGlobal() as unknown as {
    on(event: string, listener: (message: { cmd?: string }) => void): void;
    send(message: object, callback: () => void): void;
    readonly connected: boolean;
    readonly channel?: { unref(): void };
  };
  readonly #stopped: PromiseWithResolvers<void> = Promise.withResolvers();
  /** Whether the primary accepts for a server of this process. */
  #isServed = false;

  /** @param stop Called when the primary asks this worker to end. */
  constructor(stop: () => void) {
    this.#process.on("internalMessage", ({ cmd }) => {
      if (cmd !== SHUTDOWN) return;
      this.#tell();
      this.#stopped.resolve();
      stop();
    });
    this.#process.on("disconnect", () => this.#stopped.resolve());
  }

  /** Remembers who accepts for a server that listens. */
  add(server: net.Server): void {
    const { _handle: handle } = server as WithHandle;
    if (!handle) return;
    // With `SCHED_NONE`, the worker has a handle of its own, of a class of Node.
    this.#isServed ||= Object.getPrototypeOf(handle) === Object.prototype;
  }

  /** Tells the primary that this worker stops. */
  #tell(): void {
    if (this.#process.connected) {
      this.#process.send({ cmd: STOPPING }, ignoreSendError);
    }
  }

  /**
   * Waits until the primary has handed over all that it has accepted: this worker
   * may be the last that takes it.
   */
  async primaryStopped(): Promise<void> {
    this.#tell();
    if (!this.#isServed || !this.#process.connected) return;
    await waitAtMost(PRIMARY_MS, this.#stopped.promise);
  }

  /** Lets this worker end, which the channel to its primary keeps. */
  release(): void {
    this.#process.channel?.unref();
  }
}
