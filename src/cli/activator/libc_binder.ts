/**
 * Binds sockets of every kind through the C library, with the same settings as
 * systemd: on Deno, Bun and Node 26 or later, on Linux.
 *
 * @module
 */

import fs from "node:fs";
import os from "node:os";
import { getSystemErrorName } from "node:util";
import { type Address, isInetAddress } from "../../core/address.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  decodeSockaddr,
  encodeIpv4,
  encodeIpv6,
  encodeUnix,
} from "../../core/sockaddr.ts";
import {
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_STREAM,
} from "../../ffi/constants.ts";
import { LibcError } from "../../ffi/descriptor_calls.ts";
import type { SocketCalls, SocketOption } from "../../ffi/sockets.ts";
import {
  type AcceptedConnection,
  type Binder,
  BindFailure,
  type BoundSockets,
  DEFAULT_BACKLOG,
} from "./binder.ts";
import type { SocketAddress, SocketSpec } from "../shared/socket_spec.ts";
import { entryAt, toEntry } from "../shared/file_entry.ts";
import { withMode } from "./paths/umask.ts";

/**
 * Lowest descriptor. Deno moves a child's descriptors to 3, 4 … one by one, so
 * that a lower number could be overwritten before it is moved.
 */
const LOWEST_FD = 128;
/** Interval of polling for connections; costs 0.1% of a core. */
const ACCEPT_POLL_MS = 10;

const SOCKET_TYPES = {
  tcp: SOCK_STREAM,
  udp: SOCK_DGRAM,
  unix: SOCK_STREAM,
  unixgram: SOCK_DGRAM,
  seqpacket: SOCK_SEQPACKET,
} as const;

/** Creates the binder. */
export function libcBinder(calls: SocketCalls): Binder {
  return {
    canBind: () => true,
    seesWaiting: true,
    ignoredSettings: () => [],
    bind(specs) {
      const sockets: PartialSocket[] = [];
      const lowestFd = Math.max(LOWEST_FD, 3 + specs.length);
      for (const [index, spec] of specs.entries()) {
        const socket: PartialSocket = { fd: -1, path: undefined };
        sockets.push(socket);
        try {
          if (spec.address.kind === "fifo") {
            openFifo(calls, socket, spec, lowestFd);
          } else {
            openSocket(calls, socket, spec, lowestFd);
          }
        } catch (error) {
          for (const socket of sockets) discard(calls, socket);
          return Promise.reject(toBindFailure(index, error));
        }
      }
      const fds = sockets.map(({ fd }) => fd);
      return Promise.resolve(boundSockets(calls, fds, specs));
    },
  };
}

/** Progress of a socket, so that a failure can be undone. */
interface PartialSocket {
  /** -1 until the socket is created. */
  fd: number;
  /** Path, once it is created. */
  path: string | undefined;
}

function discard(calls: SocketCalls, { fd, path }: PartialSocket): void {
  if (fd >= 0) calls.close(fd);
  if (path !== undefined) fs.rmSync(path, { force: true });
}

function toBindFailure(index: number, cause: unknown): unknown {
  const code = errorNameOf(cause) ?? (cause as NodeJS.ErrnoException).code;
  return code === undefined ? cause : new BindFailure(index, code, { cause });
}

function openFifo(
  calls: SocketCalls,
  fifo: PartialSocket,
  { address, settings = {} }: SocketSpec,
  lowestFd: number,
): void {
  const { path } = address as Extract<SocketAddress, { kind: "fifo" }>;
  const { mode } = settings;
  try {
    withMode(mode, () => calls.createFifo(path, mode ?? 0o666));
    fifo.path = path;
  } catch (error) {
    if (errorNameOf(error) !== "EEXIST") throw error;
  }
  fifo.fd = calls.openPath(path, lowestFd);
  // An existing FIFO is used if it is as it would be created, as by systemd.
  const opened = toEntry(fs.statSync(`/proc/self/fd/${fifo.fd}`));
  const isSame = opened.isFifo && opened.isOwn &&
    (mode === undefined || opened.mode === mode) &&
    entryAt(path)?.identity === opened.identity;
  if (!isSame) throw Object.assign(new Error(path), { code: "EEXIST" });
  if (settings.pipeSize !== undefined) {
    calls.setPipeSize(fifo.fd, settings.pipeSize);
  }
}

