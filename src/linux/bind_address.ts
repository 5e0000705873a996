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
  ECONNREFUSED,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../ffi/constants.ts";
import { LibcError } from "../ffi/descriptor_calls.ts";
import type { SocketCalls } from "../ffi/sockets.ts";

/** The backlog that systemd sockets have; the kernel lowers it to `somaxconn`. */
const MAX_BACKLOG = 4096;
/** The lowest number of a descriptor. */
const MINIMUM_FD = 3;

/**
 * Binds a socket, and listens on it unless it is one for datagrams.
 *
 * @returns The number of the socket.
 * @throws {RangeError} If a host name would have to be looked up.
 * @throws {LibcError} With the kernel's error.
 */
export function bindAddress(
  calls: SocketCalls,
  fallback: Fallback,
  isDatagram: boolean,
): number {
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
  calls: SocketCalls,
  fallback: Fallback,
  isDatagram: boolean,
  ipv6Only = 1,
): number {
  const { family, address } = encodeFallback(fallback);
  const type = isDatagram ? SOCK_DGRAM : SOCK_STREAM;
  const fd = calls.createSocket(family, type, MINIMUM_FD);
  try {
    if (family !== AF_UNIX && !isDatagram) {
      calls.setOption(fd, "reuseAddress", 1);
    }
    if (family === AF_INET6) calls.setOption(fd, "ipv6Only", ipv6Only);
    bind(calls, fd, fallback, address, type);
    if (!isDatagram) calls.listen(fd, MAX_BACKLOG);
    return fd;
  } catch (error) {
    calls.close(fd);
    throw error;
  }
}

/** Binds; replaces the path of a socket that no process has open any more. */
function bind(
  calls: SocketCalls,
  fd: number,
  fallback: Fallback,
  address: Uint8Array,
  type: number,
): void {
  try {
    calls.bind(fd, address);
  } catch (error) {
    const isUsed = error instanceof LibcError && error.errno === EADDRINUSE;
    if (!isUsed || !("path" in fallback) || fallback.path.startsWith("@")) {
      throw error;
    }
    if (!isAbandoned(calls, address, type)) throw error;
    calls.unlink(fallback.path);
    calls.bind(fd, address);
  }
}

/** Whether a path belongs to a socket that is closed. */
function isAbandoned(
  calls: SocketCalls,
  address: Uint8Array,
  type: number,
): boolean {
  const fd = calls.createSocket(AF_UNIX, type, MINIMUM_FD);
  try {
    calls.connect(fd, address);
    return false;
  } catch (error) {
    return error instanceof LibcError && error.errno === ECONNREFUSED;
  } finally {
    calls.close(fd);
  }
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
