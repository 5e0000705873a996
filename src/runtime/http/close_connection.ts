/**
 * Marking a response as the last one on its connection.
 *
 * @module
 */

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
