/**
 * Binds sockets by the C library: every kind, each set up as systemd does. For
 * Deno, Bun and Node from 26 on, on Linux.
 *
 * @module
 */

import fs from "node:fs";
import os from "node:os";
import { getSystemErrorName } from "node:util";
import type { Address } from "../../core/address.ts";
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
  type Bound,
  DEFAULT_BACKLOG,
} from "./binder.ts";
import type { SocketSpec } from "../shared/socket_spec.ts";

/**
 * The lowest number of a descriptor. The programs get theirs from 3 on, and
 * Deno moves them there one after another: none may be in another's place.
 */
const LOWEST = 128;
/** How often it is looked whether a connection waits: costs 0.1% of a core. */
const ACCEPT_MILLISECONDS = 10;

const TYPE_OF = {
  tcp: SOCK_STREAM,
  udp: SOCK_DGRAM,
  unix: SOCK_STREAM,
  unixgram: SOCK_DGRAM,
  seqpacket: SOCK_SEQPACKET,
} as const;

/** Makes the binder. */
export function libcBinder(calls: SocketCalls): Binder {
  return {
    canBind: () => true,
    seesWaiting: true,
    ignoredOptions: () => [],
    bind(specs) {
      const made: Made[] = [];
      const from = Math.max(LOWEST, 3 + specs.length);
      for (const [index, spec] of specs.entries()) {
        const one: Made = { fd: -1, path: undefined };
        made.push(one);
        try {
          make(calls, spec, from, one);
        } catch (error) {
          for (const each of made) undo(calls, each);
          return Promise.reject(asFailure(index, error));
        }
      }
      return Promise.resolve(bound(calls, made.map(({ fd }) => fd), specs));
    },
  };
}

/** What was made so far of a socket. */
interface Made {
  fd: number;
  /** Its path, once that was made. */
  path: string | undefined;
}

function undo(calls: SocketCalls, { fd, path }: Made): void {
  if (fd >= 0) calls.close(fd);
  if (path !== undefined) fs.rmSync(path, { force: true });
}

function asFailure(index: number, cause: unknown): unknown {
  if (cause instanceof LibcError) {
    const code = getSystemErrorName(-cause.errno);
    return new BindFailure(index, code, { cause });
  }
  const { code } = cause as NodeJS.ErrnoException;
  return code === undefined ? cause : new BindFailure(index, code, { cause });
}

function make(
  calls: SocketCalls,
  { address, options = {} }: SocketSpec,
  from: number,
  made: Made,
): void {
  if (address.kind === "fifo") {
    try {
      calls.createFifo(address.path, options.mode ?? 0o666);
      made.path = address.path;
      if (options.mode !== undefined) fs.chmodSync(address.path, options.mode);
    } catch (error) {
      // One that is there is used, as systemd does.
      if (asCode(error) !== "EEXIST") throw error;
    }
    made.fd = calls.openPath(address.path, from);
    if (options.pipeSize !== undefined) {
      calls.setPipeSize(made.fd, options.pipeSize);
    }
    return;
  }
  const isIpv6 = "hostname" in address && address.hostname.includes(":");
  const family = "path" in address ? AF_UNIX : isIpv6 ? AF_INET6 : AF_INET;
  made.fd = calls.createSocket(family, TYPE_OF[address.kind], from);
  const numbers: Partial<Record<SocketOption, number>> = {
    // Not for packets: two programs could have one address, and one starves.
    ...(address.kind === "tcp" && { reuseAddress: 1 }),
    ...(isIpv6 && { ipv6Only: options.ipv6Only === false ? 0 : 1 }),
    ...options.numbers,
  };
  for (const [option, value] of Object.entries(numbers)) {
    calls.setOption(made.fd, option as SocketOption, value);
  }
  if ("path" in address) {
    calls.bind(made.fd, encodeUnix(address.path));
    if (!address.path.startsWith("@")) {
      made.path = address.path;
      // Before it listens: nobody connects who may not.
      if (options.mode !== undefined) {
        fs.chmodSync(address.path, options.mode);
      }
    }
  } else {
    calls.bind(made.fd, encodeInet(address.hostname, address.port));
  }
  if (TYPE_OF[address.kind] !== SOCK_DGRAM) {
    calls.listen(made.fd, options.backlog ?? DEFAULT_BACKLOG);
  }
}

function asCode(error: unknown): string | undefined {
  return error instanceof LibcError
    ? getSystemErrorName(-error.errno)
    : undefined;
}

function encodeInet(hostname: string, port: number): Uint8Array {
  if (!hostname.includes(":")) return encodeIpv4(hostname, port);
  const [address, scope] = hostname.split("%") as [string, string?];
  return encodeIpv6(address, port, scope === undefined ? 0 : scopeId(scope));
}

/** The index of an interface. */
function scopeId(scope: string): number {
  if (/^[0-9]+$/.test(scope)) return Number(scope);
  const found = os.networkInterfaces()[scope]?.find(({ family }) =>
    family === "IPv6"
  );
  // What the kernel says of an interface that isn't there.
  if (found === undefined) {
    throw Object.assign(new Error(scope), { code: "ENODEV" });
  }
  return (found as { scopeid?: number }).scopeid ?? 0;
}

function bound(
  calls: SocketCalls,
  fds: readonly number[],
  specs: readonly SocketSpec[],
): Bound {
  return {
    fds,
    ports: fds.map((fd, at) => {
      if ("path" in specs[at]!.address) return undefined;
      const name = decodeSockaddr(calls.localAddress(fd));
      return name !== undefined && "port" in name ? name.port : undefined;
    }),
    makeBlocking() {
      for (const fd of fds) calls.setNonBlocking(fd, false);
    },
    isWaiting: () => calls.areReadable(fds).includes(true),
    accept: (onConnection) => acceptAll(calls, fds, onConnection),
    close() {
      for (const fd of fds) calls.close(fd);
      return Promise.resolve();
    },
  };
}

function acceptAll(
  calls: SocketCalls,
  fds: readonly number[],
  onConnection: (connection: AcceptedConnection) => void,
): () => void {
  // One that waits may be gone when it is to be accepted.
  for (const fd of fds) calls.setNonBlocking(fd, true);
  let isStopped = false;
  const timer = setInterval(() => {
    for (const [index, isReady] of calls.areReadable(fds).entries()) {
      while (isReady && !isStopped) {
        const accepted = calls.accept(fds[index]!, LOWEST);
        if (accepted === undefined) break;
        const { fd, peer } = accepted;
        const address = decodeSockaddr(peer);
        onConnection({
          index,
          fd,
          ...peerOf(address),
          close: () => calls.close(fd),
        });
      }
    }
  }, ACCEPT_MILLISECONDS);
  return () => {
    isStopped = true;
    clearInterval(timer);
  };
}

function peerOf(
  address: Address | undefined,
): Pick<AcceptedConnection, "hostname" | "port"> {
  return address?.kind === "ipv4" || address?.kind === "ipv6"
    ? { hostname: address.hostname, port: address.port }
    : { hostname: undefined, port: undefined };
}
