/**
 * The text of a `--listen` flag: where a program is to listen.
 *
 * @module
 */

import { canonicalIpv6 } from "./address.ts";
import { quote } from "./errors.ts";

/** Where to listen, as read from text. */
export type ListenAddress =
  | {
    /** The descriptors of a name that the service manager passed. */
    readonly kind: "systemd";
    /** The name. */
    readonly name: string;
  }
  | {
    /** One descriptor that the service manager passed. */
    readonly kind: "fd";
    /** Its number. */
    readonly fd: number;
  }
  | {
    /** A TCP address to bind. */
    readonly kind: "tcp";
    /** A numeric address without brackets, or a host name. */
    readonly hostname: string;
    /** The port; 0 lets the operating system choose. */
    readonly port: number;
  }
  | {
    /** A Unix socket to bind. */
    readonly kind: "unix";
    /** Its path; one that begins with `@` is an abstract name (Linux). */
    readonly path: string;
  };

const FORMS = `expected "systemd:NAME", "fd:NUMBER", "tcp:HOST:PORT", ` +
  `"tcp:[IPV6]:PORT", "unix:PATH" or "unix:@NAME"`;

/**
 * Parses the text of a `--listen` flag: `systemd:web`, `fd:3`,
 * `tcp:127.0.0.1:8080`, `tcp:[::1]:80`, `unix:/run/x.sock`, `unix:@abstract`.
 *
 * @param text The text.
 * @returns Where to listen.
 * @throws {SyntaxError} If the text has none of these forms.
 * @throws {RangeError} If a descriptor or port is out of range.
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
  if (colon < 0) throw invalid(text);
  switch (scheme) {
    case "systemd":
      // A colon separates names in LISTEN_FDNAMES: no name holds one.
      if (rest === "" || rest.includes(":")) throw invalid(text);
      return { kind: "systemd", name: rest };
    case "fd": {
      const fd = parseNumber(text, rest);
      if (fd < 3 || fd > 2 ** 31 - 1) {
        throw new RangeError(
          `Parsing the address ${quote(text)}: expected a descriptor from 3 ` +
            `to ${2 ** 31 - 1}, found ${quote(rest)}`,
        );
      }
      return { kind: "fd", fd };
    }
    case "tcp":
      return { kind: "tcp", ...parseHostPort(text, rest, FORMS) };
    case "unix":
      if (rest === "" || rest === "@" || rest.includes("\0")) {
        throw invalid(text);
      }
      return { kind: "unix", path: rest };
    default:
      throw invalid(text);
  }
}

const BIND_FORMS = `expected "HOST:PORT", "[IPV6]:PORT", "tcp:…" or "udp:…" ` +
  `with one of these, "unix:PATH" or "unix:@NAME"`;

/** An address for an activator to bind. */
export type BindAddress =
  | {
    /** Stream connections, or packets. */
    readonly kind: "tcp" | "udp";
    /** A numeric address without brackets, or a host name. */
    readonly hostname: string;
    /** The port; 0 lets the operating system choose. */
    readonly port: number;
  }
  | (ListenAddress & { readonly kind: "unix" });

/**
 * Parses an address that an activator is to bind: what
 * {@linkcode parseListenAddress} reads as `tcp:…` and `unix:…`, `udp:HOST:PORT`,
 * and `HOST:PORT` alone, which is TCP.
 *
 * @param text The text.
 * @returns The address.
 * @throws {SyntaxError} If the text has none of these forms.
 * @throws {RangeError} If the port is out of range.
 */
export function parseBindAddress(text: string): BindAddress {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (path === "" || path === "@" || path.includes("\0")) {
      throw invalid(text, BIND_FORMS);
    }
    return { kind: "unix", path };
  }
  // What is handed over can't be bound; these are no hosts.
  if (/^(?:systemd|fd):/.test(text)) throw invalid(text, BIND_FORMS);
  const [, scheme, rest] = /^(?:(tcp|udp):)?(.*)$/s.exec(text)!;
  return {
    kind: scheme === "udp" ? "udp" : "tcp",
    ...parseHostPort(text, rest!, BIND_FORMS),
  };
}

function invalid(text: string, forms: string = FORMS): SyntaxError {
  return new SyntaxError(`Parsing the address ${quote(text)}: ${forms}`);
}

function parseNumber(
  text: string,
  digits: string,
  forms: string = FORMS,
): number {
  if (!/^(?:0|[1-9][0-9]*)$/.test(digits)) throw invalid(text, forms);
  // Rounded if it is long, but out of every range then.
  return Number(digits);
}

function parseHostPort(
  text: string,
  rest: string,
  forms: string,
): { hostname: string; port: number } {
  const match =
    // An IPv6 address, with a scope id if it is link-local, or what may be a host.
    // deno-lint-ignore no-control-regex
    /^(?:\[([^\][%]*)(%[\w.-]+)?\]|([^:[\]/\s\x00-\x1f\x7f]+)):([^:]*)$/
      .exec(rest);
  if (match === null) throw invalid(text, forms);
  const [, ipv6, scope = "", host, digits] = match;
  const port = parseNumber(text, digits!, forms);
  if (port > 65535) {
    throw new RangeError(
      `Parsing the address ${quote(text)}: expected a port from 0 to 65535, ` +
        `found ${quote(digits!)}`,
    );
  }
  if (ipv6 === undefined) return { hostname: host!, port };
  try {
    return { hostname: canonicalIpv6(ipv6) + scope, port };
  } catch {
    throw invalid(text, forms);
  }
}