function openSocket(
  calls: SocketCalls,
  socket: PartialSocket,
  { address, settings = {} }: SocketSpec,
  lowestFd: number,
): void {
  const type = SOCKET_TYPES[address.kind as keyof typeof SOCKET_TYPES];
  const isIpv6 = "hostname" in address && address.hostname.includes(":");
  const family = "path" in address ? AF_UNIX : isIpv6 ? AF_INET6 : AF_INET;
  socket.fd = calls.createSocket(family, type, lowestFd);
  const options: Partial<Record<SocketOption, number>> = {
    // Not for UDP: two programs could share an address, and one would starve.
    ...(address.kind === "tcp" && { reuseAddress: 1 }),
    ...(isIpv6 && { ipv6Only: settings.ipv6Only === false ? 0 : 1 }),
    ...settings.numbers,
  };
  for (const [option, value] of Object.entries(options)) {
    calls.setOption(socket.fd, option as SocketOption, value);
  }
  if ("hostname" in address) {
    calls.bind(socket.fd, encodeInet(address.hostname, address.port));
  } else {
    withMode(
      settings.mode,
      () => calls.bind(socket.fd, encodeUnix(address.path)),
    );
    if (!address.path.startsWith("@")) socket.path = address.path;
  }
  if (type !== SOCK_DGRAM) {
    calls.listen(socket.fd, settings.backlog ?? DEFAULT_BACKLOG);
  }
}

/** Returns the name of a C library error, such as `EEXIST`. */
function errorNameOf(error: unknown): string | undefined {
  return error instanceof LibcError
    ? getSystemErrorName(-error.errno)
    : undefined;
}

function encodeInet(hostname: string, port: number): Uint8Array {
  if (!hostname.includes(":")) return encodeIpv4(hostname, port);
  const [address, scope] = hostname.split("%") as [string, string?];
  return encodeIpv6(address, port, scope === undefined ? 0 : scopeId(scope));
}

/** Returns the index of a network interface. */
function scopeId(scope: string): number {
  if (/^[0-9]+$/.test(scope)) return Number(scope);
  const address = os.networkInterfaces()[scope]?.find(({ family }) =>
    family === "IPv6"
  );
  // The kernel's error for a missing interface.
  if (address === undefined) {
    throw Object.assign(new Error(scope), { code: "ENODEV" });
  }
  return (address as { scopeid?: number }).scopeid ?? 0;
}

function boundSockets(
  calls: SocketCalls,
  fds: readonly number[],
  specs: readonly SocketSpec[],
): BoundSockets {
  return {
    fds,
    ports: fds.map((fd, index) => {
      if ("path" in specs[index]!.address) return undefined;
      return hostAndPort(decodeSockaddr(calls.localAddress(fd))).port;
    }),
    makeBlocking() {
      for (const fd of fds) calls.setNonBlocking(fd, false);
    },
    makeNonBlocking() {
      for (const fd of fds) calls.setNonBlocking(fd, true);
    },
    isWaiting: () => calls.areReadable(fds).includes(true),
    accept: (onConnection) => pollForConnections(calls, fds, onConnection),
    close() {
      for (const fd of fds) calls.close(fd);
      return Promise.resolve();
    },
  };
}

function pollForConnections(
  calls: SocketCalls,
  fds: readonly number[],
  onConnection: (connection: AcceptedConnection) => void,
): () => void {
  // A waiting connection may be gone before accept(2), which must not block.
  for (const fd of fds) calls.setNonBlocking(fd, true);
  let isStopped = false;
  const timer = setInterval(() => {
    for (const [index, isReady] of calls.areReadable(fds).entries()) {
      while (isReady && !isStopped) {
        const accepted = calls.accept(fds[index]!, LOWEST_FD);
        if (accepted === undefined) break;
        const { fd, peer } = accepted;
        const address = decodeSockaddr(peer);
        onConnection({
          index,
          fd,
          ...hostAndPort(address),
          close: () => calls.close(fd),
        });
      }
    }
  }, ACCEPT_POLL_MS);
  return () => {
    isStopped = true;
    clearInterval(timer);
  };
}

function hostAndPort(
  address: Address | undefined,
): Pick<AcceptedConnection, "hostname" | "port"> {
  return isInetAddress(address)
    ? { hostname: address.hostname, port: address.port }
    : { hostname: undefined, port: undefined };
}
