/**
 * What can be known of a descriptor, and who reads it.
 *
 * @module
 */

import type { Address } from "./address.ts";

/**
 * What a socket is. A stream socket of a unit with `Accept=no` is a
 * `stream-listener`, with `Accept=yes` a `stream-connection`. `socket` is one
 * of another type, one that neither listens nor is connected, or one of which
 * no more can be told.
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
 * What a descriptor is that is no socket. Pipes are FIFOs; `file` is a regular
 * file, `other` a folder, a block device or one of the kernel's anonymous files.
 */
export type FileKind =
  | "fifo"
  | "file"
  | "character-device"
  | "message-queue"
  | "other";

/**
 * What a descriptor is; `closed` if it isn't open, `unknown` if that can't be
 * told.
 */
export type DescriptorKind = SocketKind | FileKind | "closed" | "unknown";

/** The address family of a socket: `AF_UNIX`, `AF_INET` and so on. */
export type SocketFamily =
  | "unix"
  | "ipv4"
  | "ipv6"
  | "netlink"
  | "packet"
  | "vsock";

/** The type of a socket: `SOCK_STREAM`, `SOCK_DGRAM` and so on. */
export type SocketType =
  | "stream"
  | "datagram"
  | "raw"
  | "rdm"
  | "seqpacket"
  | "dccp"
  | "packet";

/** What is known of any descriptor. Fields that can't be told are `undefined`. */
export interface CommonInfo {
  /** Whether calls on it return at once instead of waiting (`O_NONBLOCK`). */
  readonly nonBlocking?: boolean | undefined;
  /** Whether child programs don't inherit it (`FD_CLOEXEC`). */
  readonly closeOnExec?: boolean | undefined;
  /** The inode of what it is open on; for sockets, the socket's own number. */
  readonly inode?: bigint | undefined;
  /** The operating system's name for it, such as `socket:[4711]` or a path. */
  readonly link?: string | undefined;
}

/** What is known of a socket. Fields that can't be told are `undefined`. */
export interface SocketInfo extends CommonInfo {
  /** What it is. */
  readonly kind: SocketKind;
  /** The address family; its number if it has no name here. */
  readonly family?: SocketFamily | number | undefined;
  /** The type; its number if it has no name here. */
  readonly type?: SocketType | number | undefined;
  /** The protocol, such as 6 for TCP, see `protocols(5)`; 0 for Unix sockets. */
  readonly protocol?: number | undefined;
  /** Whether it listens. */
  readonly listening?: boolean | undefined;
  /** The address that it is bound to. */
  readonly address?: Address | undefined;
  /** The address of its peer, if it is connected. */
  readonly peer?: Address | undefined;
}

/** What is known of a file. Fields that can't be told are `undefined`. */
export interface FileInfo extends CommonInfo {
  /** What it is. */
  readonly kind: FileKind;
  /** The device that it is on, `st_dev` of `stat(3type)`. */
  readonly device?: bigint | undefined;
  /** The device that it stands for, if it is one: `st_rdev`. */
  readonly specialDevice?: bigint | undefined;
  /** Files have no address. */
  readonly address?: undefined;
}

/** What is known of a descriptor that is not open, or can't be read. */
export interface UnknownInfo extends CommonInfo {
  /** Which of both. */
  readonly kind: "closed" | "unknown";
  /** No address is known. */
  readonly address?: undefined;
}

/** What is known of a descriptor, told apart by its `kind`. */
export type DescriptorInfo = SocketInfo | FileInfo | UnknownInfo;

/** What a path leads to. */
export interface PathInfo {
  /** What it is; a socket's path is `other`. */
  readonly kind: FileKind;
  /** The device that it is on. */
  readonly device: bigint;
  /** The inode; with the device, it tells two files apart. */
  readonly inode: bigint;
  /** The device that it stands for, if it is one. */
  readonly specialDevice: bigint;
}

/**
 * Reads metadata; injected, so that the core does no I/O and there can be
 * several sources.
 */
export interface Inspector {
  /**
   * Reads what descriptors are. Many at once are no dearer than they must be,
   * whatever the source.
   *
   * @param fds Their numbers.
   * @returns What each is, in order.
   */
  inspect(fds: readonly number[]): DescriptorInfo[];
  /**
   * Reads what a path leads to, through symbolic links.
   *
   * @param path The path.
   * @returns What it leads to; `null` if it leads nowhere, `undefined` if that
   * can't be told.
   */
  inspectPath(path: string): PathInfo | null | undefined;
}

/** The kinds of a FileInfo. */
const FILE_KINDS: ReadonlySet<DescriptorKind> = new Set<DescriptorKind>(
  ["fifo", "file", "character-device", "message-queue", "other"],
);

/** Tells whether metadata are those of a socket. */
export function isSocketInfo(info: DescriptorInfo): info is SocketInfo {
  return info.kind !== "closed" && info.kind !== "unknown" &&
    !FILE_KINDS.has(info.kind);
}

/** Tells whether metadata are those of a file. */
export function isFileInfo(info: DescriptorInfo): info is FileInfo {
  return FILE_KINDS.has(info.kind);
}

/**
 * Tells whether two paths, or a path and a descriptor, are the same file, as
 * far as that is known.
 *
 * @param a One of them.
 * @param b The other one.
 * @returns Whether they are; `undefined` if it can't be told.
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
