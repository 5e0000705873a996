/**
 * The bytes of a `struct sockaddr` on Linux, read into an address. All machines
 * that it is read on are little-endian.
 *
 * @module
 */

import { type Address, formatIpv6 } from "./address.ts";

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
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
