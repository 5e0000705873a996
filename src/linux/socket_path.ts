/**
 * The paths of Unix sockets: freeing those that a process has left behind, and
 * removing those that were created here.
 *
 * @module
 */

import {
  EADDRINUSE,
  ECONNREFUSED,
  ENOENT,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
} from "../ffi/constants.ts";
import { AF_UNIX } from "../core/sockaddr.ts";
import { LibcError } from "../ffi/descriptor_calls.ts";
import type { Libc } from "../ffi/libc.ts";
import type { SocketCalls } from "../ffi/sockets.ts";
import type { FileStat } from "../ffi/stat.ts";
import { parseUnixRecord } from "./procfs.ts";

/** The lowest number of a descriptor. */
export const MINIMUM_FD = 3;
/** `SS_UNCONNECTED`: the state of a Unix socket without a peer. */
const UNIX_UNCONNECTED = 1;

/** `EADDRINUSE` of a path that has something else than a socket. */
export class TakenPathError extends LibcError {
  /** What is at the path, with an article, for messages. */
  readonly noun: string;

  constructor(noun: string) {
    super("bind", EADDRINUSE);
    this.noun = noun;
  }
}

/**
 * Frees a path whose socket no process has open any more. All else that the path
 * may have stays untouched.
 *
 * @param address The `struct sockaddr` of the path.
 * @param type The type of the socket that is to be bound.
 * @throws {LibcError} `EADDRINUSE` if a process may have the socket open;
 * {@linkcode TakenPathError} if there is no socket; or the kernel's error.
 */
export function freeSocketPath(
  libc: Libc,
  calls: SocketCalls,
  path: string,
  address: Uint8Array,
  type: number,
): void {
  const examined = statIfPresent(calls, path);
  if (examined === undefined) return;
  if ((examined.mode & S_IFMT) !== S_IFSOCK) {
    throw new TakenPathError(describeMode(examined.mode));
  }
  // Connecting to a file is refused, too: only a socket is asked.
  if (isServed(calls, address, type) || isBoundSilently(libc, path)) {
    throw inUse();
  }
  const present = statIfPresent(calls, path);
  if (present === undefined) return;
  // Another process may have replaced the socket since it was examined.
  if (identify(present) !== identify(examined)) throw inUse();
  calls.unlink(path);
}

/**
 * Identifies the socket that was bound to a path.
 *
 * @returns Removes the path, unless something else has taken its place.
 */
export function pathRemover(calls: SocketCalls, path: string): () => void {
  const identity = identify(calls.statLink(path));
  return () => {
    try {
      if (identify(calls.statLink(path)) === identity) calls.unlink(path);
    } catch (error) {
      // Another process has removed the path, or the directory is read-only now.
      if (!(error instanceof LibcError)) throw error;
    }
  };
}

function inUse(): LibcError {
  return new LibcError("bind", EADDRINUSE);
}

/** Whether a process may listen at the path. */
function isServed(
  calls: SocketCalls,
  address: Uint8Array,
  type: number,
): boolean {
  // A blocking connect(2) would wait for room in the listener's queue.
  const fd = calls.createSocket(AF_UNIX, type | SOCK_NONBLOCK, MINIMUM_FD);
  try {
    calls.connect(fd, address);
    return true;
  } catch (error) {
    if (!(error instanceof LibcError)) throw error;
    // EAGAIN: the queue is full. EPROTOTYPE: a socket of another type.
    return error.errno !== ECONNREFUSED;
  } finally {
    calls.close(fd);
  }
}

/** Whether a socket is bound that connecting can't find. */
function isBoundSilently(libc: Libc, path: string): boolean {
  let text: string;
  try {
    text = libc.readFile("/proc/self/net/unix");
  } catch (error) {
    // A sandbox without /proc.
    if (error instanceof LibcError) return false;
    throw error;
  }
  return text.split("\n").some((line) => {
    const record = parseUnixRecord(line);
    return record?.path === path && isSilent(record);
  });
}

/**
 * Whether a record of `/proc/net/unix` is that of a socket which doesn't listen
 * yet, so that connecting to it is refused.
 */
export function isSilent(
  { listening, type, state }: {
    readonly listening: boolean;
    readonly type: number;
    readonly state: number;
  },
): boolean {
  return !listening && type !== SOCK_DGRAM && state === UNIX_UNCONNECTED;
}

function statIfPresent(
  calls: SocketCalls,
  path: string,
): FileStat | undefined {
  try {
    return calls.statLink(path);
  } catch (error) {
    if (error instanceof LibcError && error.errno === ENOENT) return undefined;
    throw error;
  }
}

/** Identifies a file, also among later files with its inode. */
function identify({ device, inode, modifiedNs }: FileStat): string {
  return [...device, inode, modifiedNs].join(" ");
}

function describeMode(mode: number): string {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "a file";
    case S_IFDIR:
      return "a directory";
    case S_IFLNK:
      return "a symbolic link";
    case S_IFIFO:
      return "a FIFO";
    default:
      return "a device";
  }
}
