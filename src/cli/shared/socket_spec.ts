/**
 * A socket for an activator to bind: name of the descriptor, address and
 * settings.
 *
 * @module
 */

import { canonicalIpv6 } from "../../core/address.ts";
import { quote } from "../../core/errors.ts";
import { parseBindAddress } from "../../core/listen_address.ts";
import type { SocketOption } from "../../ffi/sockets.ts";
import { UsageError } from "./verb.ts";

/** Address of a socket to bind. */
export type SocketAddress =
  | {
    /** Streams or datagrams. */
    readonly kind: "tcp" | "udp";
    /** Numeric address without brackets, or a host name. */
    readonly hostname: string;
    /** Port; 0 lets the operating system choose. */
    readonly port: number;
  }
  | {
    /** Unix socket for streams, datagrams or sequential packets, or a FIFO. */
    readonly kind: "unix" | "unixgram" | "seqpacket" | "fifo";
    /** Path; for sockets, a leading `@` means an abstract name. */
    readonly path: string;
  };

/** Settings of a socket; an absent one keeps the operating system's default. */
export interface SocketSettings {
  /** Limit of connections that wait to be accepted. */
  readonly backlog?: number;
  /** Permission bits of a path. */
  readonly mode?: number;
  /** Permission bits of directories created for a path. */
  readonly directoryMode?: number;
  /** True if an IPv6 socket refuses IPv4 connections. */
  readonly ipv6Only?: boolean;
  /** True if the path stays when the activator ends. */
  readonly keepPath?: boolean;
  /** Symbolic links to the path, created and removed with it. */
  readonly symlinks?: readonly string[];
  /** Size of a FIFO's buffer in bytes. */
  readonly pipeSize?: number;
  /** Socket options with a number as value, see `socket(7)`. */
  readonly numbers?: Readonly<Partial<Record<SocketOption, number>>>;
}

/** A socket to bind, and the name of its descriptor. */
export interface SocketSpec {
  readonly name: string;
  readonly address: SocketAddress;
  readonly settings?: SocketSettings;
}

/**
 * Parses `NAME=ADDRESS`, such as `web=127.0.0.1:8080`, `dns=udp:[::1]:53` or
 * `admin=unix:/run/app.sock`.
 *
 * @throws {SyntaxError | RangeError} If the text doesn't have this form.
 */
export function parseSocketSpec(text: string): SocketSpec {
  const [, name, rest] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || rest === undefined) {
    throw new SyntaxError(
      `Parsing the socket ${quote(text)}: expected NAME=ADDRESS, such as ` +
        `"web=127.0.0.1:8080"`,
    );
  }
  if (!isDescriptorName(name)) {
    throw new SyntaxError(
      `Parsing the socket ${quote(text)}: expected a name of 1 to 255 ` +
        `characters without colons or control characters`,
    );
  }
  return { name, address: parseBindAddress(rest) };
}

/** Returns true for a valid `FileDescriptorName=` (`systemd.socket(5)`). */
export function isDescriptorName(text: string): boolean {
  // deno-lint-ignore no-control-regex
  return /^[^:\x00-\x1f\x7f]{1,255}$/.test(text);
}

/** Formats an address as it is written after `NAME=`. */
export function formatSocketAddress(address: SocketAddress): string {
  if (!("port" in address)) {
    return address.kind === "unix"
      ? address.path
      : `${address.kind}:${address.path}`;
  }
  const { kind, hostname, port } = address;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return `${kind === "udp" ? "udp:" : ""}${host}:${port}`;
}

/** Throws a {@linkcode UsageError} if two sockets have the same address. */
export function requireDistinctAddresses(
  specs: readonly SocketSpec[],
  resolvePath: (path: string) => string,
): void {
  const seen = new Map<string, SocketSpec>();
  for (const spec of specs) {
    const key = addressKey(spec, resolvePath);
    if (key === undefined) continue;
    const other = seen.get(key);
    if (other !== undefined) {
      throw new UsageError(
        `Binding ${quote(spec.name)} to ` +
          `${quote(formatSocketAddress(spec.address))}: ${quote(other.name)} ` +
          `has this address: give each socket its own address`,
      );
    }
    seen.set(key, spec);
  }
}

/** Returns a key of the address; `undefined` if sockets can share it. */
function addressKey(
  { address, settings }: SocketSpec,
  resolvePath: (path: string) => string,
): string | undefined {
  if (!("port" in address)) {
    // A path is one file for all kinds; each kind has its own abstract names.
    return address.path.startsWith("@") && address.kind !== "fifo"
      ? `${address.kind} ${address.path}`
      : resolvePath(address.path);
  }
  const { kind, hostname, port } = address;
  if (port === 0 || settings?.numbers?.reusePort === 1) return undefined;
  return `${kind} ${canonicalHost(hostname)} ${port}`;
}

function canonicalHost(hostname: string): string {
  try {
    return canonicalIpv6(hostname);
  } catch {
    return hostname.toLowerCase();
  }
}
