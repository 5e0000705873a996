/**
 * Socket addresses: their shape, their text, and when two are the same.
 *
 * @module
 */

import { quote } from "./errors.ts";

/** The address of an IPv4 or IPv6 socket. */
export interface InetAddress {
  /** The address family. */
  readonly kind: "ipv4" | "ipv6";
  /** The numeric address without brackets, such as `127.0.0.1` or `::1`. */
  readonly hostname: string;
  /** The port, 0 to 65535. */
  readonly port: number;
  /** The interface that a link-local IPv6 address belongs to, by its index. */
  readonly scopeId?: number;
}

/** The address of a Unix domain socket, see `unix(7)`. */
export type UnixAddress =
  | {
    /** Bound to a path of the file system. */
    readonly kind: "unix";
    /** The path, as it was bound. */
    readonly path: string;
  }
  | {
    /** Bound to a name in the abstract namespace of Linux. */
    readonly kind: "unix-abstract";
    /** The name, without the leading NUL byte or `@`. */
    readonly name: string;
  }
  | {
    /** Not bound to anything. */
    readonly kind: "unix-unnamed";
  };

/** The address of a socket between a virtual machine and its host, `vsock(7)`. */
export interface VsockAddress {
  /** The address family. */
  readonly kind: "vsock";
  /** The context id: a virtual machine, or the host. */
  readonly contextId: number;
  /** The port, 32 bits. */
  readonly port: number;
}

/** The address of a socket to the kernel, `netlink(7)`. */
export interface NetlinkAddress {
  /** The address family. */
  readonly kind: "netlink";
  /** The port id (`nl_pid`). */
  readonly portId: number;
  /** The multicast groups, one bit each. */
  readonly groups: number;
}

/** The address of a socket. */
export type Address =
  | InetAddress
  | UnixAddress
  | VsockAddress
  | NetlinkAddress;

/**
 * Brings a numeric IPv6 address into its canonical text (RFC 5952).
 *
 * @param text An IPv6 address without brackets or scope id.
 * @returns The canonical text.
 * @throws {TypeError} If it isn't an IPv6 address.
 */
export function canonicalIpv6(text: string): string {
  // URL parsers compress as RFC 5952 asks, but leave v4-mapped ones in hex.
  const hex = text.replace(/(?<=:)\d+\.\d+\.\d+\.\d+$/, hexTail);
  const url = `http://[${hex}]/`;
  // The URL parser takes more than an address: "::1]:80/[", white space.
  if (!/^[0-9a-f:]+$/i.test(hex) || !URL.canParse(url)) {
    throw new TypeError(`Parsing an IPv6 address: found ${quote(text)}`);
  }
  const bare = new URL(url).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(bare);
  if (mapped === null) return bare;
  const high = parseInt(mapped[1]!, 16);
  const low = parseInt(mapped[2]!, 16);
  return `::ffff:${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/**
 * Writes the bytes of an IPv6 address as its canonical text.
 *
 * @param bytes The sixteen bytes.
 * @returns The text.
 */
export function formatIpv6(bytes: ArrayLike<number>): string {
  const groups: string[] = [];
  for (let at = 0; at < bytes.length; at += 2) {
    groups.push(((bytes[at]! << 8) | bytes[at + 1]!).toString(16));
  }
  return canonicalIpv6(groups.join(":"));
}

/**
 * Writes an address as people read it: `127.0.0.1:80`, `[::1]:80`,
 * `/run/app.sock`, `@abstract`.
 *
 * @param address The address, or `undefined` where it isn't known.
 * @returns The text.
 */
export function formatAddress(address: Address | undefined): string {
  switch (address?.kind) {
    case undefined:
      return "(unknown address)";
    case "ipv4":
      return `${address.hostname}:${address.port}`;
    case "ipv6":
      return address.scopeId === undefined
        ? `[${address.hostname}]:${address.port}`
        : `[${address.hostname}%${address.scopeId}]:${address.port}`;
    case "unix":
      return address.path;
    case "unix-abstract":
      return `@${address.name}`;
    case "unix-unnamed":
      return "(unnamed)";
    case "vsock":
      return `vsock:${address.contextId}:${address.port}`;
    case "netlink":
      return `netlink:${address.portId}`;
  }
}

/**
 * Tells whether two addresses are the same.
 *
 * @param a One address.
 * @param b The other address.
 * @returns Whether a socket bound to one is bound to the other.
 */
export function sameAddress(a: Address, b: Address): boolean {
  if (a.kind === "ipv6" && b.kind === "ipv6") {
    // Not everything that tells an address tells its interface.
    const known = a.scopeId !== undefined && b.scopeId !== undefined;
    return a.hostname === b.hostname && a.port === b.port &&
      (!known || a.scopeId === b.scopeId);
  }
  return a.kind === b.kind && formatAddress(a) === formatAddress(b);
}

/** The last two groups in hex: Bun's URL parser fails on some with dots. */
function hexTail(quad: string): string {
  if (!/^(?:(?:0|[1-9]\d{0,2})(?:\.|$)){4}$/.test(quad)) return quad;
  const [a, b, c, d] = quad.split(".").map(Number) as [
    number,
    number,
    number,
    number,
  ];
  if (Math.max(a, b, c, d) > 255) return quad;
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}
