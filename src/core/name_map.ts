/**
 * Names descriptors by their bound addresses, because systemd before 227 sets no
 * `LISTEN_FDNAMES`. This file can be deleted when systemd 227 can be assumed.
 *
 * @module
 */

import { type Address, comparableHost } from "./address.ts";
import { type Inspector, isSocketInfo } from "./info.ts";
import {
  ActivationError,
  describeValue,
  isRecord,
  quote,
  quoteAll,
} from "./errors.ts";
import { describeAddress, describeInfo } from "./kinds.ts";

/**
 * The bound address of each name.
 *
 * - `{ port }` matches IPv4 and IPv6 sockets on any host.
 * - `{ port, hostname }` matches one numeric address. An IPv4-mapped IPv6 address
 *   equals the IPv4 address, and the wildcards `0.0.0.0` and `::` are equal.
 * - `{ path }` matches a Unix socket, also through symbolic links (`/var/run` for
 *   `/run`); `@` in front marks an abstract name.
 *
 * @example
 * ```ts
 * import type { CompatibilityMap } from "@listenfds/listenfds/core";
 *
 * const map: CompatibilityMap = {
 *   web: { port: 80 },
 *   metrics: { port: 9090, hostname: "127.0.0.1" },
 *   admin: { path: "/run/app.sock" },
 * };
 * ```
 */
export interface CompatibilityMap {
  /** The port (1 to 65535) or the path of the sockets with this name. */
  readonly [name: string]:
    | { readonly port: number; readonly hostname?: string }
    | { readonly path: string };
}

/** A validated entry, its hostname in the form of `comparableHost()`. */
type MapEntry =
  | { readonly port: number; readonly hostname: string | undefined }
  | { readonly path: string };

/**
 * Names descriptors by their bound addresses.
 *
 * @param fds The numbers of the descriptors.
 * @param map The address of each name.
 * @param inspector The source of the descriptors' addresses.
 * @returns The name of each descriptor, in the order of `fds`.
 * @throws {TypeError | RangeError} If the map is invalid.
 * @throws {ActivationError} With the code `map` if a descriptor's address is
 * unknown, or matches no entry of the map, or several.
 */
export function namesFromMap(
  fds: readonly number[],
  map: CompatibilityMap,
  inspector: Inspector,
): string[] {
  const entries = readMap(map);
  const findNames = indexEntries(entries, inspector);
  const infos = inspector.inspect(fds);
  return fds.map((fd, index) => {
    const action = `Naming descriptor ${fd} by its address`;
    const info = infos[index]!;
    const { address } = info;
    if (address === undefined) {
      throw new ActivationError(
        "unmapped",
        isSocketInfo(info) || info.kind === "unknown"
          ? `${action}: its address can't be read here: set ` +
            `FileDescriptorName= in the socket unit (systemd 227 or later), ` +
            `or run Deno with --allow-ffi`
          : `${action}: expected a socket, found ${describeInfo(info)}: set ` +
            `FileDescriptorName= in the socket unit (systemd 227 or later), ` +
            `or remove the descriptor from the service's units`,
      );
    }
    const matching = findNames(address);
    if (matching.length === 1) return matching[0]!;
    const socket = `the ${info.kind} with the ${address.kind} address ${
      describeAddress(address)
    }`;
    throw new ActivationError(
      "unmapped",
      matching.length === 0
        ? `${action}: ${socket} matches no entry of the map (${
          quoteAll(entries.map(([name]) => name))
        }): add an entry, or remove the socket from the unit`
        : `${action}: ${socket} matches more than one entry of the map (${
          quoteAll(matching)
        }): keep one of them`,
    );
  });
}

/**
 * Validates a map.
 *
 * @returns The names and their entries.
 * @throws {TypeError | RangeError} If the map isn't an object of ports and paths.
 */
export function readMap(map: CompatibilityMap): readonly [string, MapEntry][] {
  if (!isRecord(map)) {
    throw new TypeError(
      `Reading the map: expected an object of ports and paths by name, found ` +
        describeValue(map),
    );
  }
  return Object.entries(map).map(([name, entry]) => [
    name,
    readMapEntry(name, entry),
  ]);
}

function readMapEntry(
  name: string,
  entry: CompatibilityMap[string],
): MapEntry {
  const action = `Reading the map's entry ${quote(name)}`;
  const { port, hostname, path } = (entry ?? {}) as Record<string, unknown>;
  if (
    typeof path === "string" && port === undefined && hostname === undefined
  ) return { path };
  if (
    typeof port !== "number" || path !== undefined ||
    (hostname !== undefined && typeof hostname !== "string")
  ) {
    throw new TypeError(
      `${action}: expected { port }, { port, hostname } or { path }, found ` +
        describeValue(entry),
    );
  }
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new RangeError(
      `${action}: expected a port from 1 to 65535, found ${port}`,
    );
  }
  if (hostname === undefined) return { port, hostname };
  const host = comparableHost(hostname);
  if (host === undefined) {
    throw new TypeError(
      `${action}: expected a numeric IPv4 or IPv6 address as hostname, found ${
        quote(hostname)
      }`,
    );
  }
  return { port, hostname: host };
}

/** Returns a function that returns the names of an address, in the map's order. */
function indexEntries(
  entries: readonly [string, MapEntry][],
  inspector: Inspector,
): (address: Address) => string[] {
  const indexes = new Map<string, number[]>();
  const add = (key: string, index: number) => {
    const list = indexes.get(key);
    if (list === undefined) indexes.set(key, [index]);
    else list.push(index);
  };
  // "@" in front means an abstract name only.
  const files = entries.flatMap(([, entry], index) =>
    "path" in entry && !entry.path.startsWith("@")
      ? [{ path: entry.path, index }]
      : []
  );
  let areFilesAdded = false;
  for (const [index, [, entry]] of entries.entries()) {
    if ("port" in entry) add(portKey(entry.port, entry.hostname), index);
    else if (entry.path.startsWith("@")) add(entry.path, index);
    else add(pathKey(entry.path), index);
  }
  const keysOf = (address: Address): string[] => {
    switch (address.kind) {
      case "ipv4":
      case "ipv6": {
        const host = comparableHost(address.hostname);
        return [portKey(address.port, undefined), portKey(address.port, host)];
      }
      case "unix":
        // A path that is equal as text needs no look at the file.
        if (files.every(({ path }) => path === address.path)) {
          return [pathKey(address.path)];
        }
        for (const { path, index } of areFilesAdded ? [] : files) {
          add(fileKey(path, inspector), index);
        }
        areFilesAdded = true;
        return [pathKey(address.path), fileKey(address.path, inspector)];
      case "unix-abstract":
        return [`@${address.name}`];
      default:
        return [];
    }
  };
  return (address) =>
    [...new Set(keysOf(address).flatMap((key) => indexes.get(key) ?? []))]
      .sort((a, b) => a - b).map((index) => entries[index]![0]);
}

function portKey(port: number, hostname: string | undefined): string {
  return `port ${port} ${hostname ?? "any"}`;
}

function pathKey(path: string): string {
  return `path ${path}`;
}

/** Returns a key of the file at a path; the path's own if that is unknown. */
function fileKey(path: string, inspector: Inspector): string {
  const { device, inode } = inspector.inspectPath(path) ?? {};
  return device === undefined || inode === undefined
    ? pathKey(path)
    : `file ${device} ${inode}`;
}
