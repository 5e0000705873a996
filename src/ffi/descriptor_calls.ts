/**
 * Calls of the C library for any descriptor, with JavaScript's values and
 * errors.
 *
 * @module
 */

import {
  EBADF,
  EINTR,
  F_DUPFD_CLOEXEC,
  F_GETFD,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  O_ACCMODE,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  POLLIN,
} from "./constants.ts";
import type { LibcFunctions } from "./signatures.ts";

/** `sizeof(struct sockaddr_storage)`. */
const ADDRESS_BYTES = 128;
/** `sizeof(struct pollfd)`. */
const POLLFD_BYTES = 8;

/** The lowest number beside those of standard input, output and error. */
const FIRST_FD = 3;

/** A call that failed. */
export class LibcError extends Error {
  /** The name of the function. */
  readonly call: string;
  /** The error number, such as 9 for `EBADF`. */
  readonly errno: number;

  constructor(call: string, errno: number) {
    super(`${call}: error ${errno}`);
    this.name = "LibcError";
    this.call = call;
    this.errno = errno;
  }
}

/** Calls for any descriptor. */
export class DescriptorCalls {
  readonly #functions: LibcFunctions<
    "close" | "fcntl" | "getsockname" | "poll"
  >;

  constructor(
    functions: LibcFunctions<"close" | "fcntl" | "getsockname" | "poll">,
  ) {
    this.#functions = functions;
  }

  close(fd: number): void {
    this.check("close", this.#functions.close(fd));
  }

  isNonBlocking(fd: number): boolean {
    return (this.fcntl(fd, F_GETFL) & O_NONBLOCK) !== 0;
  }

  setNonBlocking(fd: number, nonBlocking: boolean): void {
    const flags = this.fcntl(fd, F_GETFL);
    const newFlags = nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (newFlags !== flags) this.fcntl(fd, F_SETFL, newFlags);
  }

  isCloseOnExec(fd: number): boolean {
    return (this.fcntl(fd, F_GETFD) & FD_CLOEXEC) !== 0;
  }

  /**
   * Sets the close-on-exec flag, unless a sandbox forbids that.
   *
   * @returns `true` if the descriptor is open.
   */
  setCloseOnExec(fd: number): boolean {
    try {
      const flags = this.fcntl(fd, F_GETFD);
      if ((flags & FD_CLOEXEC) === 0) {
        this.fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
      }
      return true;
    } catch (error) {
      if (!(error instanceof LibcError)) throw error;
      return error.errno !== EBADF;
    }
  }

  /**
   * Finds the lowest number that no descriptor has, which the next one gets.
   *
   * @param openFd Any open descriptor.
   */
  findLowestFreeFd(openFd: number): number {
    const fd = this.fcntl(openFd, F_DUPFD_CLOEXEC, 0);
    this.close(fd);
    return fd;
  }

  /**
   * Whether the process may open another descriptor.
   *
   * @param openFd Any open descriptor.
   */
  hasFreeFd(openFd: number): boolean {
    try {
      this.findLowestFreeFd(openFd);
      return true;
    } catch {
      return false;
    }
  }

  /** Duplicates a descriptor to one that programs which are started don't get. */
  duplicate(fd: number): number {
    return this.fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
  }

  /** Reads the `struct sockaddr` that a socket is bound to. */
  localAddress(fd: number): Uint8Array {
    const { bytes, length, read } = addressBuffer();
    this.check("getsockname", this.#functions.getsockname(fd, bytes, length));
    return read();
  }

  /**
   * Reads the same; `undefined` if no socket has the number. For many numbers, that
   * is much faster than an error.
   */
  localAddressIfSocket(fd: number): Uint8Array | undefined {
    const { bytes, length, read } = addressBuffer();
    return this.#functions.getsockname(fd, bytes, length) < 0
      ? undefined
      : read();
  }

  /** Checks each descriptor for something to read or to accept, without waiting. */
  areReadable(fds: readonly number[]): boolean[] {
    const pollfds = new DataView(new ArrayBuffer(POLLFD_BYTES * fds.length));
    for (const [index, fd] of fds.entries()) {
      pollfds.setInt32(index * POLLFD_BYTES, fd, true);
      pollfds.setInt16(index * POLLFD_BYTES + 4, POLLIN, true);
    }
    const bytes = new Uint8Array(pollfds.buffer);
    const count = this.#functions.poll(bytes, fds.length, 0);
    // After a signal, the next check tells.
    if (count < 0 && this.#functions.errno() !== EINTR) this.check("poll", -1);
    return fds.map((_, index) =>
      count > 0 &&
      (pollfds.getInt16(index * POLLFD_BYTES + 6, true) & POLLIN) !== 0
    );
  }

  /** Returns the events that a descriptor has now, see `poll(2)`. */
  poll(fd: number, events: number): number {
    const pollfd = new DataView(new ArrayBuffer(POLLFD_BYTES));
    pollfd.setInt32(0, fd, true);
    pollfd.setInt16(4, events, true);
    const bytes = new Uint8Array(pollfd.buffer);
    return this.#functions.poll(bytes, 1, 0) > 0 ? pollfd.getInt16(6, true) : 0;
  }

  /** Returns how a descriptor was opened. */
  accessMode(fd: number): "read" | "write" | "read-write" {
    return toAccess(this.fcntl(fd, F_GETFL));
  }

  protected fcntl(fd: number, command: number, argument: number = 0): number {
    return this.check("fcntl", this.#functions.fcntl(fd, command, argument));
  }

  /** Returns the result of a call, or throws the kernel's error. */
  protected check(call: string, result: number): number {
    if (result < 0) throw new LibcError(call, this.#functions.errno());
    return result;
  }
}

/** Reads the access mode from the flags of `open(2)`. */
export function toAccess(flags: number): "read" | "write" | "read-write" {
  switch (flags & O_ACCMODE) {
    case O_RDONLY:
      return "read";
    case O_WRONLY:
      return "write";
    default:
      return "read-write";
  }
}

/** Memory for a call that writes a `struct sockaddr` and its length. */
export function addressBuffer(): {
  readonly bytes: Uint8Array;
  readonly length: Uint8Array;
  /** Returns the bytes that the call wrote. */
  read(): Uint8Array;
} {
  const bytes = new Uint8Array(ADDRESS_BYTES);
  const length = new Uint32Array([bytes.length]);
  return {
    bytes,
    length: new Uint8Array(length.buffer),
    read: () => bytes.subarray(0, length[0]!),
  };
}

/** Encodes text as a C string, which ends with a NUL byte. */
export function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}
