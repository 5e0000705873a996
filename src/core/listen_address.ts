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

const BIND_FORMS = `expected "HOST:PORT" or "PORT" (TCP), "udp:HOST:PORT" or ` +
  `"udp:PORT", "./PATH" or "/PATH" (Unix), or "@NAME" (abstract)`;

/** Host of a port alone, as for `systemfd`: reachable from this machine only. */
const LOOPBACK = "127.0.0.1";

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
 * {@linkcode parseListenAddress}, and the forms that people write for
 * `systemfd`, `systemd-socket-activate` and in socket units:
 *
 * - `8080`, `:8080` and `HOST:8080` for TCP; without a host, `127.0.0.1`.
 * - `udp:` and `tcp:` in front of these; `tcp::`, `udp::`, `http::` and `https::`
 *   as in `systemfd`, the last two for TCP.
 * - A path with a slash, `@NAME` for an abstract name, and `unix::PATH`.
 *
 * @throws {SyntaxError} If the text has none of these forms.
 * @throws {RangeError} If the port is out of range.
 */
export function parseBindAddress(text: string): BindAddress {
  const [, path] = /^unix::?(.*)$/s.exec(text) ?? [];
  if (path !== undefined) {
    return { kind: "unix", path: parsePath(text, path, BIND_FORMS) };
  }
  if (/^(?:\.{0,2}\/|@)/.test(text) || /^[^:]*\//.test(text)) {
    return { kind: "unix", path: parsePath(text, text, BIND_FORMS) };
  }
  // Inherited descriptors can't be bound; "systemd" and "fd" aren't host names.
  if (/^(?:systemd|fd):/.test(text)) throw invalidAddress(text, BIND_FORMS);
  // A third colon belongs to an IPv6 address.
  const [, scheme, rest] = /^(?:(?:(tcp|udp)|https?(?=::)):(?::(?!:))?)?(.*)$/s
    .exec(text)!;
  const [, port] = /^:?([0-9]+)$/.exec(rest!) ?? [];
  const hostPort = port === undefined ? rest! : `${LOOPBACK}:${port}`;
  const remedy = bindRemedy(hostPort);
  if (remedy !== undefined) throw invalidAddress(text, remedy);
  return {
    kind: scheme === "udp" ? "udp" : "tcp",
    ...parseHostPort(text, hostPort, BIND_FORMS),
  };
}

/** Returns what to write for a common mistake; `undefined` for other text. */
function bindRemedy(text: string): string | undefined {
  const [, url] = /^[a-z]+:\/\/([^/]*)/i.exec(text) ?? [];
  if (url !== undefined) {
    return `expected an address, found a URL: write its host and port, such ` +
      `as ${quote(/:[0-9]+$/.test(url) ? url : "127.0.0.1:8080")}`;
  }
  const [host = "", port = "PORT"] = splitIpv6Port(text) ?? [];
  if (host !== "") {
    return `expected an IPv6 address in brackets: write ${
      quote(`[${host}]:${port}`)
    }`;
  }
  const [, anyPort] = /^\*:([0-9]+)$/.exec(text) ?? [];
  if (anyPort !== undefined) {
    return `expected a host: write ${quote(`0.0.0.0:${anyPort}`)} or ${
      quote(`[::]:${anyPort}`)
    } for all addresses`;
  }
  if (/^[0-9]+:[0-9]+$/.test(text)) {
    return `expected a host before the port, found a number: write "PORT" or ` +
      `"HOST:PORT"`;
  }
  // A name alone could be a host, too.
  if (/^[^:\s]+\.sock(?:et)?$/.test(text)) {
    return `expected a path with a slash: write ${quote(`./${text}`)}`;
  }
  return undefined;
}

/** Splits an IPv6 address without brackets from its port, which may be missing. */
function splitIpv6Port(
  text: string,
): [host: string, port?: string] | undefined {
  const colon = text.lastIndexOf(":");
  const port = text.slice(colon + 1);
  // The address alone could also end with the port; "::1" is the loopback.
  if (text !== "::1" && /^[0-9]+$/.test(port)) {
    const before = text.slice(0, colon);
    // In "::8080", the second colon belongs to the address "::".
    const host = before === ":" ? "::" : before;
    if (isIpv6WithScope(host)) return [host, port];
  }
  return isIpv6WithScope(text) ? [text] : undefined;
}

function isIpv6WithScope(text: string): boolean {
  const percent = text.indexOf("%");
  return parseIpv6(percent < 0 ? text : text.slice(0, percent)) !== undefined;
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
