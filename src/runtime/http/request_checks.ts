/**
 * Requests that can't be a `Request`, although a server accepts them.
 *
 * @module
 */

/** Checks for the methods that the constructor of `Request` refuses. */
export function isForbiddenMethod(method: string | undefined): boolean {
  return method === "CONNECT" || method === "TRACE" || method === "TRACK";
}

/**
 * Checks that a `Host` header has no more than a host and a port: anything else
 * would change the path of the URL.
 */
export function isHost(text: string): boolean {
  return /^[^\s/?#@\\]*$/.test(text);
}
