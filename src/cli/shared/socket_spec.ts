/**
 * What an activator is asked to bind: an address, the name that the descriptor
 * gets, and how the socket is to be set up.
 *
 * @module
 */

import { canonicalIpv6 } from "../../core/address.ts";
import { quote } from "../../core/errors.ts";
import { parseBindAddress } from "../../core/listen_address.ts";
import type { SocketOption } from "../../ffi/sockets.ts";
import { UsageError } from "./verb.ts";

/** Where a socket is bound. */
export type SocketAddress =
  | {
    /** Stream connections, or packets. */
    readonly kind: "tcp" | "udp";
    /** A numeric address without brackets, or a host name. */
    readonly hostname: string;
    /** The port; 0 lets the operating system choose. */
    readonly port: number;
  }
  | {
    /** A Unix socket for streams, datagrams or sequential packets, or a FIFO. */
    readonly kind: "unix" | "unixgram" | "seqpacket" | "fifo";
    /** Its path; of a socket, one that begins with `@` is an abstract name. */
    readonly path: string;
  };

/** How a socket is set up; what is absent stays as the system has it. */
export interface SocketOptions {
  /** How many connections may wait to be accepted. */
  readonly backlog?: number;
  /** The permissions of a path. */
  readonly mode?: number;
  /** The permissions of the folders that are made for a path. */
  readonly directoryMode?: number;
  /** Whether an IPv6 socket takes IPv4, too. */
  readonly ipv6Only?: boolean;
  /** Whether a path stays when the activator ends. */
  readonly keepPath?: boolean;
  /** Links to the path, made and removed with it. */
  readonly symlinks?: readonly string[];
  /** The size of a FIFO's buffer. */
  readonly pipeSize?: number;
  /** Options that are a number, see `socket(7)`. */
  readonly numbers?: Readonly<Partial<Record<SocketOption, number>>>;
}

/** A socket to bind, and the name to hand it over under. */
export interface SocketSpec {
  /** The name. */
  readonly name: string;
  /** The address to bind. */
  readonly address: SocketAddress;
  /** How to set it up. */
  readonly options?: SocketOptions;
}

/**
 * Parses `NAME=ADDRESS`, such as `web=127.0.0.1:8080`, `dns=udp:[::1]:53` or
 * `admin=unix:/run/app.sock`.
 *
 * @param text The text.
 * @returns The socket to bind.
 * @throws {SyntaxError | RangeError} If the text is not of this form.
 */
export function parseSocketSpec(text: string): SocketSpec {
  const [, name, rest] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || rest === undefined) {
    throw new SyntaxError(
      `Parsing the socket ${quote(text)}: expected NAME=ADDRESS, such as ` +
        `"web=127.0.0.1:8080"`,
    );
  }
  if (!isName(name)) {
    throw new SyntaxError(
      `Parsing the socket ${quote(text)}: expected a name of 1 to 255 ` +
        `characters without colons or control characters`,
    );
  }
  return { name, address: parseBindAddress(rest) };
}

/** What systemd allows as a name (`FileDescriptorName=` of systemd.socket(5)). */
export function isName(text: string): boolean {
  // deno-lint-ignore no-control-regex
  return /^[^:\x00-\x1f\x7f]{1,255}$/.test(text);
}

/** An address as people write it behind `NAME=`. */
export function formatSpecAddress(address: SocketAddress): string {
  if (!("port" in address)) {
    return address.kind === "unix"
      ? address.path
      : `${address.kind}:${address.path}`;
  }
  const { kind, hostname, port } = address;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return `${kind === "udp" ? "udp:" : ""}${host}:${port}`;
}

/**
 * Checks that no two sockets have one address.
 *
 * @param specs The sockets.
 * @param resolvePath Makes a path absolute.
 * @throws {UsageError} If two have.
 */
export function requireDistinct(
  specs: readonly SocketSpec[],
  resolvePath: (path: string) => string,
): void {
  const seen = new Map<string, SocketSpec>();
  for (const spec of specs) {
    const key = keyOf(spec, resolvePath);
    if (key === undefined) continue;
    const other = seen.get(key);
    if (other !== undefined) {
      throw new UsageError(
        `Binding ${quote(spec.name)} to ` +
          `${quote(formatSpecAddress(spec.address))}: ${quote(other.name)} ` +
          `has this address: give each socket an address of its own`,
      );
    }
    seen.set(key, spec);
  }
}

/** The same for the same address; `undefined` where the system chooses. */
function keyOf(
  { address, options }: SocketSpec,
  resolvePath: (path: string) => string,
): string | undefined {
  if (!("port" in address)) {
    // One path is one file, whatever its kind; abstract names are apart.
    return address.path.startsWith("@") && address.kind !== "fifo"
      ? `${address.kind} ${address.path}`
      : resolvePath(address.path);
  }
  const { kind, hostname, port } = address;
  if (port === 0 || options?.numbers?.reusePort === 1) return undefined;
  return `${kind} ${canonicalHost(hostname)} ${port}`;
}

function canonicalHost(hostname: string): string {
  try {
    return canonicalIpv6(hostname);
  } catch {
    return hostname.toLowerCase();
  }
}
