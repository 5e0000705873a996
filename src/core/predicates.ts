/**
 * The predicates of `sd_is_fifo(3)`, with the results of libsystemd.
 *
 * A predicate returns `undefined` where libsystemd returns an error: the
 * descriptor isn't open or can't be inspected, or a path can't be inspected.
 * Each call inspects the descriptor anew. Only the parameters differ:
 *
 * | libsystemd | Here |
 * | ---------- | ---- |
 * | `listening` > 0, 0, < 0 | `true`, `false`, `undefined` |
 * | 0 for any family, type or port | `undefined`; for a port also 0 |
 * | an abstract name after a NUL byte | after `@`; a path that begins with `@` can't be queried |
 * | `struct sockaddr` | an address; the flow information isn't compared, because no socket has any |
 * | `-EINVAL` for an invalid parameter | a `TypeError` or `RangeError` |
 *
 * @module
 */

import {
  canonicalIpv6,
  type InetAddress,
  isInetAddress,
  parseIpv4,
} from "./address.ts";
import type { Descriptor } from "./descriptor.ts";
import {
  type DescriptorInfo,
  isFileInfo,
  isInspected,
  isSocketInfo,
  sameFile,
  type SocketFamily,
  type SocketInfo,
  type SocketType,
} from "./info.ts";
import { quote } from "./errors.ts";
import { isSocketFamily, isSocketType } from "./socket_info.ts";

/** The properties that every socket predicate compares; absent ones match any. */
export interface SocketSockaddrQuery {
  /** The socket type. */
  readonly type?: SocketType | undefined;
  /** `true`: the socket listens. `false`: it doesn't. */
  readonly listening?: boolean | undefined;
}

/** The properties that {@linkcode isSocket} compares. */
export interface SocketQuery extends SocketSockaddrQuery {
  /** The address family. */
  readonly family?: SocketFamily | undefined;
}

/** The properties that {@linkcode isSocketInet} compares. */
export interface SocketInetQuery extends SocketSockaddrQuery {
  /** The address family; either one if absent. */
  readonly family?: "ipv4" | "ipv6" | undefined;
  /** The bound port, 1 to 65535; any port if absent or 0. */
  readonly port?: number | undefined;
}

/** The properties that {@linkcode isSocketUnix} compares. */
export interface SocketUnixQuery extends SocketSockaddrQuery {
  /**
   * The path exactly as it was bound; `@` in front marks an abstract name, an
   * empty string an unbound socket.
   */
  readonly path?: string | undefined;
}

/**
 * Checks that a descriptor is a FIFO or pipe, see `sd_is_fifo(3)`.
 *
 * @param descriptor The descriptor to inspect.
 * @param path The path of the FIFO; any FIFO or pipe if absent.
 * @returns The result; `undefined` if the descriptor or the path can't be
 * inspected.
 */
export function isFifo(
  descriptor: Descriptor,
  path?: string,
): boolean | undefined {
  const { info } = descriptor;
  if (!isInspected(info)) return undefined;
  if (info.kind !== "fifo") return false;
  if (path === undefined) return true;
  const file = descriptor.inspector.inspectPath(path);
  if (file == null) return resultForNoFile(file);
  return sameFile(info, file);
}

/**
 * Checks that a descriptor is a regular file or character device, as passed by
 * `ListenSpecial=`, see `sd_is_special(3)`.
 *
 * @param descriptor The descriptor to inspect.
 * @param path The path of the file or device; any if absent.
 * @returns The result; `undefined` if the descriptor or the path can't be
 * inspected.
 */
