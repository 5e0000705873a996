/**
 * The calls of the C library that create sockets and FIFOs, for the activator and
 * for fallbacks that are stored.
 *
 * @module
 */

import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  EAGAIN,
  EINTR,
  F_DUPFD_CLOEXEC,
  F_SETPIPE_SZ,
  O_CLOEXEC,
  O_NONBLOCK,
  O_RDWR,
  SOCK_CLOEXEC,
} from "./constants.ts";
import {
  addressBuffer,
  cString,
  DescriptorCalls,
  LibcError,
} from "./descriptor_calls.ts";
import { openFunctions } from "./open.ts";
import type { LibcFunctions } from "./signatures.ts";
import { decodeStatx, type FileStat, STATX_BYTES, STATX_MASK } from "./stat.ts";

/** The functions that {@linkcode SocketCalls} calls. */
export const SOCKET_FUNCTIONS = [
  "accept4",
  "bind",
  "close",
  "connect",
  "fcntl",
  "getsockname",
  "listen",
  "mkfifo",
  "open",
  "poll",
  "setsockopt",
  "socket",
  "statx",
  "unlink",
] as const;

/**
 * The level and the number of each option that the activator sets. The levels are
 * `SOL_SOCKET` (1), `IPPROTO_IP` (0), `IPPROTO_TCP` (6) and `IPPROTO_IPV6` (41).
 */
const SOCKET_OPTIONS = {
  reuseAddress: [1, 2],
  broadcast: [1, 6],
  sendBuffer: [1, 7],
  receiveBuffer: [1, 8],
  keepAlive: [1, 9],
  priority: [1, 12],
  reusePort: [1, 15],
  passCredentials: [1, 16],
  mark: [1, 36],
  freeBind: [0, 15],
  typeOfService: [0, 1],
  timeToLive: [0, 2],
  noDelay: [6, 1],
  keepAliveTime: [6, 4],
  keepAliveInterval: [6, 5],
  keepAliveProbes: [6, 6],
  deferAccept: [6, 9],
  ipv6Only: [41, 26],
} as const;

/** The name of an option. */
export type SocketOption = keyof typeof SOCKET_OPTIONS;

/** Opens the calls; `undefined` where {@linkcode openFunctions} returns that. */
export function openSocketCalls(): SocketCalls | undefined {
  const functions = openFunctions(SOCKET_FUNCTIONS);
  return functions && new SocketCalls(functions);
}

/**
 * Calls that create sockets and FIFOs. Each new descriptor is blocking and
 * close-on-exec, and its number is at least `minimumFd`.
 */
export class SocketCalls extends DescriptorCalls {
  readonly #functions: LibcFunctions<typeof SOCKET_FUNCTIONS[number]>;

  constructor(functions: LibcFunctions<typeof SOCKET_FUNCTIONS[number]>) {
    super(functions);
    this.#functions = functions;
  }

  createSocket(family: number, type: number, minimumFd: number): number {
    const fd = this.#functions.socket(family, type | SOCK_CLOEXEC, 0);
    return this.#renumber(this.check("socket", fd), minimumFd);
  }

  /** Binds a socket to a `struct sockaddr`. */
  bind(fd: number, address: Uint8Array): void {
    this.check("bind", this.#functions.bind(fd, address, address.length));
  }

  /** Connects a socket to a `struct sockaddr`. */
  connect(fd: number, address: Uint8Array): void {
    this.check("connect", this.#functions.connect(fd, address, address.length));
  }

  /** Reads the metadata of what is at a path; links are not followed. */
  statLink(path: string): FileStat {
    const bytes = new Uint8Array(STATX_BYTES);
    const result = this.#functions.statx(
      AT_FDCWD,
      cString(path),
      AT_SYMLINK_NOFOLLOW,
      STATX_MASK,
      bytes,
    );
    this.check("statx", result);
    return decodeStatx(bytes);
  }

  /** Removes a path. */
  unlink(path: string): void {
    this.check("unlink", this.#functions.unlink(cString(path)));
  }

  listen(fd: number, backlog: number): void {
    this.check("listen", this.#functions.listen(fd, backlog));
  }

  setOption(fd: number, option: SocketOption, value: number): void {
    const [level, number] = SOCKET_OPTIONS[option];
    const bytes = new Uint8Array(new Int32Array([value]).buffer);
    this.check(
      "setsockopt",
      this.#functions.setsockopt(fd, level, number, bytes, bytes.length),
    );
  }

  /**
   * Accepts a connection from a non-blocking listener.
   *
   * @returns The connection and its peer's `struct sockaddr`; `undefined` if
   * none is pending.
   */
  accept(
    listenerFd: number,
    minimumFd: number,
  ): { fd: number; peer: Uint8Array } | undefined {
    const { bytes, length, read } = addressBuffer();
    const fd = this.#functions.accept4(listenerFd, bytes, length, SOCK_CLOEXEC);
    if (fd < 0) {
      const errno = this.#functions.errno();
      if (errno === EAGAIN || errno === EINTR) return undefined;
      throw new LibcError("accept4", errno);
    }
    return { fd: this.#renumber(fd, minimumFd), peer: read() };
  }

  createFifo(path: string, mode: number): void {
    this.check("mkfifo", this.#functions.mkfifo(cString(path), mode));
  }

  /** Opens a path for reading and writing. */
  openPath(path: string, minimumFd: number): number {
    // Opening a FIFO for reading alone would wait for a writer.
    const flags = O_RDWR | O_CLOEXEC | O_NONBLOCK;
    const fd = this.check(
      "open",
      this.#functions.open(cString(path), flags, 0),
    );
    this.setNonBlocking(fd, false);
    return this.#renumber(fd, minimumFd);
  }

  setPipeSize(fd: number, bytes: number): void {
    this.fcntl(fd, F_SETPIPE_SZ, bytes);
  }

  #renumber(fd: number, minimumFd: number): number {
    try {
      return this.fcntl(fd, F_DUPFD_CLOEXEC, minimumFd);
    } finally {
      this.#functions.close(fd);
    }
  }
}
