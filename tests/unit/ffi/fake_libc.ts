/** A fake C library, with its own implementation of the kernel's layouts. */

import type { LIBC_FUNCTIONS } from "../../../src/ffi/libc.ts";
import type { LibcFunctions } from "../../../src/ffi/signatures.ts";

/** The metadata of a file. */
export interface FakeStat {
  readonly mode: number;
  readonly inode?: bigint;
  readonly modifiedNs?: bigint;
  readonly device?: readonly [number, number];
  readonly specialDevice?: readonly [number, number];
}

/** An open file; reading a property that is absent fails. */
export interface FakeFile extends FakeStat {
  /** The flags of `open(2)`. */
  readonly flags?: number;
  readonly fileSystem?: bigint;
  /** Options of the level `SOL_SOCKET`, by number. */
  readonly options?: Readonly<Record<number, number>>;
  readonly name?: Uint8Array;
  readonly peer?: Uint8Array;
  /** The number of bytes or connections that wait. */
  readonly input?: number;
  /** Whether the connection was ended in both directions. */
  readonly isShutDown?: boolean;
}

/** The numbers of errors, see `errno(3)`. */
export const ENOENT = 2;
export const EIO = 5;
export const EBADF = 9;
export const EAGAIN = 11;
export const EEXIST = 17;
export const EACCES = 13;
export const ENOTDIR = 20;
export const EINVAL = 22;
export const ENOTSOCK = 88;
export const ENOPROTOOPT = 92;
export const ENOTCONN = 107;

/** File types in `st_mode`, see `inode(7)`. */
export const FIFO = 0o010600;
export const CHARACTER_DEVICE = 0o020666;
export const DIRECTORY = 0o040755;
export const BLOCK_DEVICE = 0o060660;
export const REGULAR = 0o100644;
export const SOCKET = 0o140777;

/** `O_RDWR` and `O_NONBLOCK`. */
export const READ_WRITE = 2;
export const NON_BLOCKING = 0x800;

const PIDFS = 0x50494446n;
/** The number that a file is opened with. */
const OPENED = 50;

/** The files, paths and processes of a fake machine. */
export interface FakeMachine {
  readonly files?: Readonly<Record<number, FakeFile>>;
  /** The descriptors that are close-on-exec. */
  readonly closeOnExec?: readonly number[];
  /** The file at each path, or the error number of `stat(2)`. */
  readonly paths?: Readonly<Record<string, FakeStat | number>>;
  readonly links?: Readonly<Record<string, string>>;
  /** The content of files, by path. */
  readonly texts?: Readonly<Record<string, string>>;
  /** The file of each process's pidfd, by process id. */
  readonly processes?: Readonly<Record<number, FakeFile>>;
  /** Whether epoll instances ignore what is added to them. */
  readonly forgetful?: boolean;
  /** The error number of each call that fails. */
  readonly failing?: Readonly<Record<string, number>>;
}

/** The fake C library, which records the calls. */
export class FakeLibc implements LibcFunctions<typeof LIBC_FUNCTIONS[number]> {
  readonly files: Map<number, FakeFile>;
  readonly closeOnExec: Set<number>;
  /** The calls, such as `close 3`. */
  readonly calls: string[] = [];
  readonly #machine: FakeMachine;
  readonly #watched = new Set<string>();
  /** What is left to read of the file that was opened. */
  #content: Uint8Array = new Uint8Array();
  #errno = 0;

  constructor(machine: FakeMachine) {
    this.#machine = machine;
    const files = Object.entries(machine.files ?? {});
    this.files = new Map(files.map(([fd, file]) => [Number(fd), file]));
    this.closeOnExec = new Set(machine.closeOnExec);
  }

