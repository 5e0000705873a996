/**
 * Counting the requests of a fetch handler, and announcing with each response
 * that the connection ends.
 *
 * @module
 */

import { isThenable } from "./fetch_handler.ts";
import { requestHook } from "./request_hook.ts";

/** Tracks the requests that the fetch handlers of one server receive. */
export class RequestTracker {
  /** Total number of requests received. */
  total = 0;
  /**
   * Number of requests that the handler has not answered yet, and of responses
   * being sent whose end is awaited.
   */
  pending = 0;
  #closesConnections = false;

  /** From now on, each response ends its connection. */
  closeConnectionsAfterResponses(): void {
    this.#closesConnections = true;
  }

  /** Whether each response ends its connection. */
  get closesConnections(): boolean {
    return this.#closesConnections;
  }

  /**
   * Returns the response of a handler, at once or when its promise settles, and
   * marks it if it ends its connection.
   */
  track<T>(response: T | Promise<T>): T | Promise<T> {
    requestHook.call?.();
    if (!isThenable(response)) return this.#mark(response);
    this.pending++;
    return Promise.resolve(response).then(this.#settle, this.#fail);
  }

  /** Counts a response as pending until it is sent, or can't be sent. */
  awaitSent(sent: Promise<void>): void {
    this.pending++;
    const settle = () => {
      this.pending--;
    };
    sent.then(settle, settle);
  }

  readonly #settle = <T>(response: T): T => {
    this.pending--;
    return this.#mark(response);
  };

  readonly #fail = (error: unknown): never => {
    this.pending--;
    throw error;
  };

  readonly #mark = <T>(response: T): T =>
    this.#closesConnections && response instanceof Response
      ? closeConnectionAfter(response) as T
      : response;
}

/**
 * Sets `Connection: close` (RFC 9112, 9.6) on a response, or on a copy where its
 * headers are immutable.
 */
export function closeConnectionAfter(response: Response): Response {
  // A WebSocket needs its connection; Response.error() has no headers.
  if (response.status === 101 || response.status === 0) return response;
  try {
    response.headers.set("connection", "close");
    return response;
  } catch {
    const { status, statusText } = response;
    const headers = new Headers(response.headers);
    headers.set("connection", "close");
    return new Response(response.body, { status, statusText, headers });
  }
}
