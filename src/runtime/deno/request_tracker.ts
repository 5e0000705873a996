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

/**
 * Tracks the requests of a handler. The result has as many parameters as the
 * handler, because Deno creates no more than these, and is faster with fewer.
 */
export function trackHandler(
  handler: Deno.ServeHandler<Deno.Addr>,
  tracker: DenoRequestTracker,
): Deno.ServeHandler<Deno.Addr> {
  const call = handler as (
    ...args: unknown[]
  ) => Response | Promise<Response>;
  switch (call.length) {
    case 0:
      return () => {
        tracker.total++;
        return tracker.track(call());
      };
    case 1:
      return (request) => {
        tracker.begin(request);
        return tracker.track(call(request));
      };
    default:
      return (request, info) => {
        tracker.begin(request);
        return tracker.track(call(request, info));
      };
  }
}

/**
 * Tracks also whether responses are sent, for TLS, where clients may speak
 * HTTP/2: on that, Deno's `shutdown()` cancels responses that are being sent.
 */
export function trackSending(
  handler: Deno.ServeHandler<Deno.Addr>,
  tracker: DenoRequestTracker,
): Deno.ServeHandler<Deno.Addr> {
  return (request, info) => {
    tracker.begin(request, true);
    tracker.awaitSent(info.completed);
    return tracker.track(handler(request, info));
  };
}
