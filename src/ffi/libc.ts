/**
 * The calls of the C library that the library makes, on Linux on x86_64 and
 * arm64, with glibc (2.28 and later) or musl (1.2.5 and later).
 *
 * @module
 */

import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  EEXIST,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  IPPROTO_TCP,
  MSG_DONTWAIT,
  MSG_PEEK,
  O_CLOEXEC,
  O_RDONLY,
  PATH_MAX,
  PID_FS_MAGIC,
  SHUT_RDWR,
  SOL_SOCKET,
  SYS_PIDFD_OPEN,
  TCP_INFO,
  TCP_LISTEN,
} from "./constants.ts";
import type { DenoFfi } from "./deno.ts";
import {
  addressBuffer,
  cString,
  DescriptorCalls,
  LibcError,
} from "./descriptor_calls.ts";
import { machine, openFunctions } from "./open.ts";
import type { LibcFunctions } from "./signatures.ts";
import { decodeStatx, type FileStat, STATX_BYTES, STATX_MASK } from "./stat.ts";
import { decodeTcpInfo, TCP_INFO_BYTES, type TcpInfo } from "./tcp_info.ts";

/** The functions that {@linkcode Libc} calls. */
export const LIBC_FUNCTIONS = [
  "close",
  "dup3",
  "epoll_ctl",
  "fcntl",
  "fstatfs",
  "getpeername",
  "getsockname",
  "getsockopt",
  "open",
  "poll",
  "read",
  "readlink",
  "recv",
  "shutdown",
  "statx",
  "syscall",
] as const;

/** The numbers of the options that have an integer value, see `socket(7)`. */
const INTEGER_OPTIONS = {
  type: 3,
  acceptConn: 30,
  protocol: 38,
  domain: 39,
} as const;

/** `sizeof(struct statfs)` on 64-bit machines. */
const STATFS_BYTES = 120;
/** `sizeof(struct epoll_event)`, or 12 on x86_64. */
const EPOLL_EVENT_BYTES = 16;
const FILE_CHUNK_BYTES = 16384;

/** The registration of a descriptor in an epoll instance, see `epoll_ctl(2)`. */
export interface EpollEntry {
  /** The mask of the awaited events. */
  readonly events: number;
  /** The value that `epoll_wait(2)` returns with an event. */
  readonly data: bigint;
}

/**
 * Opens the calls that the library makes.
 *
 * @param deno The `Deno` to open them through. Default: the runtime's own FFI.
 * @returns `undefined` where {@linkcode openFunctions} returns that.
 */
export function openLibc(deno?: DenoFfi): Libc | undefined {
  const functions = openFunctions(LIBC_FUNCTIONS, deno);
  return functions && new Libc(functions, machine(deno) === "x64");
}

/** The calls of the C library that the library makes. */
export class Libc extends DescriptorCalls {
  readonly #functions: LibcFunctions<typeof LIBC_FUNCTIONS[number]>;
  readonly #isX64: boolean;

  /**
   * @param isX64 Whether the machine is x86_64, which alone packs
   * `struct epoll_event`.
   */
  constructor(
    functions: LibcFunctions<typeof LIBC_FUNCTIONS[number]>,
    isX64: boolean = true,
  ) {
    super(functions);
    this.#functions = functions;
    this.#isX64 = isX64;
  }

