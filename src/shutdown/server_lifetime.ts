/**
 * The lifetime of a server: it ends on a signal, by a call of the program, or
 * with an error of the runtime.
 *
 * @module
 */

import type { GracefulServer } from "../runtime/backend.ts";
import type { Platform } from "../runtime/platform.ts";
import { drain } from "./drain.ts";
import type { EndSettings } from "./options.ts";
import { shutdownOnSignals } from "./signals.ts";

/** The servers of this process that serve, and have not begun to end. */
export const runningServers: Set<ServerLifetime> = new Set();
/** The servers of this process that drain. */
export const drainingServers: Set<ServerLifetime> = new Set();

/** The lifetime of one server. */
export class ServerLifetime {
  readonly server: GracefulServer;
  /** Time that its shutdown takes at most. */
  timeoutMs: number;
  /** Whether the program has set that time itself. */
  hasOwnTimeout: boolean;
  readonly #platform: Platform;
  #settings: EndSettings;
  readonly #finish: PromiseWithResolvers<void> = Promise.withResolvers();
  #ignoreSignals = (): void => {};
  #ignoreAbort = (): void => {};
  #isDraining = false;
  #hasEnded = false;

  constructor(
    platform: Platform,
    server: GracefulServer,
    settings: EndSettings,
  ) {
    this.server = server;
    this.#platform = platform;
    this.#settings = settings;
    this.timeoutMs = settings.timeoutMs;
    this.hasOwnTimeout = settings.hasOwnTimeout;
    runningServers.add(this);
    this.configure(settings);
    server.ended?.then(() => {
      // A drain continues after the runtime's server has ended, and ends this.
      if (!this.#isDraining && !this.#hasEnded) this.#end();
    }, (error) => this.#hasEnded || this.#fail(error));
  }

  /** Takes the settings of a program that is evaluated again. */
  configure(settings: EndSettings): void {
    if (this.#isDraining || this.#hasEnded) return;
    const { isGraceful = this.server.isInherited, signals, timeoutMs } =
      settings;
    this.#settings = settings;
    this.timeoutMs = timeoutMs;
    this.hasOwnTimeout = settings.hasOwnTimeout;
    this.#ignoreSignals();
    this.#ignoreSignals = isGraceful
      ? shutdownOnSignals(this.#platform, signals, this)
      : () => {};
  }

  /** Resolves when the server has ended; rejects if it failed. */
  get finished(): Promise<void> {
    return this.#finish.promise;
  }

  get isDraining(): boolean {
    return drainingServers.has(this);
  }

  /** Whether a graceful shutdown has begun, or is over. */
  get hasBegunShutdown(): boolean {
    return this.#isDraining;
  }

  /**
   * Ends the server without losing a request.
   *
   * @param settings Settings that differ from those at the start.
   */
  shutdown(
    settings: Partial<Pick<EndSettings, "timeoutMs" | "webSockets">> = {},
  ): Promise<void> {
    if (!this.#isDraining && !this.#hasEnded) {
      this.#isDraining = true;
      // A signal that arrives meanwhile waits for this shutdown.
      runningServers.delete(this);
      drainingServers.add(this);
      const { timeoutMs, webSockets } = { ...this.#settings, ...settings };
      this.timeoutMs = timeoutMs;
      if (settings.timeoutMs !== undefined) this.hasOwnTimeout = true;
      drain(this.server, timeoutMs, webSockets)
        .then(() => this.#end(), (error) => this.#fail(error));
    }
    return this.finished;
  }

  /** Ends the server as `stop()` of Bun does: gracefully, or at once. */
  readonly stop = (now?: boolean): Promise<void> => {
    return now ? this.close() : this.shutdown();
  };

  /** Ends the server at once. */
  close(): Promise<void> {
    const { server, finished } = this;
    // After the end, the fds of the sockets may belong to other descriptors.
    if (this.#hasEnded) return finished;
    this.#hasEnded = true;
    this.#unregister();
    server.pause();
    server.context?.beginShutdown();
    server.closeAllConnections();
    if (server.closed === undefined) this.#end();
    else server.closed().then(() => this.#end());
    return finished;
  }

  /** Ends the server at once when a signal is aborted, or if it is already. */
  closeOnAbort(signal: AbortSignal | undefined): void {
    if (this.#hasEnded) return;
    this.#ignoreAbort();
    this.#ignoreAbort = () => {};
    if (signal === undefined) return;
    const close = () => void this.close();
    if (signal.aborted) return close();
    signal.addEventListener("abort", close, { once: true });
    this.#ignoreAbort = () => signal.removeEventListener("abort", close);
  }

  /** Removes the server from signals and from the exit on idle. */
  #unregister(): void {
    runningServers.delete(this);
    drainingServers.delete(this);
    this.#ignoreSignals();
    this.#ignoreAbort();
  }

  #end(): void {
    this.#hasEnded = true;
    this.#unregister();
    this.#finish.resolve();
  }

  /** Reports an error through `finished`, as the runtime's own server does. */
  #fail(error: unknown): void {
    this.#hasEnded = true;
    this.#unregister();
    this.#finish.reject(error);
  }
}