export function isSpecial(
  descriptor: Descriptor,
  path?: string,
): boolean | undefined {
  const { info } = descriptor;
  if (!isInspected(info)) return undefined;
  if (!isFileInfo(info)) return false;
  const isDevice = info.kind === "character-device";
  if (!isDevice && !isRegular(info.kind)) return false;
  if (path === undefined) return true;
  const file = descriptor.inspector.inspectPath(path);
  if (file == null) return resultForNoFile(file);
  if (!isDevice) return isRegular(file.kind) && sameFile(info, file);
  if (file.kind !== "character-device") return false;
  // Two nodes can represent one device.
  return compareProperty(info.specialDevice, file.specialDevice);
}

/**
 * Checks that a descriptor is a POSIX message queue, see `sd_is_mq(3)`.
 *
 * @param descriptor The descriptor to inspect.
 * @param path The name of the queue, such as `/queue`; any queue if absent.
 * @returns The result; `undefined` if the descriptor can't be inspected, or if
 * `/dev/mqueue` can't be read or lacks the name.
 * @throws {TypeError} If the name doesn't begin with a slash.
 */
export function isMessageQueue(
  descriptor: Descriptor,
  path?: string,
): boolean | undefined {
  if (path !== undefined && !path.startsWith("/")) {
    throw new TypeError(
      `Checking for a message queue: expected a name that begins with a ` +
        `slash, found ${quote(path)}`,
    );
  }
  const { info } = descriptor;
  if (!isInspected(info)) return undefined;
  if (info.kind !== "message-queue") return false;
  if (path === undefined) return true;
  const file = descriptor.inspector.inspectPath(`/dev/mqueue${path}`);
  return file == null ? undefined : sameFile(info, file);
}

/**
 * Checks that a descriptor is a socket, see `sd_is_socket(3)`.
 *
 * @param descriptor The descriptor to inspect.
 * @param query The expected properties.
 * @returns The result; `undefined` if a compared property is unknown.
 * @throws {TypeError} If the query's family or type is invalid.
 */
export function isSocket(
  descriptor: Descriptor,
  query: SocketQuery = {},
): boolean | undefined {
  const { family } = query;
  if (family !== undefined && !isSocketFamily(family)) {
    throw new TypeError(
      `Checking for a socket: expected an address family, found ${
        quote(String(family))
      }`,
    );
  }
  return checkSocket(descriptor, query, (info) => [
    compareProperty(info.family, family),
  ]);
}

/**
 * Checks that a descriptor is an IPv4 or IPv6 socket, see
 * `sd_is_socket_inet(3)`.
 *
 * @param descriptor The descriptor to inspect.
 * @param query The expected properties.
 * @returns The result; `undefined` if a compared property is unknown.
 * @throws {TypeError} If the query's family or type is invalid.
 * @throws {RangeError} If the query's port is out of range.
 */
export function isSocketInet(
  descriptor: Descriptor,
  query: SocketInetQuery = {},
): boolean | undefined {
  const { family, port } = query;
  if (family !== undefined && family !== "ipv4" && family !== "ipv6") {
    throw new TypeError(
      `Checking for an internet socket: expected "ipv4" or "ipv6" as family, ` +
        `found ${quote(String(family))}`,
    );
  }
  checkPort(port);
  return checkSocket(descriptor, query, (info) => [
    info.family === undefined
      ? undefined
      : info.family === "ipv4" || info.family === "ipv6",
    compareProperty(info.family, family),
    compareProperty(inetAddressOf(info)?.port, port || undefined),
  ]);
}

/**
 * Checks that a descriptor is a socket that is bound to an IPv4 or IPv6 address,
 * see `sd_is_socket_sockaddr(3)`.
 *
 * @param descriptor The descriptor to inspect.
 * @param address The numeric address; port 0 and scope id 0 or none match any.
 * @param query Further expected properties.
 * @returns The result; `undefined` if a compared property is unknown.
 * @throws {TypeError} If the address isn't numeric, or the query's type is
 * invalid.
 * @throws {RangeError} If the address's port is out of range.
 */
