/**
 * The bytes of a `struct sockaddr` on Linux, read into an address. All machines
 * that it is read on are little-endian.
 *
 * @module
 */

import { type Address, formatIpv6 } from "./address.ts";

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
const AF_VSOCK = 40;

/** Where the address begins in a `struct sockaddr_un`, after the family. */
const UNIX_PATH_OFFSET = 2;

/**
 * Reads a socket address, as `getsockname(2)` and `getpeername(2)` give it.
 *
 * @param bytes The structure, cut to the length that the call returned.
 * @returns The address; `undefined` for a family that isn't known here, for
 * less bytes than the family has, or for a path that is no UTF-8.
 */
export function decodeSockaddr(bytes: Uint8Array): Address | undefined {
  if (bytes.length < UNIX_PATH_OFFSET) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (view.getUint16(0, true)) {
    case AF_UNIX:
      return decodeUnix(bytes.subarray(UNIX_PATH_OFFSET));
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
  // The length counts for an abstract name, which may hold NUL bytes; a path
  // ends at the first.
  if (path[0] === 0) {
    const name = decodeText(path.subarray(1));
    return name === undefined ? undefined : { kind: "unix-abstract", name };
  }
  const end = path.indexOf(0);
  const text = decodeText(end < 0 ? path : path.subarray(0, end));
  return text === undefined ? undefined : { kind: "unix", path: text };
}

/** Text as it is; `undefined` for bytes that are none and couldn't be given back. */
function decodeText(bytes: Uint8Array): string | undefined {
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
    UNIX_PATH_OFFSET + text.length + (isAbstract ? 0 : 1),
  );
  bytes.set(text, UNIX_PATH_OFFSET);
  if (isAbstract) bytes[UNIX_PATH_OFFSET] = 0;
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
  for (const [index, group] of ipv6Groups(hostname).entries()) {
    view.setUint16(8 + 2 * index, group);
  }
  view.setUint32(24, scopeId, true);
  return bytes;
}

/** Parses the eight 16-bit groups of an IPv6 address. */
function ipv6Groups(hostname: string): number[] {
  const hex = hostname.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_, a, b, c, d) =>
      [(+a << 8) | +b, (+c << 8) | +d].map((group) => group.toString(16))
        .join(":"),
  );
  const [head, tail] = hex.split("::") as [string, string?];
  const parse = (text: string | undefined) =>
    text ? text.split(":").map((group) => parseInt(group, 16)) : [];
  const [first, last] = [parse(head), parse(tail)];
  const gap = Array<number>(8 - first.length - last.length).fill(0);
  return [...first, ...gap, ...last];
}