  getsockopt(
    fd: number,
    level: number,
    option: number,
    value: Uint8Array,
    length: Uint8Array,
  ): number {
    return this.#call("getsockopt", fd, (file) => {
      if (!isSocket(file)) return ENOTSOCK;
      const number = file.options?.[option];
      if (level !== 1 || number === undefined) return ENOPROTOOPT;
      if (view(length).getUint32(0, true) < 4) return EINVAL;
      view(value).setInt32(0, number, true);
      view(length).setUint32(0, 4, true);
      return 0n;
    });
  }

  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number {
    return this.#call(
      "getsockname",
      fd,
      (file) => giveAddress(file, file.name, address, length),
    );
  }

  getpeername(fd: number, address: Uint8Array, length: Uint8Array): number {
    return this.#call(
      "getpeername",
      fd,
      (file) => giveAddress(file, file.peer, address, length),
    );
  }

  fcntl(fd: number, command: number, argument: number): number {
    return this.#call("fcntl", fd, (file) => {
      switch (command) {
        case 1:
          return this.closeOnExec.has(fd) ? 1n : 0n;
        case 2:
          if (argument & 1) this.closeOnExec.add(fd);
          else this.closeOnExec.delete(fd);
          return 0n;
        case 3:
          return BigInt(file.flags ?? READ_WRITE);
        case 4:
          this.files.set(fd, { ...file, flags: argument });
          return 0n;
        case 1030:
          for (let free = argument;; free++) {
            if (this.files.has(free)) continue;
            this.files.set(free, file);
            return BigInt(free);
          }
        default:
          return EINVAL;
      }
    });
  }

  close(fd: number): number {
    // The number is free also where closing fails.
    return this.#call("close", fd, () => 0n, () => this.files.delete(fd));
  }

  statx(
    fd: number,
    path: Uint8Array,
    flags: number,
    mask: number,
    result: Uint8Array,
  ): number {
    const text = readString(path);
    const emptyPath = (flags & 0x1000) !== 0 && text === "";
    const give = (stat: FakeStat | undefined): bigint | number => {
      // STATX_TYPE and STATX_INO.
      if ((mask & 0x101) !== 0x101) return EINVAL;
      if (stat === undefined) return ENOENT;
      result.set(statxBytes(stat));
      return 0n;
    };
    if (emptyPath) return this.#call("statx", fd, give);
    return this.#finish("statx", text, () => {
      const stat = this.#machine.paths?.[text];
      // AT_FDCWD: any other number would be a directory's descriptor.
      if (fd !== -100) return EBADF;
      return typeof stat === "number" ? stat : give(stat);
    });
  }

  fstatfs(fd: number, result: Uint8Array): number {
    return this.#call("fstatfs", fd, (file) => {
      // The structure has 120 bytes, of which the type is the first.
      result.set(new Uint8Array(120).fill(0xee));
      view(result).setBigInt64(0, file.fileSystem ?? 0n, true);
      return 0n;
    });
  }

  readlink(path: Uint8Array, result: Uint8Array, length: number): number {
    const text = readString(path);
    return this.#finish("readlink", text, () => {
      const link = this.#machine.links?.[text];
      if (link === undefined) return ENOENT;
      const bytes = new TextEncoder().encode(link).subarray(0, length);
      result.fill(0x2a).set(bytes);
      return BigInt(bytes.length);
    });
  }

  syscall(number: number, first: number, second: number): number {
    return this.#finish("pidfd_open", first, () => {
      const process = this.#machine.processes?.[first];
      if (number !== 434 || second !== 0) return EINVAL;
      if (process === undefined) return ENOENT;
      this.files.set(9, process);
      return 9n;
    });
  }

  open(path: Uint8Array): number {
    const text = readString(path);
    return this.#finish("open", text, () => {
      const content = this.#machine.texts?.[text];
      if (content === undefined) return ENOENT;
      this.files.set(OPENED, { mode: REGULAR, inode: 0n });
      this.#content = new TextEncoder().encode(content);
      return BigInt(OPENED);
    });
  }

  read(fd: number, result: Uint8Array, length: number): number {
    return this.#call("read", fd, () => {
      const chunk = this.#content.subarray(0, length);
      this.#content = this.#content.subarray(chunk.length);
      result.set(chunk);
      return BigInt(chunk.length);
    });
  }

  dup3(from: number, to: number, flags: number): number {
    return this.#call(`dup3 ${flags.toString(8)} ${to} =`, from, (file) => {
      this.files.set(to, file);
      return BigInt(to);
    });
  }

  epoll_ctl(
    epoll: number,
    operation: number,
    fd: number,
    event: Uint8Array,
  ): number {
    const bytes = [...event].join(" ");
    const call = `epoll_ctl ${operation} ${fd} [${bytes}]`;
    return this.#call(call, epoll, () => {
      const watched = `${epoll} ${fd}`;
      if (operation === 2) return this.#watched.delete(watched) ? 0n : ENOENT;
      if (this.#watched.has(watched)) return EEXIST;
      if (!this.#machine.forgetful) this.#watched.add(watched);
      return 0n;
    });
  }

  poll(descriptors: Uint8Array, count: number, milliseconds: number): number {
    const fields = view(descriptors);
    const fd = fields.getInt32(0, true);
    return this.#finish("poll", fd, () => {
      if (count !== 1 || milliseconds !== 0) return EINVAL;
      const file = this.files.get(fd);
      // POLLNVAL where it isn't open.
      const revents = file === undefined
        ? 0x20
        : (file.input ?? 0) > 0
        ? fields.getInt16(4, true) & 1
        : 0;
      fields.setInt16(6, revents, true);
      return revents === 0 ? 0n : 1n;
    });
  }

  recv(fd: number, _: Uint8Array, length: number, flags: number): number {
    return this.#call("recv", fd, (file) => {
      if (!isSocket(file)) return ENOTSOCK;
      // MSG_PEEK and MSG_DONTWAIT: the bytes stay, and the call doesn't wait.
      if (flags !== 0x42) return EINVAL;
      const { input = 0 } = file;
      return input > 0 ? BigInt(Math.min(input, length)) : EAGAIN;
    });
  }

  shutdown(fd: number, how: number): number {
    return this.#call("shutdown", fd, (file) => {
      if (!isSocket(file)) return ENOTSOCK;
      if (how !== 2) return EINVAL;
      this.files.set(fd, { ...file, isShutDown: true });
      return 0n;
    });
  }

  errno(): number {
    return this.#errno;
  }

  #call(
    call: string,
    fd: number,
    run: (file: FakeFile) => bigint | number,
    always: () => void = () => {},
  ): number {
    return this.#finish(call, fd, () => {
      const file = this.files.get(fd);
      always();
      return file === undefined ? EBADF : run(file);
    });
  }

  /** Ends a call: with its result, a bigint, or with an error, a number. */
  #finish(
    call: string,
    subject: number | string,
    run: () => bigint | number,
  ): number {
    this.calls.push(`${call} ${subject}`);
    const ended = run();
    const result = this.#machine.failing?.[call] ?? ended;
    if (typeof result === "bigint") return Number(result);
    this.#errno = result;
    return -1;
  }
}