export function isSocketSockaddr(
  descriptor: Descriptor,
  address: InetAddress,
  query: SocketSockaddrQuery = {},
): boolean | undefined {
  const hostname = validHostname(address);
  checkPort(address.port);
  return checkSocket(descriptor, query, (info) => [
    compareProperty(info.family, address.kind),
    compareProperty(inetAddressOf(info)?.port, address.port || undefined),
    compareProperty(inetAddressOf(info)?.hostname, hostname),
    compareProperty(scopeIdOf(info), address.scopeId || undefined),
  ]);
}

/**
 * Checks that a descriptor is a Unix socket, see `sd_is_socket_unix(3)`.
 *
 * @param descriptor The descriptor to inspect.
 * @param query The expected properties.
 * @returns The result; `undefined` if a compared property is unknown.
 * @throws {TypeError} If the query's type is invalid.
 */
export function isSocketUnix(
  descriptor: Descriptor,
  query: SocketUnixQuery = {},
): boolean | undefined {
  return checkSocket(descriptor, query, (info) => [
    compareProperty(info.family, "unix"),
    query.path === undefined || comparePath(info, query.path),
  ]);
}

/** Combines the common comparisons of sockets with those of one predicate. */
function checkSocket(
  descriptor: Descriptor,
  { type, listening }: SocketSockaddrQuery,
  compareRest: (info: SocketInfo) => (boolean | undefined)[],
): boolean | undefined {
  if (type !== undefined && !isSocketType(type)) {
    throw new TypeError(
      `Checking for a socket: expected a socket type, found ${
        quote(String(type))
      }`,
    );
  }
  const { info } = descriptor;
  if (!isInspected(info)) return undefined;
  if (!isSocketInfo(info)) return false;
  const results = [
    compareProperty(info.type, type),
    compareProperty(info.listening, listening),
    ...compareRest(info),
  ];
  if (results.includes(false)) return false;
  return results.includes(undefined) ? undefined : true;
}

/** Compares a property; any value matches if none is expected. */
function compareProperty<T>(
  actual: T | undefined,
  expected: T | undefined,
): boolean | undefined {
  if (expected === undefined) return true;
  return actual === undefined ? undefined : actual === expected;
}

/** Tells a missing file (`null`) from a path that can't be inspected. */
function resultForNoFile(file: null | undefined): false | undefined {
  return file === null ? false : undefined;
}

function isRegular(kind: DescriptorInfo["kind"]): boolean {
  return kind === "file" || kind === "message-queue";
}

function inetAddressOf({ address }: SocketInfo): InetAddress | undefined {
  return isInetAddress(address) ? address : undefined;
}

/** The scope id; 0 for a scope wider than a link (RFC 4007). */
function scopeIdOf(info: SocketInfo): number | undefined {
  const address = inetAddressOf(info);
  if (address === undefined || address.scopeId !== undefined) {
    return address?.scopeId;
  }
  return /^(?:fe[89ab][0-9a-f]|ff[0-9a-f][12]):/.test(address.hostname)
    ? undefined
    : 0;
}

/** Compares the bound address with a path of {@linkcode SocketUnixQuery}. */
function comparePath(
  { address }: SocketInfo,
  path: string,
): boolean | undefined {
  switch (address?.kind) {
    case "unix":
      return !path.startsWith("@") && address.path === path;
    case "unix-abstract":
      return `@${address.name}` === path;
    case "unix-unnamed":
      return path === "";
    default:
      return undefined;
  }
}

function validHostname({ kind, hostname }: InetAddress): string {
  if (kind === "ipv6") return canonicalIpv6(hostname);
  if (kind === "ipv4" && parseIpv4(String(hostname))) return hostname;
  throw new TypeError(
    `Checking a socket's address: expected a numeric IPv4 or IPv6 address, ` +
      `found ${quote(String(hostname))}`,
  );
}

function checkPort(port: number | undefined): void {
  if (port === undefined) return;
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(
      `Checking a socket's port: expected 0 to 65535, found ${port}`,
    );
  }
}
