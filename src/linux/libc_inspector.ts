/**
 * Metadata of descriptors from the C library: exact for every kind, also for
 * sockets of another network namespace, and without `/proc`.
 *
 * @module
 */

import type { Address } from "../core/address.ts";
import type {
  DescriptorInfo,
  FileKind,
  Inspector,
  PathInfo,
  SocketInfo,
} from "../core/info.ts";
import { decodeSockaddr } from "../core/sockaddr.ts";
import { socketInfo } from "../core/socket_info.ts";
import {
  EBADF,
  ENOENT,
  ENOTDIR,
  MQUEUE_MAGIC,
  S_IFMT,
  S_IFSOCK,
} from "../ffi/constants.ts";
import { LibcError } from "../ffi/descriptor_calls.ts";
import type { Libc } from "../ffi/libc.ts";
import { fileKind } from "./file_kind.ts";

/** Creates an inspector of this process's descriptors. */
export function libcInspector(libc: Libc): Inspector {
  return {
    inspect: (fds) => fds.map((fd) => inspectByLibc(fd, libc)),
    inspectPath(path) {
      // A NUL byte would end the path early.
      if (path.includes("\0")) return undefined;
      const stat = attempt(() => libc.statPath(path));
      if (stat instanceof LibcError) {
        const { errno } = stat;
        return errno === ENOENT || errno === ENOTDIR ? null : undefined;
      }
      return pathInfo(stat, fileKind(stat.mode));
    },
  };
}

function inspectByLibc(fd: number, libc: Libc): DescriptorInfo {
  const stat = attempt(() => libc.statDescriptor(fd));
  if (stat instanceof LibcError) {
    return { kind: stat.errno === EBADF ? "closed" : "unknown" };
  }
  const common = {
    link: known(attempt(() => libc.readLink(`/proc/self/fd/${fd}`))),
    nonBlocking: known(attempt(() => libc.isNonBlocking(fd))),
    closeOnExec: known(attempt(() => libc.isCloseOnExec(fd))),
  };
  if ((stat.mode & S_IFMT) === S_IFSOCK) {
    return { ...inspectSocket(fd, libc), ...common, inode: stat.inode };
  }
  const kind = fileKind(stat.mode);
  const isQueue = kind === "file" &&
    known(attempt(() => libc.fileSystemType(fd))) === MQUEUE_MAGIC;
  return { ...pathInfo(stat, isQueue ? "message-queue" : kind), ...common };
}

function pathInfo(
  { inode, device, specialDevice }: ReturnType<Libc["statPath"]>,
  kind: FileKind,
): PathInfo {
  return {
    kind,
    device: deviceNumber(device),
    inode,
    specialDevice: deviceNumber(specialDevice),
  };
}

/** Encodes a device number as `stat(2)` does, see `makedev(3)`. */
function deviceNumber(
  [major, minor]: readonly [number, number],
): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & ~0xfffn) << 32n) | ((high & 0xfffn) << 8n) |
    ((low & ~0xffn) << 12n) | (low & 0xffn);
}

function inspectSocket(fd: number, libc: Libc): SocketInfo {
  const option = (name: Parameters<Libc["socketOption"]>[1]) =>
    known(attempt(() => libc.socketOption(fd, name)));
  const local = known(attempt(() => libc.localAddress(fd)));
  const acceptConn = option("acceptConn");
  // A listener has no peer, and a failed call takes longer than all the others.
  const peer = acceptConn
    ? undefined
    : known(attempt(() => libc.peerAddress(fd)));
  return socketInfo({
    domain: option("domain"),
    type: option("type"),
    protocol: option("protocol"),
    listening: acceptConn === undefined ? undefined : acceptConn !== 0,
    address: local && decodeSockaddr(local),
    peer: peer && decodePeer(peer),
    connected: peer !== undefined,
  });
}

/** Decodes a peer, but not the kernel: any unconnected netlink socket has it. */
function decodePeer(bytes: Uint8Array): Address | undefined {
  const peer = decodeSockaddr(bytes);
  return peer?.kind === "netlink" && peer.portId === 0 && peer.groups === 0
    ? undefined
    : peer;
}

/** Returns the error of a call as a value, because other calls may succeed. */
function attempt<T>(call: () => T): T | LibcError {
  try {
    return call();
  } catch (error) {
    if (error instanceof LibcError) return error;
    throw error;
  }
}

function known<T>(result: T | LibcError): T | undefined {
  return result instanceof LibcError ? undefined : result;
}
