/**
 * The public options of how and when a server ends.
 *
 * @module
 */

/** A WebSocket, as far as a drain uses it. */
export interface ClosableWebSocket {
  /** 3 when the WebSocket is closed. */
  readonly readyState: number;
  /** Begins the closing handshake. */
  close(code?: number, reason?: string): void;
}

/**
 * How a server ends without losing a request: it stops accepting, answers the
 * accepted requests, and tells each client to use another connection.
 *
 * When a signal arrives, all servers of the process shut down at once.
 *
 * - If the program has no listeners for the signal, the process then ends by
 *   itself. If something still keeps it alive 5 seconds later, it is ended with
 *   the exit status 0. A second signal ends the process at once.
 * - If the program has listeners of its own, they decide when the process ends,
 *   for as long as `timeout`; then it is ended with the exit status 0.
 *
 * In a worker thread, signals have no effect on servers. On Deno, a listener that
 * `Deno.addSignalListener` has registered before the first server counts only
 * with `--allow-ffi`, because Deno doesn't report its listeners.
 */
export interface ShutdownOptions {
  /**
   * The signals to shut down on. systemd and container engines stop services with
   * `SIGTERM`.
   *
   * @default {["SIGTERM"]}
   */
  readonly signals?: readonly string[];
  /**
   * Milliseconds after which all that is still open is closed. Keep it below
   * `TimeoutStopSec=` (systemd: 90 seconds).
   *
   * @default {10_000}
   */
  readonly timeout?: number;
  /**
   * The open WebSockets, read again and again during the shutdown: each is closed
   * with the code 1001. A `Set` that the program maintains, or `clients` of a
   * server of `ws`. `Bun.serve` knows its own.
   */
  readonly webSockets?: Iterable<ClosableWebSocket>;
}

/** The options of how and when a server ends. */
export interface EndOptions {
  /**
   * How the server shuts down gracefully on a signal; `false` leaves signals to
   * the program.
   *
   * @default {true} for inherited sockets, `false` for a fallback address
   */
  readonly gracefulShutdown?: boolean | ShutdownOptions;
  /**
   * Milliseconds without a connection after which the servers shut down and the
   * process ends, with the exit status 0: the service manager starts it again
   * with the next connection. By default the process goes on.
   *
   * All servers of the process must be idle, each for its own time; a server
   * without a time keeps the process. So do the connections of a listener, and
   * an open listener until `unref()`; listeners of `adopt()` don't.
   * Where the accept queue can't be read, the server waits at least a second for
   * the first connection. Without inherited sockets nothing happens, because nothing
   * would start the process again.
   */
  readonly exitWhenIdle?: number;
  /**
   * Whether the service manager is notified by this process without a call of the
   * program, see `./notify`: when all inherited sockets are served, at half of
   * `WatchdogSec=`, and when the process is going to end.
   *
   * @default {true} in the process that `LISTEN_PID` names
   */
  readonly notify?: boolean;
}
