/**
 * The calls of the C library that this library makes, on whatever runtime:
 * Linux on x86_64 and arm64, glibc (2.28 and later) and musl (1.2.5 and later).
 *
 * @module
 */

/**
 * The functions as a foreign function interface gives them: numbers in, `-1`
 * out on an error. One file for each runtime binds them.
 */
export interface RawLibc {
  getsockopt(
    fd: number,
    level: number,
    option: number,
    value: Uint8Array,
    length: Uint8Array,
  ): number;
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number;
  getpeername(fd: number, address: Uint8Array, length: Uint8Array): number;
  fcntl(fd: number, command: number, argument: number): number;
  close(fd: number): number;
  /**
   * `fstat(2)` and `stat(2)` in their newer form: one structure everywhere,
   * where `struct stat` differs between machines and C libraries.
   */
  statx(
    fd: number,
    path: Uint8Array,
    flags: number,
    mask: number,
    result: Uint8Array,
  ): number;
  fstatfs(fd: number, result: Uint8Array): number;
  readlink(path: Uint8Array, result: Uint8Array, length: number): number;
  open(path: Uint8Array, flags: number, mode: number): number;
  read(fd: number, result: Uint8Array, length: number): number;
  dup3(from: number, to: number, flags: number): number;
  epoll_ctl(
    epoll: number,
    operation: number,
    fd: number,
    event: Uint8Array,
  ): number;
  poll(descriptors: Uint8Array, count: number, milliseconds: number): number;
  recv(fd: number, result: Uint8Array, length: number, flags: number): number;
  shutdown(fd: number, how: number): number;
  /** `syscall(2)`, for calls that older C libraries have no function for. */
  syscall(number: number, first: number, second: number): number;
  /** The error of the call just made on this thread. */
  errno(): number;
}

/** The C library's file: glibc's name, under which musl knows itself, too. */
export const LIBC_NAME = "libc.so.6";

/** Numbers of Linux, the same on x86_64 and arm64. */
const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const TCP_LISTEN = 10;
const F_GETFD = 1;
const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const FD_CLOEXEC = 1;
const O_RDONLY = 0;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const POLLIN = 1;
const MSG_PEEK = 2;
const MSG_DONTWAIT = 0x40;
const SHUT_RDWR = 2;
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const STATX_TYPE = 0x0001;
const STATX_INO = 0x0100;
const SYS_PIDFD_OPEN = 434;
const PID_FS_MAGIC = 0x50494446n;

const EBADF = 9;
const EEXIST = 17;

/** Options of a socket that are read as a number (`socket(7)`). */
const SOCKET_OPTIONS = {
  type: 3,
  acceptConn: 30,
  protocol: 38,
  domain: 39,
} as const;

/** `sizeof(struct sockaddr_storage)`. */
const ADDRESS_BYTES = 128;
const STATX_BYTES = 256;
/** `sizeof(struct statfs)` on machines of 64 bits. */
const STATFS_BYTES = 120;
/** `PATH_MAX`. */
const PATH_BYTES = 4096;
const FILE_CHUNK_BYTES = 16384;

/** What `statx(2)` says of a file. */
export interface FileStat {
  /** The file type and permissions, `st_mode`. */
  readonly mode: number;
  /** The inode. */
  readonly inode: bigint;
  /** The major and minor number of the device that it is on. */
  readonly device: readonly [major: number, minor: number];
  /** The major and minor number of the device that it stands for. */
  readonly specialDevice: readonly [major: number, minor: number];
}

/** What an epoll instance has noted of a descriptor, see `epoll_ctl(2)`. */
export interface EpollEntry {
  /** What is waited for. */
  readonly events: number;
  /** What the owner of the instance is told then. */
  readonly data: bigint;
}

/** The connections of a listening socket that nobody has accepted yet. */
export interface AcceptQueue {
  /** How many there are. */
  readonly waiting: number;
  /** How many there may be: the backlog that `listen(2)` was given. */
  readonly limit: number;
}

/** A failed call. */
export class LibcError extends Error {
  /** The number of the error, such as 9 for `EBADF`. */
  readonly errno: number;

  /** Makes the error of a call. */
  constructor(call: string, errno: number) {
    super(`${call}: error ${errno}`);
    this.name = "LibcError";
    this.errno = errno;
  }
}

/** The calls with JavaScript's values and errors. */
export class Libc {
  readonly #raw: RawLibc;
  readonly #isX64: boolean;

  /**
   * Makes them of a runtime's functions.
   *
   * @param raw The functions.
   * @param isX64 Whether this is x86_64: it alone packs `struct epoll_event`.
   */
  constructor(raw: RawLibc, isX64: boolean = true) {
    this.#raw = raw;
    this.#isX64 = isX64;
  }

