/**
 * Socket addresses: types, parsing, formatting and comparison.
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
  /** The index of the interface that a link-local IPv6 address belongs to. */
  readonly scopeId?: number;
}

/** The address of a Unix domain socket (`unix(7)`). */
export type UnixAddress =
  | {
    /** Bound to a path. */
    readonly kind: "unix";
    /** The path exactly as it was bound, absolute or relative. */
    readonly path: string;
  }
  | {
    /** Bound to a name in Linux's abstract namespace. */
    readonly kind: "unix-abstract";
    /** The name, without the leading NUL byte or `@`. */
    readonly name: string;
  }
  | {
    /** Not bound. */
    readonly kind: "unix-unnamed";
  };

/** The address of a socket between a virtual machine and its host (`vsock(7)`). */
export interface VsockAddress {
  /** The address family. */
  readonly kind: "vsock";
  /** The context id (CID) of the virtual machine or of the host, 32 bits. */
  readonly contextId: number;
  /** The port, 32 bits. */
  readonly port: number;
}

/** The address of a socket to the kernel (`netlink(7)`). */
export interface NetlinkAddress {
  /** The address family. */
  readonly kind: "netlink";
  /** The port id (`nl_pid`). */
  readonly portId: number;
  /** The multicast groups (`nl_groups`), a mask of 32 bits. */
  readonly groups: number;
}

/** A socket address of any supported family, discriminated by `kind`. */
export type Address =
  | InetAddress
  | UnixAddress
  | VsockAddress
  | NetlinkAddress;

/**
 * Parses a numeric IPv4 address: four decimal numbers from 0 to 255, without
 * leading zeros.
 *
 * @returns The 4 bytes; `undefined` if the text isn't such an address.
 */
export function parseIpv4(text: string): number[] | undefined {
  const parts = text.split(".");
  const isValid = parts.length === 4 &&
    parts.every((part) => String(Number(part) & 255) === part);
  return isValid ? parts.map(Number) : undefined;
}

/**
 * Parses a numeric IPv6 address in each of the forms of RFC 4291, section 2.2,
 * without brackets or scope id.
 *
 * @returns The 16 bytes; `undefined` if the text isn't such an address.
 */
export function parseIpv6(text: string): number[] | undefined {
  const tailStart = text.lastIndexOf(":") + 1;
  const tail = parseIpv4(text.slice(tailStart));
  // The bytes of an IPv4 tail take the place of the last two groups.
  const groups = tail === undefined ? text : `${text.slice(0, tailStart)}0:0`;
  const [left = [], right, ...rest] = groups.split("::").map((half) =>
    half === "" ? [] : half.split(":")
  );
  const zeroGroups = 8 - left.length - (right?.length ?? 0);
  const isComplete = right === undefined ? zeroGroups === 0 : zeroGroups > 0;
  if (!isComplete || rest.length > 0) return undefined;
  const all = [...left, ...Array(zeroGroups).fill("0"), ...(right ?? [])];
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  const bytes = all.flatMap((group) => {
    const value = parseInt(group, 16);
    return [value >> 8, value & 255];
  });
  return tail === undefined ? bytes : [...bytes.slice(0, 12), ...tail];
}

/**
 * Writes the 16 bytes of an IPv6 address in the canonical form of RFC 5952,
 * with the tail of an IPv4-mapped address in dots (its section 5).
 */
export function formatIpv6(bytes: ArrayLike<number>): string {
  const groups: string[] = [];
  for (let index = 0; index < 16; index += 2) {
    groups.push(((bytes[index]! << 8) | bytes[index + 1]!).toString(16));
  }
  const text = groups.join(":");
  if (text.startsWith("0:0:0:0:0:ffff:")) {
    return `::ffff:${Array.from(bytes).slice(12).join(".")}`;
  }
  // "::" stands for the longest run of zeros, for the first of equal ones.
  const zeros = (text.match(/\b0(?::0)+\b/g) ?? []).reduce(
    (longest, run) => run.length > longest.length ? run : longest,
    "",
  );
  if (zeros === "") return text;
  return text.replace(new RegExp(`:?\\b${zeros}\\b:?`), "::");
}

