/**
 * Counting the requests of a server of Deno's, and noticing those of HTTP/2.
 *
 * @module
 */

import { RequestTracker } from "../http/request_tracker.ts";

/** One of so many requests is looked at, because headers take a while to read. */
const SAMPLE_SIZE = 64;

/** Tracks the requests of one server. */
export class DenoRequestTracker extends RequestTracker {
  #hasHttp2 = false;

  /** Whether a client was seen that speaks HTTP/2. */
  get hasHttp2(): boolean {
    return this.#hasHttp2;
  }

  /**
   * Counts a request.
   *
   * @param isTls Whether clients may choose HTTP/2, which few do without TLS.
   */
  begin(request: Request, isTls = false): void {
    const isSampled = isTls || this.total % SAMPLE_SIZE === 0;
    this.total++;
    if (!isSampled || this.#hasHttp2) return;
    // HTTP/2 has a pseudo-header in its place (RFC 9113, 8.3.1).
    this.#hasHttp2 = !request.headers.has("host");
  }
}
