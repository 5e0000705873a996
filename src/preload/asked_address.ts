/**
 * The addresses that a program asks to listen on, and how they compare with each
 * other and with those of sockets.
 *
 * @module
 */

import { type Address, comparableHost } from "../core/address.ts";
import { quote } from "../core/errors.ts";

/** The address that a call asks for, or that an entry of the map gives. */
export type AskedAddress =
  | {
    readonly port: number;
    /** A host name or a numeric address; by default, all addresses. */
    readonly hostname?: string | undefined;
  }
  | {
    /** A path; with `@` in front, an abstract name. */
    readonly path: string;
  };

/** Checks whether two paths lead to one file. */
export type SameFile = (a: string, b: string) => boolean;

/** Reads the path that a call asks for; `undefined` for anything else. */
export function askedPath(path: unknown): AskedAddress | undefined {
  return typeof path === "string" && path !== ""
    ? { path: path.replace(/^\0/, "@") }
    : undefined;
}

/**
 * Reads the port and host that a call asks for; `undefined` for port 0, for which
 * the system chooses one, and for what a runtime refuses.
 */
export function askedPort(
  port: unknown,
  hostname: unknown,
): AskedAddress | undefined {
  const number = toPortNumber(port);
  if (number === undefined || number < 1 || number > 65535) return undefined;
  return typeof hostname === "string"
    ? { port: number, hostname }
    : { port: number };
}

/** Reads a port as the runtimes do; `undefined` for other text. */
export function toPortNumber(port: unknown): number | undefined {
  if (typeof port !== "number" && typeof port !== "string") return undefined;
  if (typeof port === "string" && port.trim() === "") return undefined;
  const number = Number(port);
  return Number.isInteger(number) && number >= 0 ? number : undefined;
}

/**
 * Formats a call with options for messages.
 *
 * @param pathOption The name of the option that takes a path.
 */
export function describeCall(
  name: string,
  asked: AskedAddress,
  pathOption: string,
): string {
  return "path" in asked
    ? `${name}({ ${pathOption}: ${quote(asked.path)} })`
    : `${name}({ port: ${showAsked(asked)} })`;
}

/** Formats an address as the map takes it. */
export function showAsked(asked: AskedAddress): string {
  if ("path" in asked) return asked.path;
  const { hostname, port } = asked;
  if (isWildcard(hostname)) return `${port}`;
  return hostname!.includes(":")
    ? `[${hostname}]:${port}`
    : `${hostname}:${port}`;
}

/** Checks whether a socket has the address that is asked for. */
export function hasAskedAddress(
  address: Address,
  asked: AskedAddress,
  sameFile: SameFile,
): boolean {
  switch (address.kind) {
    case "ipv4":
    case "ipv6":
      return "port" in asked && asked.port === address.port &&
        haveCommonHost(address.hostname, asked.hostname);
    case "unix":
      return "path" in asked && samePath(address.path, asked.path, sameFile);
    case "unix-abstract":
      return "path" in asked && asked.path === `@${address.name}`;
    default:
      return false;
  }
}

/**
 * Checks whether an entry of the map gives the address that is asked for. An entry
 * without a host gives the port on any host.
 */
export function givesAskedAddress(
  entry: AskedAddress,
  asked: AskedAddress,
  sameFile: SameFile,
): boolean {
  if ("path" in entry || "path" in asked) {
    return "path" in entry && "path" in asked &&
      samePath(entry.path, asked.path, sameFile);
  }
  return entry.port === asked.port && (entry.hostname === undefined ||
    haveCommonHost(entry.hostname, asked.hostname));
}

/**
 * Returns text that two entries of the map have in common if they give the same
 * address. An entry with a host is more exact than one without.
 */
export function keysOfAsked(asked: AskedAddress): readonly string[] {
  if ("path" in asked) return [`path ${asked.path}`];
  const { port, hostname } = asked;
  return hostname === undefined
    ? [`port ${port}`]
    : hostsOf(hostname).map((host) => `port ${port} ${host}`);
}

function samePath(a: string, b: string, sameFile: SameFile): boolean {
  if (a === b) return true;
  return !a.startsWith("@") && !b.startsWith("@") && sameFile(a, b);
}

function haveCommonHost(
  a: string | undefined,
  b: string | undefined,
): boolean {
  const hosts = hostsOf(b);
  return hostsOf(a).some((host) => hosts.includes(host));
}

function isWildcard(hostname: string | undefined): boolean {
  return hostsOf(hostname)[0] === "wildcard";
}

/** Returns the hosts that a name stands for, in comparable form. */
function hostsOf(hostname: string | undefined): readonly string[] {
  if (hostname === undefined || hostname === "") return ["wildcard"];
  const name = hostname.toLowerCase();
  if (name === "localhost") {
    return [comparableHost("127.0.0.1")!, comparableHost("::1")!];
  }
  const [address] = name.replace(/^\[(.*)\]$/, "$1").split("%");
  return [comparableHost(address!) ?? name];
}
