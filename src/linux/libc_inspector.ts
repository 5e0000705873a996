/**
 * What the C library says of descriptors: exact for every kind, whatever
 * network namespace a socket belongs to, and without `/proc`.
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
import { type FileStat, type Libc, LibcError } from "../ffi/libc.ts";

const ENOENT = 2;
const EBADF = 9;
const ENOTDIR = 20;

const S_IFMT = 0o170000;
const S_IFIFO = 0o010000;
const S_IFCHR = 0o020000;
const S_IFREG = 0o100000;
const S_IFSOCK = 0o140000;

/** The type of the file system of POSIX message queues, see `statfs(2)`. */
const MQUEUE_MAGIC = 0x19800202n;

/**
 * Makes a source of metadata of this process's descriptors.
 *
 * @param libc The C library.
 * @returns The source.
 */
export function libcInspector(libc: Libc): Inspector {
  return {
    inspect: (fds) => fds.map((fd) => inspectOne(fd, libc)),
    inspectPath(path) {
      // A NUL byte would end the path early.
      if (path.includes("\0")) return undefined;
      const status = attempt(() => libc.statusOfPath(path));
      if (status instanceof LibcError) {
        const { errno } = status;
        return errno === ENOENT || errno === ENOTDIR ? null : undefined;
      }
      return pathInfo(status, fileKind(status));
    },
  };
}

function inspectOne(fd: number, libc: Libc): DescriptorInfo {
  const status = attempt(() => libc.status(fd));
  if (status instanceof LibcError) {
    return { kind: status.errno === EBADF ? "closed" : "unknown" };
  }
  const { mode, inode } = status;
  const common = {
    link: known(attempt(() => libc.readLink(`/proc/self/fd/${fd}`))),
    nonBlocking: known(attempt(() => libc.isNonBlocking(fd))),
    closeOnExec: known(attempt(() => libc.isCloseOnExec(fd))),
  };
  if ((mode & S_IFMT) === S_IFSOCK) {
    return { ...inspectSocket(fd, libc), ...common, inode };
  }
  const kind = fileKind(status);
  const isQueue = kind === "file" &&
    known(attempt(() => libc.fileSystem(fd))) === MQUEUE_MAGIC;
  return {
    ...pathInfo(status, isQueue ? "message-queue" : kind),
    ...common,
  };
}

function fileKind({ mode }: FileStat): FileKind {
  switch (mode & S_IFMT) {
    case S_IFIFO:
      return "fifo";
    case S_IFCHR:
      return "character-device";
    case S_IFREG:
      return "file";
    default:
      return "other";
  }
}

function pathInfo(
  { inode, device, specialDevice }: FileStat,
  kind: FileKind,
): PathInfo {
  return {
    kind,
    device: deviceNumber(device),
    inode,
    specialDevice: deviceNumber(specialDevice),
  };
}

/** A device as `stat(2)` numbers it, see `makedev(3)`. */
function deviceNumber([major, minor]: readonly [number, number]): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & ~0xfffn) << 32n) | ((high & 0xfffn) << 8n) |
    ((low & ~0xffn) << 12n) | (low & 0xffn);
}

function inspectSocket(fd: number, libc: Libc): SocketInfo {
  const option = (name: Parameters<Libc["socketOption"]>[1]) =>
    known(attempt(() => libc.socketOption(fd, name)));
  const local = known(attempt(() => libc.socketName(fd)));
  const acceptConn = option("acceptConn");
  // A listener has no peer, and an error costs more than all the rest.
  const peer = acceptConn ? undefined : known(attempt(() => libc.peerName(fd)));
  return socketInfo({
    domain: option("domain"),
    type: option("type"),
    protocol: option("protocol"),
    listening: acceptConn === undefined ? undefined : acceptConn !== 0,
    address: local && decodeSockaddr(local),
    peer: peer && peerAddress(peer),
    connected: peer !== undefined,
  });
}

/** The kernel is the peer of a netlink socket that was not connected to any. */
function peerAddress(bytes: Uint8Array): Address | undefined {
  const peer = decodeSockaddr(bytes);
  return peer?.kind === "netlink" && peer.portId === 0 && peer.groups === 0
    ? undefined
    : peer;
}

/** An error is a value here: what one call can't tell, another can. */
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
