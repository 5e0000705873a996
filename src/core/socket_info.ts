/**
 * The conversion of the kernel's socket options to metadata.
 *
 * @module
 */

import type { Address } from "./address.ts";
import type { SocketFamily, SocketInfo, SocketType } from "./info.ts";

/** A socket's options (`socket(7)`); unknown values are `undefined`. */
export interface RawSocket {
  /** `SO_DOMAIN`: an address family, `AF_*`. */
  readonly domain?: number | undefined;
  /** `SO_TYPE`: `SOCK_*`. */
  readonly type?: number | undefined;
  /** `SO_PROTOCOL`: `IPPROTO_*`, or a protocol of the family. */
  readonly protocol?: number | undefined;
  /** `SO_ACCEPTCONN`: `true` after `listen(2)`. */
  readonly listening?: boolean | undefined;
  /** The address that the socket is bound to. */
  readonly address?: Address | undefined;
  /** The address of the peer. */
  readonly peer?: Address | undefined;
  /** `true` if the socket has a peer, even one of unknown address. */
  readonly connected?: boolean | undefined;
}

/** The names of address families by their `AF_*` number. */
const FAMILY_NAMES: Readonly<Record<number, SocketFamily>> = {
  1: "unix",
  2: "ipv4",
  10: "ipv6",
  16: "netlink",
  17: "packet",
  40: "vsock",
};

/** The names of socket types by their `SOCK_*` number. */
const TYPE_NAMES: Readonly<Record<number, SocketType>> = {
  1: "stream",
  2: "datagram",
  3: "raw",
  4: "rdm",
  5: "seqpacket",
  6: "dccp",
  10: "packet",
};

/**
 * Converts socket options to metadata. Families and types without a name keep
 * their number.
 */
export function socketInfo(socket: RawSocket): SocketInfo {
  const { protocol, listening, address, peer, connected = false } = socket;
  const family = socket.domain === undefined
    ? undefined
    : FAMILY_NAMES[socket.domain] ?? socket.domain;
  const type = socket.type === undefined
    ? undefined
    : TYPE_NAMES[socket.type] ?? socket.type;
  const kind = socketKind(family, type, listening, connected);
  return { kind, family, type, protocol, listening, address, peer };
}

function socketKind(
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
      // A socket that does neither yet may still listen or connect.
      return connected ? `${type}-connection` : "socket";
    case "datagram":
      return "datagram";
    case "raw":
      return "raw";
    default:
      return "socket";
  }
}

/** Checks that a value is the name of an address family. */
export function isSocketFamily(name: unknown): name is SocketFamily {
  return Object.values<unknown>(FAMILY_NAMES).includes(name);
}

/** Checks that a value is the name of a socket type. */
export function isSocketType(name: unknown): name is SocketType {
  return Object.values<unknown>(TYPE_NAMES).includes(name);
}
