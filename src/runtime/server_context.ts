/**
 * The state that the requests of one server share.
 *
 * @module
 */

/** The server itself, and the signal that it begins to shut down. */
export class ServerContext {
  /** The runtime's own server. */
  server: unknown;
  #controller: AbortController | undefined;
  #isShuttingDown = false;

  /** Aborted when the server begins to shut down; created at the first access. */
  get shutdownSignal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isShuttingDown) this.#controller.abort(shutdownReason());
    return this.#controller.signal;
  }

  beginShutdown(): void {
    if (this.#isShuttingDown) return;
    this.#isShuttingDown = true;
    this.#controller?.abort(shutdownReason());
  }
}

function shutdownReason(): DOMException {
  return new DOMException("The server is shutting down", "AbortError");
}
