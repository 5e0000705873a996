/**
 * The questions that `sd_is_fifo(3)` and its relatives answer, with the same
 * meaning.
 *
 * Each answers `true` or `false`, and `undefined` where libsystemd returns an
 * error: the descriptor isn't open, what it is can't be read here, or a path
 * can't be looked at. `undefined` for a property that is asked for means any.
 *
 * Different from libsystemd are only the forms of what is asked for:
 *
 * | libsystemd                       | here                                     |
 * | -------------------------------- | ---------------------------------------- |
 * | `listening` > 0, 0, < 0          | `true`, `false`, `undefined`             |
 * | 0 as family, type or port        | 0 as port, else `undefined`              |
 * | abstract name after a NUL byte   | after `@`, as elsewhere in this library; no question is for a path that begins with `@` |
 * | `struct sockaddr`                | an address; its flow information is not compared, since no socket has one |
 * | -EINVAL for what can't be asked  | a `TypeError` or `RangeError`            |
 *
 * @module
 */

import { canonicalIpv6, type InetAddress } from "./address.ts";
import type { Descriptor } from "./descriptor.ts";
import {
  type DescriptorInfo,
  isFileInfo,
  isSocketInfo,
  sameFile,
  type SocketFamily,
  type SocketInfo,
  type SocketType,
} from "./info.ts";
import { quote } from "./errors.ts";
import { isSocketFamily, isSocketType } from "./socket_info.ts";

/** What may be asked of any socket. */
export interface SocketSockaddrQuery {
  /** The type. */
  readonly type?: SocketType | undefined;
  /** Whether it listens. */
  readonly listening?: boolean | undefined;
}

/** What {@linkcode isSocket} asks for. */
export interface SocketQuery extends SocketSockaddrQuery {
  /** The address family. */
  readonly family?: SocketFamily | undefined;
}

/** What {@linkcode isSocketInet} asks for. */
export interface SocketInetQuery extends SocketSockaddrQuery {
  /** The address family; both if absent. */
  readonly family?: "ipv4" | "ipv6" | undefined;
  /** The port that it is bound to; any if absent or 0. */
  readonly port?: number | undefined;
}

/** What {@linkcode isSocketUnix} asks for. */
export interface SocketUnixQuery extends SocketSockaddrQuery {
  /**
   * The path that it is bound to, exactly as it was bound; `@` in front for an
   * abstract name, an empty string for a socket that is not bound.
   */
  readonly path?: string | undefined;
}

/**
 * Tells whether a descriptor is a FIFO or pipe, see `sd_is_fifo(3)`.
 *
 * @param descriptor The descriptor.
 * @param path The path of the FIFO that it is to be open on; any if absent.
 * @returns Whether it is; `undefined` if that can't be told.
 */
export function isFifo(
  descriptor: Descriptor,
  path?: string,
): boolean | undefined {
  const { info } = descriptor;
  if (!isTold(info)) return undefined;
  if (info.kind !== "fifo") return false;
  if (path === undefined) return true;
  const found = descriptor.inspector.inspectPath(path);
  return found == null ? nowhere(found) : sameFile(info, found);
}

/**
 * Tells whether a descriptor is a regular file or character device, such as
 * those of `ListenSpecial=`, see `sd_is_special(3)`.
 *
 * @param descriptor The descriptor.
 * @param path The path of the file that it is to be open on; any if absent.
 * @returns Whether it is; `undefined` if that can't be told.
 */
export function isSpecial(
  descriptor: Descriptor,
  path?: string,
): boolean | undefined {
  const { info } = descriptor;
  if (!isTold(info)) return undefined;
  if (!isFileInfo(info)) return false;
  const isDevice = info.kind === "character-device";
  if (!isDevice && !isRegular(info.kind)) return false;
  if (path === undefined) return true;
  const found = descriptor.inspector.inspectPath(path);
  if (found == null) return nowhere(found);
  if (!isDevice) return isRegular(found.kind) && sameFile(info, found);
  if (found.kind !== "character-device") return false;
  // Two paths can stand for one device.
  return info.specialDevice === undefined
    ? undefined
    : info.specialDevice === found.specialDevice;
}

/**
 * Tells whether a descriptor is a POSIX message queue, see `sd_is_mq(3)`.
 *
 * @param descriptor The descriptor.
 * @param path The name of the queue that it is to be, such as `/queue`; any if
 * absent.
 * @returns Whether it is; `undefined` if that can't be told, also if there is no
 * queue of this name, or the queues can't be looked at in `/dev/mqueue`.
 * @throws {TypeError} If the name doesn't begin with a slash.
 */
export function isMessageQueue(
  descriptor: Descriptor,
  path?: string,
): boolean | undefined {
  if (path !== undefined && !path.startsWith("/")) {
    throw new TypeError(
      `Asking for a message queue: expected a name that begins with a slash, ` +
        `found ${quote(path)}`,
    );
  }
  const { info } = descriptor;
  if (!isTold(info)) return undefined;
  if (info.kind !== "message-queue") return false;
  if (path === undefined) return true;
  const found = descriptor.inspector.inspectPath(`/dev/mqueue${path}`);
  return found == null ? undefined : sameFile(info, found);
}

/**
 * Tells whether a descriptor is a socket, see `sd_is_socket(3)`.
 *
 * @param descriptor The descriptor.
 * @param query What it is to be.
 * @returns Whether it is; `undefined` if that can't be told.
 * @throws {TypeError} If the query is for what is no family or type.
 */
export function isSocket(
  descriptor: Descriptor,
  query: SocketQuery = {},
): boolean | undefined {
  const { family } = query;
  if (family !== undefined && !isSocketFamily(family)) {
    throw new TypeError(
      `Asking for a socket: expected an address family, found ${
        quote(String(family))
      }`,
    );
  }
  return askSocket(
    descriptor,
    query,
    (info) => [is(info.family, family)],
  );
}

