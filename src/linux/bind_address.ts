/**
 * Binding a socket to a fallback address through the C library.
 *
 * @module
 */

import { canonicalIpv6, parseIpv4 } from "../core/address.ts";
import { quote } from "../core/errors.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  encodeIpv4,
  encodeIpv6,
  encodeUnix,
} from "../core/sockaddr.ts";
import type { Fallback } from "../core/types.ts";
import {
  EADDRINUSE,
  EAFNOSUPPORT,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../ffi/constants.ts";
import { LibcError } from "../ffi/descriptor_calls.ts";
import type { Libc } from "../ffi/libc.ts";
import type { SocketCalls } from "../ffi/sockets.ts";
import { freeSocketPath, MINIMUM_FD, pathRemover } from "./socket_path.ts";

/** The backlog that systemd sockets have; the kernel lowers it to `somaxconn`. */
const MAX_BACKLOG = 4096;

/** The calls that binding takes. */
export interface BindCalls {
  readonly libc: Libc;
  readonly calls: SocketCalls;
}

/** A socket that was bound here. */
export interface BoundFallback {
  readonly fd: number;
  /** Removes its path, unless something else has taken its place. */
  removePath(): void;
}

/**
 * Binds a socket, and listens on it unless it is one for datagrams.
 *
 * @throws {RangeError} If a host name would have to be looked up.
 * @throws {LibcError} With the kernel's error.
 */
export function bindAddress(
  calls: BindCalls,
  fallback: Fallback,
  isDatagram: boolean,
): BoundFallback {
  if ("path" in fallback || fallback.hostname !== undefined) {
    return bindNumeric(calls, fallback, isDatagram);
  }
  try {
    return bindNumeric(calls, { ...fallback, hostname: "::" }, isDatagram, 0);
  } catch (error) {
    if (!(error instanceof LibcError && error.errno === EAFNOSUPPORT)) {
      throw error;
    }
    return bindNumeric(calls, { ...fallback, hostname: "0.0.0.0" }, isDatagram);
  }
}

/** @param ipv6Only 0: an IPv6 socket is also each address of IPv4. */
function bindNumeric(
  { libc, calls }: BindCalls,
  fallback: Fallback,
  isDatagram: boolean,
  ipv6Only = 1,
): BoundFallback {
  const { family, address } = encodeFallback(fallback);
  const type = isDatagram ? SOCK_DGRAM : SOCK_STREAM;
  const fd = calls.createSocket(family, type, MINIMUM_FD);
  let removePath = () => {};
  try {
    if (family !== AF_UNIX && !isDatagram) {
      calls.setOption(fd, "reuseAddress", 1);
    }
    if (family === AF_INET6) calls.setOption(fd, "ipv6Only", ipv6Only);
    removePath = bind({ libc, calls }, fd, fallback, address, type);
    if (!isDatagram) calls.listen(fd, MAX_BACKLOG);
    return { fd, removePath };
  } catch (error) {
    calls.close(fd);
    removePath();
    throw error;
  }
}

/**
 * Binds a socket; replaces the path of one that no process has open any more.
 *
 * @returns Removes the path again.
 */
function bind(
  { libc, calls }: BindCalls,
  fd: number,
  fallback: Fallback,
  address: Uint8Array,
  type: number,
): () => void {
  if (!("path" in fallback) || fallback.path.startsWith("@")) {
    calls.bind(fd, address);
    return () => {};
  }
  const { path } = fallback;
  try {
    calls.bind(fd, address);
  } catch (error) {
    const isUsed = error instanceof LibcError && error.errno === EADDRINUSE;
    if (!isUsed) throw error;
    freeSocketPath(libc, calls, path, address, type);
    calls.bind(fd, address);
  }
  return pathRemover(calls, path);
}

function encodeFallback(
  fallback: Fallback,
): { readonly family: number; readonly address: Uint8Array } {
  if ("path" in fallback) {
    return { family: AF_UNIX, address: encodeUnix(fallback.path) };
  }
  const { port, hostname = "" } = fallback;
  const numeric = hostname === "localhost" ? "127.0.0.1" : hostname;
  if (parseIpv4(numeric) !== undefined) {
    return { family: AF_INET, address: encodeIpv4(numeric, port) };
  }
  try {
    const address = encodeIpv6(canonicalIpv6(numeric), port, 0);
    return { family: AF_INET6, address };
  } catch {
    throw new RangeError(
      `Binding a fallback that is stored: expected a numeric address, found ` +
        quote(hostname),
    );
  }
}