  /** Reads an option of a socket that is a number. */
  socketOption(fd: number, option: keyof typeof SOCKET_OPTIONS): number {
    const value = new Int32Array(1);
    const length = new Uint32Array([value.byteLength]);
    this.#check(
      "getsockopt",
      this.#raw.getsockopt(
        fd,
        SOL_SOCKET,
        SOCKET_OPTIONS[option],
        new Uint8Array(value.buffer),
        new Uint8Array(length.buffer),
      ),
    );
    return value[0]!;
  }

  /**
   * The queue of a listening TCP socket, from `TCP_INFO` of `tcp(7)`, where two
   * fields have another meaning while a socket listens.
   *
   * @returns The queue; `undefined` if the socket doesn't listen.
   */
  acceptQueue(fd: number): AcceptQueue | undefined {
    // As much of struct tcp_info as is needed: the kernel gives no more then.
    const value = new Uint8Array(32);
    const length = new Uint32Array([value.byteLength]);
    this.#check(
      "getsockopt",
      this.#raw.getsockopt(
        fd,
        IPPROTO_TCP,
        TCP_INFO,
        value,
        new Uint8Array(length.buffer),
      ),
    );
    if (value[0] !== TCP_LISTEN) return undefined;
    const view = new DataView(value.buffer);
    // tcpi_unacked and tcpi_sacked.
    return {
      waiting: view.getUint32(24, true),
      limit: view.getUint32(28, true),
    };
  }

  /** Reads the address that a socket is bound to: a `struct sockaddr`. */
  socketName(fd: number): Uint8Array {
    return this.#address("getsockname", fd);
  }

  /** Reads the address of a socket's peer: a `struct sockaddr`. */
  peerName(fd: number): Uint8Array {
    return this.#address("getpeername", fd);
  }

  /** Whether calls on a descriptor return at once instead of waiting. */
  isNonBlocking(fd: number): boolean {
    return (this.#fcntl(fd, F_GETFL) & O_NONBLOCK) !== 0;
  }

  /** Makes calls on a descriptor return at once, or wait. */
  setNonBlocking(fd: number, nonBlocking: boolean): void {
    const flags = this.#fcntl(fd, F_GETFL);
    const wanted = nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (wanted !== flags) this.#fcntl(fd, F_SETFL, wanted);
  }

  /**
   * The lowest number that no descriptor has: what is opened next gets it.
   *
   * @param fd Any descriptor that is open.
   */
  lowestFree(fd: number): number {
    const free = this.#fcntl(fd, F_DUPFD_CLOEXEC, 0);
    this.close(free);
    return free;
  }

  /** Makes a number mean the same as a descriptor, whatever it meant before. */
  duplicateOnto(fd: number, number: number): void {
    this.#check("dup3", this.#raw.dup3(fd, number, O_CLOEXEC));
  }

  /** Lets an epoll instance watch a descriptor. */
  watch(epoll: number, fd: number, entry: EpollEntry): void {
    this.#epoll(epoll, EPOLL_CTL_ADD, fd, entry);
  }

  /**
   * Whether an epoll instance watches a descriptor: then it can't be told to
   * again. If it didn't, it does now.
   */
  isWatched(epoll: number, fd: number, entry: EpollEntry): boolean {
    try {
      this.watch(epoll, fd, entry);
      return false;
    } catch (error) {
      return error instanceof LibcError && error.errno === EEXIST;
    }
  }

  /** Ends that. */
  unwatch(epoll: number, fd: number): void {
    this.#epoll(epoll, EPOLL_CTL_DEL, fd, { events: 0, data: 0n });
  }

  /** Whether there is something to read or to accept at once. */
  isReadable(fd: number): boolean {
    // struct pollfd: the descriptor, what is waited for, what is there.
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    view.setInt32(0, fd, true);
    view.setInt16(4, POLLIN, true);
    this.#check("poll", this.#raw.poll(bytes, 1, 0));
    return (view.getInt16(6, true) & POLLIN) !== 0;
  }

  /** Whether a stream socket has received bytes that nobody has read yet. */
  hasInput(fd: number): boolean {
    const flags = MSG_PEEK | MSG_DONTWAIT;
    return this.#raw.recv(fd, new Uint8Array(1), 1, flags) > 0;
  }

  /** Ends a connection in both directions; its descriptor stays open. */
  endConnection(fd: number): void {
    this.#check("shutdown", this.#raw.shutdown(fd, SHUT_RDWR));
  }

  /** Whether a descriptor is closed when another program is executed. */
  isCloseOnExec(fd: number): boolean {
    return (this.#fcntl(fd, F_GETFD) & FD_CLOEXEC) !== 0;
  }

  /**
   * Makes a descriptor close when another program is executed, if that is
   * allowed.
   *
   * @returns Whether the descriptor is open.
   */
  setCloseOnExec(fd: number): boolean {
    try {
      const flags = this.#fcntl(fd, F_GETFD);
      if ((flags & FD_CLOEXEC) === 0) {
        this.#fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
      }
      return true;
    } catch (error) {
      if (!(error instanceof LibcError)) throw error;
      return error.errno !== EBADF;
    }
  }

  /** Reads what a descriptor is open on. */
  status(fd: number): FileStat {
    return this.#statx(fd, new Uint8Array(1), AT_EMPTY_PATH);
  }

  /** Reads what a path leads to. */
  statusOfPath(path: string): FileStat {
    return this.#statx(AT_FDCWD, cString(path), 0);
  }

  /** Reads a symbolic link. */
  readLink(path: string): string {
    const bytes = new Uint8Array(PATH_BYTES);
    const length = this.#check(
      "readlink",
      this.#raw.readlink(cString(path), bytes, bytes.length),
    );
    return new TextDecoder().decode(bytes.subarray(0, length));
  }

  /** Reads a file of the kernel's, whole. */
  readFile(path: string): string {
    return [...this.readParts(path)].join("");
  }

  /** Reads a file of the kernel's, in parts, as far as they are asked for. */
  *readParts(path: string): Generator<string> {
    const fd = this.#open(path);
    try {
      const decoder = new TextDecoder();
      const bytes = new Uint8Array(FILE_CHUNK_BYTES);
      for (;;) {
        const length = this.#check(
          "read",
          this.#raw.read(fd, bytes, bytes.length),
        );
        if (length === 0) return;
        yield decoder.decode(bytes.subarray(0, length), { stream: true });
      }
    } finally {
      this.close(fd);
    }
  }

  /** The type of the file system that a descriptor is on, see `statfs(2)`. */
  fileSystem(fd: number): bigint {
    const bytes = new Uint8Array(STATFS_BYTES);
    this.#check("fstatfs", this.#raw.fstatfs(fd, bytes));
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }

  /** Closes a descriptor. */
  close(fd: number): void {
    this.#check("close", this.#raw.close(fd));
  }

  /**
   * The inode id of a process's pidfd, which no other process has had since the
   * machine started.
   *
   * @returns The id; `undefined` before Linux 6.9, where all pidfds share one,
   * or if it may not be read.
   */
  pidfdId(pid: number): bigint | undefined {
    const fd = this.#raw.syscall(SYS_PIDFD_OPEN, pid, 0);
    if (fd < 0) return undefined;
    try {
      return this.fileSystem(fd) === PID_FS_MAGIC
        ? this.status(fd).inode
        : undefined;
    } catch (error) {
      // A sandbox refuses it: then it is unknown.
      if (error instanceof LibcError) return undefined;
      throw error;
    } finally {
      this.#raw.close(fd);
    }
  }

  #address(call: "getsockname" | "getpeername", fd: number): Uint8Array {
    const bytes = new Uint8Array(ADDRESS_BYTES);
    const length = new Uint32Array([bytes.length]);
    this.#check(
      call,
      this.#raw[call](fd, bytes, new Uint8Array(length.buffer)),
    );
    return bytes.subarray(0, length[0]!);
  }

  #open(path: string): number {
    const flags = O_RDONLY | O_CLOEXEC;
    return this.#check("open", this.#raw.open(cString(path), flags, 0));
  }

  #epoll(
    epoll: number,
    operation: number,
    fd: number,
    { events, data }: EpollEntry,
  ): void {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, events, true);
    view.setBigUint64(this.#isX64 ? 4 : 8, data, true);
    this.#check(
      "epoll_ctl",
      this.#raw.epoll_ctl(epoll, operation, fd, bytes),
    );
  }

  #fcntl(fd: number, command: number, argument = 0): number {
    return this.#check("fcntl", this.#raw.fcntl(fd, command, argument));
  }

  #statx(fd: number, path: Uint8Array, flags: number): FileStat {
    const bytes = new Uint8Array(STATX_BYTES);
    const mask = STATX_TYPE | STATX_INO;
    this.#check("statx", this.#raw.statx(fd, path, flags, mask, bytes));
    const view = new DataView(bytes.buffer);
    const pair = (at: number): [number, number] => [
      view.getUint32(at, true),
      view.getUint32(at + 4, true),
    ];
    return {
      mode: view.getUint16(28, true),
      inode: view.getBigUint64(32, true),
      specialDevice: pair(128),
      device: pair(136),
    };
  }

  #check(call: string, result: number): number {
    if (result < 0) throw new LibcError(call, this.#raw.errno());
    return result;
  }
}

function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}