/**
 * Tells whether a descriptor is an IPv4 or IPv6 socket, see
 * `sd_is_socket_inet(3)`.
 *
 * @param descriptor The descriptor.
 * @param query What it is to be.
 * @returns Whether it is; `undefined` if that can't be told.
 * @throws {TypeError} If the query is for what is no family or type.
 * @throws {RangeError} If its port is not one.
 */
export function isSocketInet(
  descriptor: Descriptor,
  query: SocketInetQuery = {},
): boolean | undefined {
  const { family, port } = query;
  if (family !== undefined && family !== "ipv4" && family !== "ipv6") {
    throw new TypeError(
      `Asking for an internet socket: expected "ipv4" or "ipv6" as family, ` +
        `found ${quote(String(family))}`,
    );
  }
  checkPort(port);
  return askSocket(descriptor, query, (info) => [
    info.family === undefined
      ? undefined
      : info.family === "ipv4" || info.family === "ipv6",
    is(info.family, family),
    is(portOf(info), port || undefined),
  ]);
}

/**
 * Tells whether a descriptor is a socket that is bound to an IPv4 or IPv6
 * address, see `sd_is_socket_sockaddr(3)`.
 *
 * @param descriptor The descriptor.
 * @param address The address; 0 as port, or no scope id, means any.
 * @param query What it is to be beside that.
 * @returns Whether it is; `undefined` if that can't be told.
 * @throws {TypeError} If the address is none, or the query is for what is no
 * type.
 * @throws {RangeError} If its port is not one.
 */
export function isSocketSockaddr(
  descriptor: Descriptor,
  address: InetAddress,
  query: SocketSockaddrQuery = {},
): boolean | undefined {
  const hostname = readHostname(address);
  checkPort(address.port);
  return askSocket(descriptor, query, (info) => [
    is(info.family, address.kind),
    is(portOf(info), address.port || undefined),
    is(inetOf(info)?.hostname, hostname),
    is(scopeOf(info), address.scopeId || undefined),
  ]);
}

/**
 * Tells whether a descriptor is a Unix socket, see `sd_is_socket_unix(3)`.
 *
 * @param descriptor The descriptor.
 * @param query What it is to be.
 * @returns Whether it is; `undefined` if that can't be told.
 * @throws {TypeError} If the query is for what is no type.
 */
export function isSocketUnix(
  descriptor: Descriptor,
  query: SocketUnixQuery = {},
): boolean | undefined {
  return askSocket(descriptor, query, (info) => [
    is(info.family, "unix"),
    query.path === undefined || isBoundTo(info, query.path),
  ]);
}

/** Answers what all questions on sockets have in common, and then more. */
function askSocket(
  descriptor: Descriptor,
  { type, listening }: SocketSockaddrQuery,
  ask: (info: SocketInfo) => (boolean | undefined)[],
): boolean | undefined {
  if (type !== undefined && !isSocketType(type)) {
    throw new TypeError(
      `Asking for a socket: expected a socket type, found ${
        quote(String(type))
      }`,
    );
  }
  const { info } = descriptor;
  if (!isTold(info)) return undefined;
  if (!isSocketInfo(info)) return false;
  const answers = [
    is(info.type, type),
    is(info.listening, listening),
    ...ask(info),
  ];
  if (answers.includes(false)) return false;
  return answers.includes(undefined) ? undefined : true;
}

/** Whether a property is what is asked for; anything is if nothing is. */
function is<T>(
  found: T | undefined,
  wanted: T | undefined,
): boolean | undefined {
  if (wanted === undefined) return true;
  return found === undefined ? undefined : found === wanted;
}

/** Whether it is known what a descriptor is. */
function isTold({ kind }: DescriptorInfo): boolean {
  return kind !== "closed" && kind !== "unknown";
}

/** The answer for a path that leads nowhere, or can't be looked at. */
function nowhere(found: null | undefined): false | undefined {
  return found === null ? false : undefined;
}

function isRegular(kind: DescriptorInfo["kind"]): boolean {
  return kind === "file" || kind === "message-queue";
}

function inetOf({ address }: SocketInfo): InetAddress | undefined {
  return address?.kind === "ipv4" || address?.kind === "ipv6"
    ? address
    : undefined;
}

function portOf(info: SocketInfo): number | undefined {
  return inetOf(info)?.port;
}

/** The scope id that an address has; only link-local ones have any but 0. */
function scopeOf(info: SocketInfo): number | undefined {
  const address = inetOf(info);
  if (address === undefined || address.scopeId !== undefined) {
    return address?.scopeId;
  }
  return /^(?:fe[89ab][0-9a-f]|ff[0-9a-f][12]):/.test(address.hostname)
    ? undefined
    : 0;
}

/** Whether a socket is bound to a path as {@linkcode SocketUnixQuery} has it. */
function isBoundTo(
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

function readHostname({ kind, hostname }: InetAddress): string {
  if (kind === "ipv6") return canonicalIpv6(hostname);
  const isIpv4 = kind === "ipv4" && /^\d+(?:\.\d+){3}$/.test(hostname) &&
    hostname.split(".").every((byte) => String(Number(byte) & 255) === byte);
  if (!isIpv4) {
    throw new TypeError(
      `Asking for the address of a socket: expected a numeric IPv4 or IPv6 ` +
        `address, found ${quote(String(hostname))}`,
    );
  }
  return hostname;
}

function checkPort(port: number | undefined): void {
  if (port === undefined) return;
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(
      `Asking for the port of a socket: expected 0 to 65535, found ${port}`,
    );
  }
}
