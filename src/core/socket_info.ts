/**
 * From what the kernel says of a socket to what this library calls it.
 *
 * @module
 */

import type { Address } from "./address.ts";
import type { SocketFamily, SocketInfo, SocketType } from "./info.ts";

/** What the kernel says of a socket; `undefined` where it can't be told. */
export interface RawSocket {
  /** `SO_DOMAIN`: an address family, `AF_*`. */
  readonly domain?: number | undefined;
  /** `SO_TYPE`: `SOCK_*`. */
  readonly type?: number | undefined;
  /** `SO_PROTOCOL`: `IPPROTO_*`, or a protocol of the family. */
  readonly protocol?: number | undefined;
  /** `SO_ACCEPTCONN`: whether it listens. */
  readonly listening?: boolean | undefined;
  /** The address that it is bound to. */
  readonly address?: Address | undefined;
  /** The address of its peer. */
  readonly peer?: Address | undefined;
  /** Whether it has a peer, also where that one's address can't be told. */
  readonly connected?: boolean | undefined;
}

/** Address families by their number (`socket(2)`); others keep the number. */
const FAMILIES: Readonly<Record<number, SocketFamily>> = {
  1: "unix",
  2: "ipv4",
  10: "ipv6",
  16: "netlink",
  17: "packet",
  40: "vsock",
};

/** Socket types by their number; others keep it. */
const TYPES: Readonly<Record<number, SocketType>> = {
  1: "stream",
  2: "datagram",
  3: "raw",
  4: "rdm",
  5: "seqpacket",
  6: "dccp",
  10: "packet",
};

/**
 * Makes the metadata of a socket.
 *
 * @param socket What the kernel says of it.
 * @returns Its kind, family, type and addresses.
 */
export function socketInfo(socket: RawSocket): SocketInfo {
  const { domain, type, protocol, listening, address, peer } = socket;
  const family = domain === undefined ? undefined : FAMILIES[domain] ?? domain;
  const named = type === undefined ? undefined : TYPES[type] ?? type;
  return {
    kind: kindOf(family, named, listening, socket.connected ?? false),
    family,
    type: named,
    protocol,
    listening,
    address,
    peer,
  };
}

function kindOf(
  family: SocketFamily | number | undefined,
  type: SocketType | number | undefined,
  listening: boolean | undefined,
  connected: boolean,
): SocketInfo["kind"] {
  if (family === "netlink") return "netlink";
  switch (type) {
    case "stream":
    case "seqpacket":
      if (listening === true) return `${type}-listener`;
      // One that neither listens nor is connected can still do either.
      return connected ? `${type}-connection` : "socket";
    case "datagram":
      return "datagram";
    case "raw":
      return "raw";
    default:
      return "socket";
  }
}

/** Tells whether something names an address family. */
export function isSocketFamily(name: unknown): name is SocketFamily {
  return Object.values<unknown>(FAMILIES).includes(name);
}

/** Tells whether something names a socket type. */
export function isSocketType(name: unknown): name is SocketType {
  return Object.values<unknown>(TYPES).includes(name);
}
