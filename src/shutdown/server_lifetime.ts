/**
 * The lifetime of a server: it ends on a signal, by a call of the program, or
 * with an error of the runtime.
 *
 * @module
 */

import type { ClosableWebSocket, DrainOptions } from "../core/types.ts";
import { processGlobal } from "../runtime/builtin.ts";
import { drain } from "./drain.ts";
import type { GracefulServer } from "../runtime/backend.ts";
import type { readDrainOptions } from "./options.ts";

/** The servers of this process that serve, and have not begun to end. */
export const runningServers: Set<ServerLifetime> = new Set();
/** The servers of this process that drain. */
export const drainingServers: Set<ServerLifetime> = new Set();

/** The lifetime of one server. */
export class ServerLifetime {
  readonly server: GracefulServer;
  readonly #settings: ReturnType<typeof readDrainOptions>;
  readonly #finish: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #onSignal: () => void;
  #isDraining = false;
  #hasEnded = false;

  constructor(
    server: GracefulServer,
    settings: ReturnType<typeof readDrainOptions>,
  ) {
    this.server = server;
    this.#settings = settings;
    this.#onSignal = () => void this.drain();
    for (const signal of settings.signals) {
      processGlobal()!.on(signal, this.#onSignal);
    }
    runningServers.add(this);
    server.ended?.then(() => {
      // A drain goes on after that, with what belongs to this lifetime.
      if (!this.#isDraining) this.#end();
    }, (error) => this.#fail(error));
  }

  /** Resolves when the server has ended; rejects if it failed. */
  get finished(): Promise<void> {
    return this.#finish.promise;
  }

  get isDraining(): boolean {
    return drainingServers.has(this);
  }

  /**
   * Ends the server without losing a request.
   *
   * @param options Settings that differ from those at the start.
   */
  drain(
    options: Pick<DrainOptions, "timeout" | "webSockets"> = {},
  ): Promise<void> {
    if (!this.#isDraining && !this.#hasEnded) {
      const { timeout = this.#settings.timeout } = options;
      const { webSockets = this.#settings.webSockets ?? [] } = options;
      this.#isDraining = true;
      this.#unregister();
      drainingServers.add(this);
      const open: ClosableWebSocket[] = [
        ...webSockets,
        ...this.server.webSockets ?? [],
      ];
      drain(this.server, timeout, open)
        .then(() => this.#end(), (error) => this.#fail(error));
    }
    return this.finished;
  }

  /** Ends the server at once. */
  close(): void {
    // The numbers of its sockets may belong to other descriptors by now.
    if (this.#hasEnded) return;
    this.#unregister();
    this.server.pause();
    this.server.closeAllConnections();
    this.#end();
  }

  /** No signal and no exit on idle concerns it any more. */
  #unregister(): void {
    runningServers.delete(this);
    drainingServers.delete(this);
    for (const signal of this.#settings.signals) {
      processGlobal()!.off(signal, this.#onSignal);
    }
  }

  #end(): void {
    this.#hasEnded = true;
    this.#unregister();
    this.#finish.resolve();
  }

  /** The program learns it as an error of the runtime's own server. */
  #fail(error: unknown): void {
    this.#hasEnded = true;
    this.#unregister();
    this.#finish.reject(error);
  }
}