/** A process whose pidfd has an id, as Linux has them since 6.9. */
export function pidfd(inode: bigint, fileSystem: bigint = PIDFS): FakeFile {
  return { mode: 0o600, inode, fileSystem };
}

function isSocket({ mode }: FakeFile): boolean {
  return (mode & 0o170000) === 0o140000;
}

function giveAddress(
  file: FakeFile,
  sockaddr: Uint8Array | undefined,
  address: Uint8Array,
  length: Uint8Array,
): bigint | number {
  if (!isSocket(file)) return ENOTSOCK;
  if (sockaddr === undefined) return ENOTCONN;
  const room = view(length).getUint32(0, true);
  // sizeof(struct sockaddr_un), the longest that there is.
  if (room < 110 || address.length < room) return EINVAL;
  address.fill(0xee).set(sockaddr);
  view(length).setUint32(0, sockaddr.length, true);
  return 0n;
}

/** A `struct statx`, see `statx(2)`: the size of each field, and its value. */
function statxBytes(
  {
    mode,
    inode = 0n,
    modifiedNs = 0n,
    device = [0, 0],
    specialDevice = [0, 0],
  }: FakeStat,
): Uint8Array {
  const second = 1_000_000_000n;
  const any = (size: number): [number, number] => [size, 7];
  const timestamp = [any(8), any(4), any(4)];
  const fields: [size: number, value: number | bigint][] = [
    // The mask, the block size, attributes, links, and the owner.
    ...[4, 4, 8, 4, 4, 4].map(any),
    [2, mode],
    any(2),
    [8, inode],
    // The size, the blocks, the mask of the attributes.
    ...[8, 8, 8].map(any),
    // Access, birth and change; then the modification.
    ...[timestamp, timestamp, timestamp].flat(),
    [8, modifiedNs / second],
    [4, modifiedNs % second],
    any(4),
    ...[...specialDevice, ...device].map((part) => [4, part] as [4, number]),
  ];
  // No caller reads the rest of the 256 bytes.
  const bytes = new Uint8Array(256).fill(0xee);
  let offset = 0;
  for (const [size, value] of fields) {
    const little = new DataView(new ArrayBuffer(8));
    little.setBigUint64(0, BigInt(value), true);
    bytes.set(new Uint8Array(little.buffer, 0, size), offset);
    offset += size;
  }
  return bytes;
}

function readString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  if (end < 0) throw new Error("the string doesn't end");
  return new TextDecoder().decode(bytes.subarray(0, end));
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
