/**
 * Tracking the requests of a server of Bun's `node:http`, which uses
 * `Bun.serve`, and calls no handler of its options.
 *
 * @module
 */

import type * as http from "node:http";
import { requestHook } from "../http/request_hook.ts";
import type { RequestTracker } from "../http/request_tracker.ts";

/** The requests of one server. */
export class NodeRequests {
  readonly #tracker: RequestTracker;
  /** The responses that are not sent. */
  readonly #responses = new Set<http.ServerResponse>();

  constructor(tracker: RequestTracker) {
    this.#tracker = tracker;
  }

  /** Tracks a request until its response is sent, or its client is gone. */
  track(response: http.ServerResponse): void {
    this.#tracker.total++;
    requestHook.call?.();
    this.#tracker.pending++;
    this.#responses.add(response);
    if (this.#tracker.closesConnections) closeAfter(response);
    response.once("close", () => {
      this.#tracker.pending--;
      this.#responses.delete(response);
    });
  }

  /** Ends the connections after the responses that are not begun. */
  closeConnections(): void {
    for (const response of this.#responses) closeAfter(response);
  }
}

function closeAfter(response: http.ServerResponse): void {
  if (!response.headersSent) response.setHeader("connection", "close");
}
