/**
 * Names for descriptors that came without: systemd before 227 doesn't set
 * `LISTEN_FDNAMES`, so a program says which port or path it knows by which
 * name. Nothing else depends on this file: it can go when systemd 227 can be
 * assumed.
 *
 * @module
 */

import { type Address, canonicalIpv6 } from "./address.ts";
import { type Inspector, isSocketInfo, sameFile } from "./info.ts";
import { ActivationError, describeValue, quote, quoteAll } from "./errors.ts";
import { describeAddress, describeInfo } from "./kinds.ts";

/**
 * Which name stands for which address.
 *
 * - A port means IPv4 and IPv6, whatever the host. With a `hostname`, a numeric
 *   address, it means that one; IPv4 addresses mapped into IPv6 are the same as
 *   without, and the wildcard addresses `0.0.0.0` and `::` stand for each other.
 * - A path is that of a Unix socket, also through symbolic links (`/var/run` for
 *   `/run`), with `@` in front for an abstract name.
 *
 * @example
 * ```ts
 * import type { CompatibilityMap } from "@listenfds/listenfds";
 *
 * const map: CompatibilityMap = {
 *   web: { port: 80 },
 *   metrics: { port: 9090, hostname: "127.0.0.1" },
 *   admin: { path: "/run/app.sock" },
 * };
 * ```
 */
export interface CompatibilityMap {
  /** The port, or the path, of the sockets with this name. */
  readonly [name: string]:
    | { readonly port: number; readonly hostname?: string }
    | { readonly path: string };
}

/** An entry in the form in which it is compared. */
export type Entry =
  | { readonly port: number; readonly hostname: string | undefined }
  | { readonly path: string };

/**
 * Finds the name of each descriptor by its address.
 *
 * @param fds The numbers of the descriptors, in order.
 * @param map Which name stands for which address.
 * @param inspector Reads the descriptors' addresses.
 * @returns A name for each descriptor, in order.
 * @throws {TypeError | RangeError} If an entry of the map is not a port or path.
 * @throws {ActivationError} With the code `map` if an address is not known, or
 * matches no entry, or several.
 */
export function namesFromMap(
  fds: readonly number[],
  map: CompatibilityMap,
  inspector: Inspector,
): string[] {
  const entries = readMap(map);
  const infos = inspector.inspect(fds);
  return fds.map((fd, at) => {
    const doing = `Naming descriptor ${fd} by its address`;
    const info = infos[at]!;
    const { address } = info;
    if (address === undefined) {
      throw new ActivationError(
        "map",
        isSocketInfo(info) || info.kind === "unknown"
          ? `${doing}: its address can't be read here: set FileDescriptorName= ` +
            `in the socket unit (systemd 227 or later), or let the program ` +
            `call the C library (Deno: --allow-ffi)`
          : `${doing}: expected a socket, found ${describeInfo(info)}: set ` +
            `FileDescriptorName= in the socket unit (systemd 227 or later), ` +
            `or pass no such descriptor`,
      );
    }
    const found = entries.filter(([, entry]) =>
      matches(address, entry, inspector)
    );
    if (found.length === 1) return found[0]![0];
    const what = `${info.kind} with the ${address.kind} address ${
      describeAddress(address)
    }`;
    throw new ActivationError(
      "map",
      found.length === 0
        ? `${doing}: the ${what} matches no entry of the map (${
          quoteAll(entries.map(([name]) => name))
        }): add one, or remove the socket from the unit`
        : `${doing}: the ${what} matches more than one entry of the map (${
          quoteAll(found.map(([name]) => name))
        }): leave one of them`,
    );
  });
}

/**
 * Reads a map, and checks that it could match.
 *
 * @param map The map.
 * @returns Its entries.
 * @throws {TypeError | RangeError} If it is no object of ports and paths.
 */
export function readMap(map: CompatibilityMap): readonly [string, Entry][] {
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    throw new TypeError(
      `Reading the map: expected an object of ports and paths by name, found ` +
        describeValue(map),
    );
  }
  return Object.entries(map).map(([name, entry]) => [
    name,
    readEntry(name, entry),
  ]);
}

function readEntry(name: string, entry: CompatibilityMap[string]): Entry {
  const doing = `Reading the map's entry ${quote(name)}`;
  const { port, hostname, path } = (entry ?? {}) as Record<string, unknown>;
  if (
    typeof path === "string" && port === undefined && hostname === undefined
  ) return { path };
  if (
    typeof port !== "number" || path !== undefined ||
    (hostname !== undefined && typeof hostname !== "string")
  ) {
    throw new TypeError(
      `${doing}: expected { port }, { port, hostname } or { path }, found ` +
        describeValue(entry),
    );
  }
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new RangeError(
      `${doing}: expected a port from 1 to 65535, found ${port}`,
    );
  }
  if (hostname === undefined) return { port, hostname };
  const host = comparableHost(hostname);
  if (host === undefined) {
    throw new TypeError(
      `${doing}: expected a numeric IPv4 or IPv6 address as hostname, found ${
        quote(hostname)
      }`,
    );
  }
  return { port, hostname: host };
}

function matches(
  address: Address,
  entry: Entry,
  inspector: Inspector,
): boolean {
  switch (address.kind) {
    case "ipv4":
    case "ipv6":
      return "port" in entry && entry.port === address.port &&
        (entry.hostname === undefined ||
          entry.hostname === comparableHost(address.hostname));
    case "unix":
      // One with "@" in front is no path, but an abstract name.
      return "path" in entry && !entry.path.startsWith("@") &&
        samePath(entry.path, address.path, inspector);
    case "unix-abstract":
      return "path" in entry && entry.path === `@${address.name}`;
    default:
      return false;
  }
}

/**
 * A host in the form in which those that mean the same are the same text; IPv4
 * addresses as mapped into IPv6.
 */
function comparableHost(hostname: string): string | undefined {
  const isIpv4 = /^\d+(?:\.\d+){3}$/.test(hostname);
  if (!isIpv4 && !hostname.includes(":")) return undefined;
  try {
    const host = canonicalIpv6(isIpv4 ? `::ffff:${hostname}` : hostname);
    return host === "::" || host === "::ffff:0.0.0.0" ? "wildcard" : host;
  } catch {
    return undefined;
  }
}

/** Whether two paths lead to the same socket, by their text or as files. */
function samePath(a: string, b: string, inspector: Inspector): boolean {
  if (a === b) return true;
  const [one, other] = [inspector.inspectPath(a), inspector.inspectPath(b)];
  return one != null && other != null && sameFile(one, other) === true;
}
