/**
 * Addresses of sockets as the runtimes report them.
 *
 * @module
 */

import { type Address, canonicalIpv6 } from "../core/address.ts";

/**
 * Reads a numeric address and port. A scope id is left off, because `/proc`
 * doesn't show it either.
 */
export function inetAddress(
  hostname: string | undefined,
  port: number | undefined,
): Address | undefined {
  if (!hostname || port === undefined) return undefined;
  return hostname.includes(":")
    ? { kind: "ipv6", hostname: canonicalIpv6(hostname.split("%")[0]!), port }
    : { kind: "ipv4", hostname, port };
}