  /** Whether a number belongs to a socket that listens. */
  isListening(fd: number): boolean {
    const value = new Int32Array(1);
    const bytes = new Uint8Array(value.buffer);
    const length = new Uint32Array([bytes.length]);
    const result = this.#functions.getsockopt(
      fd,
      SOL_SOCKET,
      INTEGER_OPTIONS.acceptConn,
      bytes,
      new Uint8Array(length.buffer),
    );
    return result === 0 && value[0] === 1;
  }

  /** Reads an integer option of the level `SOL_SOCKET`. */
  socketOption(fd: number, option: keyof typeof INTEGER_OPTIONS): number {
    const value = new Int32Array(1);
    this.#readOption(
      fd,
      SOL_SOCKET,
      INTEGER_OPTIONS[option],
      new Uint8Array(value.buffer),
    );
    return value[0]!;
  }

  /**
   * Reads the queue of a TCP socket from `TCP_INFO`, see `tcp(7)`.
   *
   * @returns The queue; `undefined` if the socket isn't listening, or unknown.
   */
  acceptQueue(fd: number): {
    /** The number of connections that wait to be accepted. */
    readonly waiting: number;
    /** The maximum number of connections: the backlog of `listen(2)`. */
    readonly limit: number;
  } | undefined {
    const { state, unacked, sacked } = this.tcpInfo(fd);
    return state === TCP_LISTEN
      ? { waiting: unacked, limit: sacked }
      : undefined;
  }

  /** Reads what the kernel reports of a TCP socket. */
  tcpInfo(fd: number): TcpInfo {
    const bytes = new Uint8Array(TCP_INFO_BYTES);
    const length = this.#readOption(fd, IPPROTO_TCP, TCP_INFO, bytes);
    return decodeTcpInfo(bytes, length);
  }

  /** Reads the `struct sockaddr` of a socket's peer. */
  peerAddress(fd: number): Uint8Array {
    const { bytes, length, read } = addressBuffer();
    this.check("getpeername", this.#functions.getpeername(fd, bytes, length));
    return read();
  }

  /** Checks for something to read or to accept, without waiting. */
  isReadable(fd: number): boolean {
    return this.areReadable([fd])[0]!;
  }

  /** Checks whether a stream socket has unread bytes. */
  hasUnreadBytes(fd: number): boolean {
    const flags = MSG_PEEK | MSG_DONTWAIT;
    return this.#functions.recv(fd, new Uint8Array(1), 1, flags) > 0;
  }

  /** Shuts a connection down in both directions; its descriptor stays open. */
  shutdownConnection(fd: number): void {
    this.check("shutdown", this.#functions.shutdown(fd, SHUT_RDWR));
  }

  /** Closes `targetFd` and makes it a duplicate of `fd`. */
  duplicateOnto(fd: number, targetFd: number): void {
    this.check("dup3", this.#functions.dup3(fd, targetFd, O_CLOEXEC));
  }

  addToEpoll(epollFd: number, fd: number, entry: EpollEntry): void {
    this.#controlEpoll(epollFd, EPOLL_CTL_ADD, fd, entry);
  }

  /**
   * Adds a descriptor to an epoll instance, unless the instance has it.
   *
   * @returns Whether the instance had the descriptor before.
   */
  addToEpollIfAbsent(epollFd: number, fd: number, entry: EpollEntry): boolean {
    try {
      this.addToEpoll(epollFd, fd, entry);
      return false;
    } catch (error) {
      return error instanceof LibcError && error.errno === EEXIST;
    }
  }

  removeFromEpoll(epollFd: number, fd: number): void {
    this.#controlEpoll(epollFd, EPOLL_CTL_DEL, fd, { events: 0, data: 0n });
  }

  /** Reads the metadata of an open file. */
  statDescriptor(fd: number): FileStat {
    return this.#statx(fd, new Uint8Array(1), AT_EMPTY_PATH);
  }

  /** Reads the metadata of the file at a path, through symbolic links. */
  statPath(path: string): FileStat {
    return this.#statx(AT_FDCWD, cString(path), 0);
  }

  /** Reads the type of the file system that holds an open file. */
  fileSystemType(fd: number): bigint {
    const bytes = new Uint8Array(STATFS_BYTES);
    this.check("fstatfs", this.#functions.fstatfs(fd, bytes));
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }

  /** Reads a symbolic link. */
  readLink(path: string): string {
    const bytes = new Uint8Array(PATH_MAX);
    const length = this.check(
      "readlink",
      this.#functions.readlink(cString(path), bytes, bytes.length),
    );
    return new TextDecoder().decode(bytes.subarray(0, length));
  }

  /** Reads a whole file of `/proc`. */
  readFile(path: string): string {
    const fd = this.check(
      "open",
      this.#functions.open(cString(path), O_RDONLY | O_CLOEXEC, 0),
    );
    try {
      const decoder = new TextDecoder();
      const bytes = new Uint8Array(FILE_CHUNK_BYTES);
      let text = "";
      for (;;) {
        const length = this.check(
          "read",
          this.#functions.read(fd, bytes, bytes.length),
        );
        if (length === 0) return text;
        text += decoder.decode(bytes.subarray(0, length), { stream: true });
      }
    } finally {
      this.close(fd);
    }
  }

  /**
   * Reads the inode number of a process's pidfd, which is unique until the
   * machine restarts.
   *
   * @returns The number; `undefined` before Linux 6.9, where all pidfds share
   * one, or if a sandbox forbids reading it.
   */
  pidfdId(pid: number): bigint | undefined {
    const fd = this.#functions.syscall(SYS_PIDFD_OPEN, pid, 0);
    if (fd < 0) return undefined;
    try {
      return this.fileSystemType(fd) === PID_FS_MAGIC
        ? this.statDescriptor(fd).inode
        : undefined;
    } catch (error) {
      if (error instanceof LibcError) return undefined;
      throw error;
    } finally {
      this.#functions.close(fd);
    }
  }

  #readOption(
    fd: number,
    level: number,
    option: number,
    value: Uint8Array,
  ): number {
    const length = new Uint32Array([value.byteLength]);
    const lengthBytes = new Uint8Array(length.buffer);
    this.check(
      "getsockopt",
      this.#functions.getsockopt(fd, level, option, value, lengthBytes),
    );
    return length[0]!;
  }

  #controlEpoll(
    epollFd: number,
    operation: number,
    fd: number,
    { events, data }: EpollEntry,
  ): void {
    const bytes = new Uint8Array(EPOLL_EVENT_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, events, true);
    view.setBigUint64(this.#isX64 ? 4 : 8, data, true);
    this.check(
      "epoll_ctl",
      this.#functions.epoll_ctl(epollFd, operation, fd, bytes),
    );
  }

  #statx(
    fd: number,
    path: Uint8Array,
    flags: number,
  ): FileStat {
    const bytes = new Uint8Array(STATX_BYTES);
    const result = this.#functions.statx(fd, path, flags, STATX_MASK, bytes);
    this.check("statx", result);
    return decodeStatx(bytes);
  }
}
