/**
 * Names for descriptors that came without: systemd before 227 doesn't set
 * `LISTEN_FDNAMES`, so a program says which port or path it knows by which
 * name. Nothing else depends on this file: it can go when systemd 227 can be
 * assumed.
 *
 * @module
 */

import type { Address } from "./address.ts";
import {
  describeAddress,
  describeInfo,
  type DescriptorInfo,
} from "./descriptor.ts";
import { ActivationError, quote, quoteAll } from "./errors.ts";

/**
 * Which name stands for which address. A port means IPv4 and IPv6, whatever
 * the host; a path is that of a Unix socket, with `@` in front for an abstract
 * name.
 *
 * @example
 * ```ts
 * import type { CompatibilityMap } from "@listenfds/listenfds";
 *
 * const map: CompatibilityMap = {
 *   web: { port: 80 },
 *   admin: { path: "/run/app.sock" },
 * };
 * ```
 */
export interface CompatibilityMap {
  /** The port, or the path, of the sockets with this name. */
  readonly [name: string]: { readonly port: number } | {
    readonly path: string;
  };
}

/** A descriptor without a name. */
export interface UnnamedDescriptor {
  /** Its number. */
  readonly fd: number;
  /** What is known of it. */
  readonly info: DescriptorInfo;
}

/**
 * Finds the name of each descriptor by its address.
 *
 * @param descriptors The descriptors, in order.
 * @param map Which name stands for which address.
 * @returns A name for each descriptor, in order.
 * @throws {TypeError | RangeError} If an entry of the map is not a port or path.
 * @throws {ActivationError} With the code `map` if an address is not known, or
 * matches no entry, or several.
 */
export function namesFromMap(
  descriptors: readonly UnnamedDescriptor[],
  map: CompatibilityMap,
): string[] {
  const entries = Object.entries(map);
  for (const [name, entry] of entries) checkEntry(name, entry);
  return descriptors.map(({ fd, info }) => {
    const doing = `Naming descriptor ${fd} by its address`;
    const { address } = info;
    if (address === undefined) {
      throw new ActivationError(
        "map",
        info.kind === "socket" || info.kind === "unknown"
          ? `${doing}: its address can't be read here: set FileDescriptorName= ` +
            `in the socket unit (systemd 227 or later), or let the program ` +
            `read /proc (Deno: --allow-all)`
          : `${doing}: expected a socket, found ${describeInfo(info)}: set ` +
            `FileDescriptorName= in the socket unit (systemd 227 or later), ` +
            `or pass no such descriptor`,
      );
    }
    const found = entries.filter(([, entry]) => matches(address, entry));
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

function checkEntry(name: string, entry: CompatibilityMap[string]): void {
  const { port, path } = (entry ?? {}) as { port?: unknown; path?: unknown };
  if (typeof path === "string" && port === undefined) return;
  if (typeof port !== "number" || path !== undefined) {
    throw new TypeError(
      `Reading the map's entry ${
        quote(name)
      }: expected { port } or { path }, ` +
        `found ${quote(show(entry))}`,
    );
  }
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new RangeError(
      `Reading the map's entry ${quote(name)}: expected a port from 1 to ` +
        `65535, found ${port}`,
    );
  }
}

function matches(address: Address, entry: CompatibilityMap[string]): boolean {
  switch (address.kind) {
    case "ipv4":
    case "ipv6":
      return "port" in entry && entry.port === address.port;
    case "unix":
      return "path" in entry && entry.path === address.path;
    case "unix-abstract":
      return "path" in entry && entry.path === `@${address.name}`;
    case "unix-unnamed":
      return false;
  }
}

/** An entry as text; not everything is JSON. */
function show(entry: unknown): string {
  try {
    return JSON.stringify(entry) ?? String(entry);
  } catch {
    return String(entry);
  }
}
