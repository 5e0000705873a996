/**
 * The parser of the text of a `--listen` flag.
 *
 * @module
 */

import { formatIpv6, parseIpv6 } from "./address.ts";
import { quote } from "./errors.ts";

/** A parsed `--listen` flag, discriminated by `kind`. */
export type ListenAddress =
  | {
    /** The inherited descriptors of a name. */
    readonly kind: "systemd";
    /**
     * The name, as `FileDescriptorName=` takes it: 1 to 255 printable ASCII
     * characters without a colon.
     */
    readonly name: string;
  }
  | {
    /** One inherited descriptor. */
    readonly kind: "fd";
    /** The descriptor's number, 3 to 2^31-1. */
    readonly fd: number;
  }
  | {
    /** A TCP address to bind. */
    readonly kind: "tcp";
    /**
     * A host name or a numeric address without brackets. An IPv6 address is in
     * canonical form (RFC 5952) and may have a scope id, such as `fe80::1%eth0`.
     */
    readonly hostname: string;
    /** The port, 0 to 65535; with 0 the operating system chooses a port. */
    readonly port: number;
  }
  | {
    /** A Unix stream socket to bind. */
    readonly kind: "unix";
    /** The path; with `@` in front, an abstract name (Linux only). */
    readonly path: string;
  };

const LISTEN_FORMS = `expected "systemd:NAME", "fd:NUMBER", "tcp:HOST:PORT", ` +
  `"tcp:[IPV6]:PORT", "unix:PATH" or "unix:@NAME"`;

/**
 * Parses the text of a `--listen` flag: `systemd:web`, `fd:3`,
 * `tcp:127.0.0.1:8080`, `tcp:[::1]:80`, `unix:/run/x.sock`, `unix:@abstract`.
 *
 * @param text The text. Schemes are in lower case, numbers in plain decimal
 * digits.
 * @returns The parsed address.
 * @throws {SyntaxError} If the text has none of these forms.
 * @throws {RangeError} If the descriptor's number or the port is out of range.
 *
 * @example
 * ```ts
 * import { parseListenAddress } from "@listenfds/listenfds";
 *
 * parseListenAddress("tcp:[::1]:8080");
 * // { kind: "tcp", hostname: "::1", port: 8080 }
 * ```
 */
export function parseListenAddress(text: string): ListenAddress {
  const colon = text.indexOf(":");
  const scheme = text.slice(0, colon);
  const rest = text.slice(colon + 1);
  if (colon < 0) throw invalidAddress(text, LISTEN_FORMS);
  switch (scheme) {
    case "systemd":
      // "systemd://web" is a URL rather than the name "//web".
      if (!isSystemdName(rest) || rest.startsWith("//")) {
        throw invalidAddress(
          text,
          `${LISTEN_FORMS}; a name has 1 to 255 printable ASCII characters and ` +
            `no colon`,
        );
      }
      return { kind: "systemd", name: rest };
    case "fd": {
      const fd = parseNumber(text, rest, LISTEN_FORMS);
      if (fd < 3 || fd > 2 ** 31 - 1) {
        throw new RangeError(
          `Parsing the address ${quote(text)}: expected a descriptor from 3 ` +
            `to ${2 ** 31 - 1}, found ${quote(rest)}`,
        );
      }
      return { kind: "fd", fd };
    }
    case "tcp":
      return { kind: "tcp", ...parseHostPort(text, rest, LISTEN_FORMS) };
    case "unix":
      return { kind: "unix", path: parsePath(text, rest, LISTEN_FORMS) };
    default:
      throw invalidAddress(text, LISTEN_FORMS);
  }
}

/**
 * Returns true for a name that a unit can have, other than the empty one: systemd
 * takes printable ASCII without a colon, at most 255 characters, see
 * `FileDescriptorName=` in `systemd.socket(5)`.
 */
export function isSystemdName(text: string): boolean {
  return /^[ -9;-~]{1,255}$/.test(text);
}

const BIND_FORMS = `expected "HOST:PORT", "[IPV6]:PORT", "tcp:…" or "udp:…" ` +
  `with one of these, "unix:PATH" or "unix:@NAME"`;

/** An address that an activator binds. */
export type BindAddress =
  | {
    /** A TCP or UDP address. */
    readonly kind: "tcp" | "udp";
    /** As for `tcp` in {@linkcode ListenAddress}. */
    readonly hostname: string;
    /** The port, 0 to 65535; with 0 the operating system chooses a port. */
    readonly port: number;
  }
  | (ListenAddress & { readonly kind: "unix" });

/**
 * Parses an address that an activator binds: `tcp:…` and `unix:…` as in
 * {@linkcode parseListenAddress}, `udp:HOST:PORT`, and `HOST:PORT` for TCP.
 *
 * @throws {SyntaxError} If the text has none of these forms.
 * @throws {RangeError} If the port is out of range.
 */
export function parseBindAddress(text: string): BindAddress {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    return { kind: "unix", path: parsePath(text, path, BIND_FORMS) };
  }
  // Inherited descriptors can't be bound; "systemd" and "fd" aren't host names.
  if (/^(?:systemd|fd):/.test(text)) throw invalidAddress(text, BIND_FORMS);
  const [, scheme, rest] = /^(?:(tcp|udp):)?(.*)$/s.exec(text)!;
  return {
    kind: scheme === "udp" ? "udp" : "tcp",
    ...parseHostPort(text, rest!, BIND_FORMS),
  };
}

function invalidAddress(text: string, forms: string): SyntaxError {
  return new SyntaxError(`Parsing the address ${quote(text)}: ${forms}`);
}

function parsePath(text: string, path: string, forms: string): string {
  if (path === "" || path === "@" || path.includes("\0")) {
    throw invalidAddress(text, forms);
  }
  return path;
}

function parseNumber(text: string, digits: string, forms: string): number {
  if (!/^(?:0|[1-9][0-9]*)$/.test(digits)) throw invalidAddress(text, forms);
  // A number that is too long to be exact is out of every range.
  return Number(digits);
}

function parseHostPort(
  text: string,
  rest: string,
  forms: string,
): { hostname: string; port: number } {
  const match =
    // An IPv6 address in brackets, with or without a scope id, or a host name.
    // deno-lint-ignore no-control-regex
    /^(?:\[([^\][%]*)(%[\w.-]+)?\]|([^:[\]/%\s\x00-\x1f\x7f]+)):([^:]*)$/
      .exec(rest);
  if (match === null) throw invalidAddress(text, forms);
  const [, ipv6, scope = "", host, digits] = match;
  const port = parseNumber(text, digits!, forms);
  if (port > 65535) {
    throw new RangeError(
      `Parsing the address ${quote(text)}: expected a port from 0 to 65535, ` +
        `found ${quote(digits!)}`,
    );
  }
  if (ipv6 === undefined) return { hostname: host!, port };
  const bytes = parseIpv6(ipv6);
  if (bytes === undefined) throw invalidAddress(text, forms);
  return { hostname: formatIpv6(bytes) + scope, port };
}
