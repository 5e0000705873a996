/**
 * Addresses as `node:net` gives them, on each of the runtimes.
 *
 * @module
 */

import type * as net from "node:net";
import { type Address, canonicalIpv6 } from "../core/address.ts";

/**
 * Reads a numeric address and port.
 *
 * @param hostname The address; may have a scope id, which is left off, since
 * `/proc` doesn't show it either.
 * @param port The port.
 * @returns The address, or `undefined` if there is none.
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

/**
 * Reads where a server listens.
 *
 * @param server The server.
 * @returns The address, or `undefined` where the runtime doesn't tell: all of
 * them for a Unix socket that was inherited.
 */
export function serverAddress(server: net.Server): Address | undefined {
  const address = server.address();
  if (typeof address === "string") {
    return address.startsWith("\0")
      ? { kind: "unix-abstract", name: address.slice(1) }
      : { kind: "unix", path: address };
  }
  return inetAddress(address?.address, address?.port);
}
