/**
 * The decoder and encoder of Linux's `struct sockaddr`. Every supported machine is
 * little-endian; ports and IP addresses are in network byte order.
 *
 * @module
 */

import { type Address, formatIpv6, parseIpv6 } from "./address.ts";

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_VSOCK = 40;

/** The size of `sa_family`, which begins every `struct sockaddr`. */
const FAMILY_SIZE = 2;

/**
 * Decodes a socket address from `getsockname(2)` or `getpeername(2)`.
 *
 * @param bytes The structure, cut to the length that the call returned.
 * @returns The address; `undefined` for an unsupported family, for too few bytes,
 * or for a path or name that isn't UTF-8.
 */
export function decodeSockaddr(bytes: Uint8Array): Address | undefined {
  if (bytes.length < FAMILY_SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (view.getUint16(0, true)) {
    case AF_UNIX:
      return decodeUnix(bytes.subarray(FAMILY_SIZE));
    case AF_INET:
      if (bytes.length < 8) return undefined;
      return {
        kind: "ipv4",
        hostname: bytes.subarray(4, 8).join("."),
        port: view.getUint16(2),
      };
    case AF_INET6: {
      if (bytes.length < 28) return undefined;
      const scopeId = view.getUint32(24, true);
      return {
        kind: "ipv6",
        hostname: formatIpv6(bytes.subarray(8, 24)),
        port: view.getUint16(2),
        ...(scopeId !== 0 && { scopeId }),
      };
    }
    case AF_NETLINK:
      if (bytes.length < 12) return undefined;
      return {
        kind: "netlink",
        portId: view.getUint32(4, true),
        groups: view.getUint32(8, true),
      };
    case AF_VSOCK:
      if (bytes.length < 12) return undefined;
      return {
        kind: "vsock",
        port: view.getUint32(4, true),
        contextId: view.getUint32(8, true),
      };
    default:
      return undefined;
  }
}

function decodeUnix(path: Uint8Array): Address | undefined {
  if (path.length === 0) return { kind: "unix-unnamed" };
  // unix(7): an abstract name fills the length and may contain NUL bytes, a path
  // ends at the first NUL byte.
  if (path[0] === 0) {
    const name = decodeUtf8(path.subarray(1));
    return name === undefined ? undefined : { kind: "unix-abstract", name };
  }
  const end = path.indexOf(0);
  const text = decodeUtf8(end < 0 ? path : path.subarray(0, end));
  return text === undefined ? undefined : { kind: "unix", path: text };
}

/** Decodes UTF-8 exactly; `undefined` for bytes that can't be encoded back. */
function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes);
  } catch {
    return undefined;
  }
}

/** Encodes a `struct sockaddr_un`; an `@` in front stands for a NUL byte. */
export function encodeUnix(path: string): Uint8Array {
  const text = new TextEncoder().encode(path);
  const isAbstract = path.startsWith("@");
  // A path ends with a NUL byte; an abstract name with the structure.
  const bytes = new Uint8Array(
    FAMILY_SIZE + text.length + (isAbstract ? 0 : 1),
  );
  bytes.set(text, FAMILY_SIZE);
  if (isAbstract) bytes[FAMILY_SIZE] = 0;
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
  return bytes;
}

/** Encodes a `struct sockaddr_in`. */
export function encodeIpv4(hostname: string, port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  bytes.set(hostname.split(".").map(Number), 4);
  return bytes;
}

/**
 * Encodes a `struct sockaddr_in6`.
 *
 * @param hostname The address as `canonicalIpv6()` returns it.
 */
export function encodeIpv6(
  hostname: string,
  port: number,
  scopeId: number,
): Uint8Array {
  const bytes = new Uint8Array(28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET6, true);
  view.setUint16(2, port);
  bytes.set(parseIpv6(hostname)!, 8);
  view.setUint32(24, scopeId, true);
  return bytes;
}

/** Encodes a `struct sockaddr_vm`. */
export function encodeVsock(contextId: number, port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_VSOCK, true);
  view.setUint32(4, port, true);
  view.setUint32(8, contextId, true);
  return bytes;
}
