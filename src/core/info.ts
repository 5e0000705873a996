/**
 * The metadata of descriptors, and the interface that reads them.
 *
 * @module
 */

import type { Address } from "./address.ts";

/**
 * The kind of a socket.
 *
 * - `stream-listener`: `ListenStream=` with `Accept=no`
 * - `stream-connection`: `ListenStream=` with `Accept=yes`
 * - `datagram`: `ListenDatagram=`
 * - `seqpacket-listener`, `seqpacket-connection`: `ListenSequentialPacket=`
 * - `raw`: no setting of a socket unit
 * - `netlink`: `ListenNetlink=`
 * - `socket`: another type, or neither listening nor connected, or unknown
 */
export type SocketKind =
  | "stream-listener"
  | "stream-connection"
  | "datagram"
  | "seqpacket-listener"
  | "seqpacket-connection"
  | "raw"
  | "netlink"
  | "socket";

/**
 * The kind of an open descriptor that isn't a socket. `fifo` includes pipes,
 * `file` is a regular file. `other` is a directory, a block device or an
 * anonymous file of the kernel such as an epoll instance.
 */
export type FileKind =
  | "fifo"
  | "file"
  | "character-device"
  | "message-queue"
  | "other";

/**
 * The kind of a descriptor; `closed` if the descriptor isn't open, `unknown` if
 * the runtime can't inspect it.
 */
export type DescriptorKind = SocketKind | FileKind | "closed" | "unknown";

/** An address family, `AF_*` of `address_families(7)`; `ipv4` is `AF_INET`. */
export type SocketFamily =
  | "unix"
  | "ipv4"
  | "ipv6"
  | "netlink"
  | "packet"
  | "vsock";

/** A socket type, `SOCK_*` of `socket(2)`. */
export type SocketType =
  | "stream"
  | "datagram"
  | "raw"
  | "rdm"
  | "seqpacket"
  | "dccp"
  | "packet";

/** The metadata of any descriptor. Unknown properties are `undefined`. */
export interface CommonInfo {
  /** `O_NONBLOCK`: calls return at once instead of waiting. */
  readonly nonBlocking?: boolean | undefined;
  /** `FD_CLOEXEC`: programs that are executed don't inherit the descriptor. */
  readonly closeOnExec?: boolean | undefined;
  /** The inode number of the file, or of the socket itself (`st_ino`). */
  readonly inode?: bigint | undefined;
  /** The target of `/proc/self/fd/N`, such as `socket:[4711]` or a path. */
  readonly link?: string | undefined;
}

/** The metadata of a socket. Unknown properties are `undefined`. */
export interface SocketInfo extends CommonInfo {
  /** The kind of the socket. */
  readonly kind: SocketKind;
  /** The address family; its `AF_*` number if {@linkcode SocketFamily} lacks it. */
  readonly family?: SocketFamily | number | undefined;
  /** The type; its `SOCK_*` number if {@linkcode SocketType} lacks it. */
  readonly type?: SocketType | number | undefined;
  /** The protocol number of `protocols(5)`: 6 for TCP, 0 for Unix sockets. */
  readonly protocol?: number | undefined;
  /** `true` after `listen(2)`. */
  readonly listening?: boolean | undefined;
  /** The address that the socket is bound to. */
  readonly address?: Address | undefined;
  /** The address of the peer; `undefined` if the socket isn't connected. */
  readonly peer?: Address | undefined;
}

/** The metadata of a file. Unknown properties are `undefined`. */
export interface FileInfo extends CommonInfo {
  /** The kind of the file. */
  readonly kind: FileKind;
  /** The number of the device that holds the file: `st_dev` of `stat(3type)`. */
  readonly device?: bigint | undefined;
  /** The number of the device that the file represents: `st_rdev`. */
  readonly specialDevice?: bigint | undefined;
  /** Files have no address. */
  readonly address?: undefined;
}

/** The metadata of a descriptor that isn't open or can't be inspected. */
export interface UnknownInfo extends CommonInfo {
  /** `closed`: not open. `unknown`: the runtime can't inspect the descriptor. */
  readonly kind: "closed" | "unknown";
  /** The address is unknown. */
  readonly address?: undefined;
}

/** The metadata of a descriptor, discriminated by `kind`. */
export type DescriptorInfo = SocketInfo | FileInfo | UnknownInfo;

/** The metadata of the file that a path leads to. */
export interface PathInfo {
  /** The kind of the file; `other` for the path of a socket. */
  readonly kind: FileKind;
  /** The number of the device that holds the file: `st_dev`. */
  readonly device: bigint;
  /** The inode number: `st_ino`. With the device, it identifies the file. */
  readonly inode: bigint;
  /** The number of the device that the file represents: `st_rdev`. */
  readonly specialDevice: bigint;
}

/**
 * Reads metadata from one source, such as `/proc` or the C library. Injected, so
 * that the core does no I/O.
 */
export interface Inspector {
  /**
   * Inspects descriptors. One call for several descriptors is cheaper than a
   * call for each.
   *
   * @param fds The numbers of the descriptors.
   * @returns The metadata of each descriptor, in the given order.
   */
  inspect(fds: readonly number[]): DescriptorInfo[];
  /**
   * Inspects the file that a path leads to, and follows symbolic links.
   *
   * @param path The path.
   * @returns The metadata; `null` if there is no such file, `undefined` if the
   * path can't be inspected.
   */
  inspectPath(path: string): PathInfo | null | undefined;
}

const FILE_KINDS: ReadonlySet<DescriptorKind> = new Set<DescriptorKind>(
  ["fifo", "file", "character-device", "message-queue", "other"],
);

/** Narrows metadata to those of a socket. */
export function isSocketInfo(info: DescriptorInfo): info is SocketInfo {
  return isInspected(info) && !FILE_KINDS.has(info.kind);
}

/** Checks that a descriptor is open and was inspected. */
export function isInspected({ kind }: DescriptorInfo): boolean {
  return kind !== "closed" && kind !== "unknown";
}

/** Checks that the kind is unknown, or that of a socket of unknown type. */
export function isKindUnknown(info: DescriptorInfo): boolean {
  return info.kind === "unknown" ||
    info.kind === "socket" && info.type === undefined;
}

/** Narrows metadata to those of a file. */
export function isFileInfo(info: DescriptorInfo): info is FileInfo {
  return FILE_KINDS.has(info.kind);
}

/**
 * Compares two files by device and inode. Returns `undefined` if one of these is
 * unknown.
 */
export function sameFile(
  a: Pick<FileInfo, "device" | "inode">,
  b: Pick<FileInfo, "device" | "inode">,
): boolean | undefined {
  if (
    a.device === undefined || a.inode === undefined ||
    b.device === undefined || b.inode === undefined
  ) return undefined;
  return a.device === b.device && a.inode === b.inode;
}