/**
 * Rewrites an IPv6 address without brackets or scope id in the canonical form
 * of {@linkcode formatIpv6}.
 *
 * @throws {TypeError} If the text isn't an IPv6 address.
 */
export function canonicalIpv6(text: string): string {
  const bytes = parseIpv6(text);
  if (bytes === undefined) {
    throw new TypeError(
      `Parsing an IPv6 address: expected a form such as "::1", found ${
        quote(text)
      }`,
    );
  }
  return formatIpv6(bytes);
}

/**
 * Formats an address for people: `127.0.0.1:80`, `[fe80::1%2]:80`,
 * `/run/app.sock`, `@abstract`, `vsock:3:1024` (context id and port),
 * `netlink:42` (port id).
 *
 * @param address An address; `undefined` if it is unknown.
 * @returns The text; `(unnamed)` for an unbound Unix socket, `(unknown address)`
 * for `undefined`. Paths and names are not escaped.
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
 * Compares two addresses. The scope ids of IPv6 addresses count only if both are
 * known, because `/proc/net/tcp6` shows none.
 *
 * @param a An address, an IPv6 `hostname` in canonical form (RFC 5952).
 * @param b The address to compare with, likewise.
 * @returns `true` if both mean the same address.
 */
export function sameAddress(a: Address, b: Address): boolean {
  if (a.kind === "ipv6" && b.kind === "ipv6") {
    const scopesKnown = a.scopeId !== undefined && b.scopeId !== undefined;
    return a.hostname === b.hostname && a.port === b.port &&
      (!scopesKnown || a.scopeId === b.scopeId);
  }
  return a.kind === b.kind && formatAddress(a) === formatAddress(b);
}

/**
 * Rewrites a numeric address so that equal hosts are equal text: an IPv4 address
 * as an IPv4-mapped one, each wildcard address as `wildcard`.
 *
 * @returns `undefined` if the text is no numeric address.
 */
export function comparableHost(hostname: string): string | undefined {
  const ipv4 = parseIpv4(hostname);
  const bytes = parseIpv6(ipv4 === undefined ? hostname : `::ffff:${hostname}`);
  if (bytes === undefined) return undefined;
  const host = formatIpv6(bytes);
  return host === "::" || host === "::ffff:0.0.0.0" ? "wildcard" : host;
}

/** Narrows an address to that of an IPv4 or IPv6 socket. */
export function isInetAddress(
  address: Address | undefined,
): address is InetAddress {
  return address?.kind === "ipv4" || address?.kind === "ipv6";
}

/** Reads the path of a Unix socket, with NUL in front of an abstract name. */
export function fromUnixPath(path: string): UnixAddress {
  return path.startsWith("\0")
    ? { kind: "unix-abstract", name: path.slice(1) }
    : { kind: "unix", path };
}

/** Converts an address to the form of `net.Server` and `Bun.serve`. */
export function toAddressInfo(
  address: Address | undefined,
): { address: string; family: "IPv4" | "IPv6"; port: number } | null {
  if (!isInetAddress(address)) return null;
  const { kind, hostname, port } = address;
  const family = kind === "ipv4" ? "IPv4" : "IPv6";
  return { address: hostname, family, port };
}

/**
 * Reads a numeric address and port; `undefined` for a name. A scope id is left off,
 * because `/proc` doesn't show it either.
 */
export function inetAddress(
  hostname: string | undefined,
  port: number | undefined,
): Address | undefined {
  if (!hostname || port === undefined) return undefined;
  if (hostname.includes(":")) {
    const numeric = canonicalIpv6(hostname.split("%")[0]!);
    return { kind: "ipv6", hostname: numeric, port };
  }
  return /^[\d.]+$/.test(hostname)
    ? { kind: "ipv4", hostname, port }
    : undefined;
}
