/**
 * The calls of the C library that make sockets, for the activator: Linux on
 * x86_64 and arm64. The calls that look at descriptors are in `libc.ts`.
 *
 * @module
 */

import { LIBC_NAME, LibcError } from "./libc.ts";

/** What an argument or a result is; `length` is a `size_t` or an `nfds_t`. */
type Kind = "number" | "unsigned" | "bytes" | "length";

/** The functions: arguments, all results are a number. */
const SIGNATURES = {
  socket: ["number", "number", "number"],
  bind: ["number", "bytes", "unsigned"],
  listen: ["number", "number"],
  accept4: ["number", "bytes", "bytes", "number"],
  setsockopt: ["number", "number", "number", "bytes", "unsigned"],
  getsockname: ["number", "bytes", "bytes"],
  poll: ["bytes", "length", "number"],
  fcntl: ["number", "number", "number"],
  mkfifo: ["bytes", "unsigned"],
  open: ["bytes", "number", "unsigned"],
  close: ["number"],
} as const;

type Call = keyof typeof SIGNATURES;

/** The functions as a foreign function interface gives them. */
export type RawSockets =
  & Readonly<
    Record<Call, (...args: (number | Uint8Array)[]) => number>
  >
  & { readonly errno: () => number };

/** What this uses of a foreign function interface, whichever it is. */
export interface ForeignFunctions {
  /** Opens the functions, whose arguments are of these kinds. */
  open(
    library: string,
    signatures: Readonly<Record<string, readonly Kind[]>>,
  ): Record<string, (...args: unknown[]) => unknown>;
  /** The error number at `__errno_location()`. */
  errno(location: unknown): number;
  /** Whether a `length` has to be a bigint. */
  readonly takesBigints: boolean;
}

/** Opens the calls; throws if the C library can't be found, or no permission. */
export function openSockets(foreign: ForeignFunctions): RawSockets {
  const functions = foreign.open(LIBC_NAME, SIGNATURES);
  const calls = Object.entries(SIGNATURES).map(([name, kinds]) => {
    const call = functions[name]!;
    const lengthAt = foreign.takesBigints
      ? (kinds as readonly Kind[]).indexOf("length")
      : -1;
    return [
      name,
      (...args: unknown[]) =>
        Number(
          call(
            ...args.map((each, at) =>
              at === lengthAt ? BigInt(each as number) : each
            ),
          ),
        ),
    ];
  });
  return {
    ...Object.fromEntries(calls),
    errno: () => foreign.errno(functions["__errno_location"]!()),
  } as RawSockets;
}

/** Numbers of Linux, the same on x86_64 and arm64. */
export const FAMILIES = { unix: 1, ipv4: 2, ipv6: 10 } as const;
/** Types of sockets. */
export const TYPES = { stream: 1, datagram: 2, seqpacket: 5 } as const;
/** Options: level, number. */
export const OPTIONS = {
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
export type Option = keyof typeof OPTIONS;

const SOCK_CLOEXEC = 0o2000000;
const O_RDWR = 2;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const F_GETFL = 3;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const F_SETPIPE_SZ = 1031;
const POLLIN = 1;
const EINTR = 4;
const EAGAIN = 11;
/** `sizeof(struct sockaddr_storage)`, and `sizeof(struct pollfd)`. */
const ADDRESS_BYTES = 128;
const POLLFD_BYTES = 8;

/** The calls with JavaScript's values and errors. */
export class Sockets {
  readonly #raw: RawSockets;

  /** Makes them of a runtime's functions. */
  constructor(raw: RawSockets) {
    this.#raw = raw;
  }

  /** Makes a blocking socket, with a number from another one on. */
  open(
    family: number,
    type: number,
    from: number,
  ): number {
    const fd = this.#check(
      "socket",
      this.#raw.socket(family, type | SOCK_CLOEXEC, 0),
    );
    return this.#moveUp(fd, from);
  }

  /** Binds a socket to a `struct sockaddr`. */
  bind(fd: number, address: Uint8Array): void {
    this.#check("bind", this.#raw.bind(fd, address, address.length));
  }

  /** Lets a socket listen. */
  listen(fd: number, backlog: number): void {
    this.#check("listen", this.#raw.listen(fd, backlog));
  }

  /** Sets an option that is a number. */
  setOption(fd: number, option: Option, value: number): void {
    const [level, name] = OPTIONS[option];
    const bytes = new Uint8Array(new Int32Array([value]).buffer);
    this.#check(
      "setsockopt",
      this.#raw.setsockopt(fd, level, name, bytes, bytes.length),
    );
  }

  /** The address that a socket is bound to: a `struct sockaddr`. */
  name(fd: number): Uint8Array {
    const bytes = new Uint8Array(ADDRESS_BYTES);
    const length = new Uint32Array([bytes.length]);
    this.#check(
      "getsockname",
      this.#raw.getsockname(fd, bytes, new Uint8Array(length.buffer)),
    );
    return bytes.subarray(0, length[0]!);
  }

  /**
   * Accepts a connection, which is blocking.
   *
   * @returns The connection and its peer's `struct sockaddr`; `undefined` if
   * none is waiting on a non-blocking listener.
   */
  accept(
    listener: number,
    from: number,
  ): { fd: number; peer: Uint8Array } | undefined {
    const bytes = new Uint8Array(ADDRESS_BYTES);
    const length = new Uint32Array([bytes.length]);
    const fd = this.#raw.accept4(
      listener,
      bytes,
      new Uint8Array(length.buffer),
      SOCK_CLOEXEC,
    );
    if (fd < 0) {
      const errno = this.#raw.errno();
      if (errno === EAGAIN || errno === EINTR) return undefined;
      throw new LibcError("accept4", errno);
    }
    const peer = bytes.subarray(0, Math.min(length[0]!, bytes.length));
    return { fd: this.#moveUp(fd, from), peer };
  }

  /** Whether something can be read, or accepted, of each descriptor now. */
  areReady(fds: readonly number[]): boolean[] {
    const view = new DataView(new ArrayBuffer(POLLFD_BYTES * fds.length));
    for (const [at, fd] of fds.entries()) {
      view.setInt32(at * POLLFD_BYTES, fd, true);
      view.setInt16(at * POLLFD_BYTES + 4, POLLIN, true);
    }
    const bytes = new Uint8Array(view.buffer);
    const count = this.#raw.poll(bytes, fds.length, 0);
    if (count < 0 && this.#raw.errno() !== EINTR) {
      throw new LibcError("poll", this.#raw.errno());
    }
    return fds.map((_, at) =>
      count > 0 &&
      (view.getInt16(at * POLLFD_BYTES + 6, true) & POLLIN) !== 0
    );
  }

  /** Makes calls on a descriptor return at once, or wait. */
  setNonBlocking(fd: number, nonBlocking: boolean): void {
    const flags = this.#check("fcntl", this.#raw.fcntl(fd, F_GETFL, 0));
    const wanted = nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (wanted !== flags) {
      this.#check("fcntl", this.#raw.fcntl(fd, F_SETFL, wanted));
    }
  }

  /** Makes a descriptor close when another program is executed. */
  setCloseOnExec(fd: number): void {
    this.#check("fcntl", this.#raw.fcntl(fd, F_SETFD, FD_CLOEXEC));
  }

  /** Makes a FIFO. */
  makeFifo(path: string, mode: number): void {
    this.#check("mkfifo", this.#raw.mkfifo(cString(path), mode));
  }

  /** Opens a path for reading and writing, and blocking, from a number on. */
  openPath(path: string, from: number): number {
    // A FIFO that is opened for reading alone would wait for a writer.
    const flags = O_RDWR | O_CLOEXEC | O_NONBLOCK;
    const fd = this.#check("open", this.#raw.open(cString(path), flags, 0));
    this.setNonBlocking(fd, false);
    return this.#moveUp(fd, from);
  }

  /** Sets the size of a pipe's buffer. */
  setPipeSize(fd: number, bytes: number): void {
    this.#check("fcntl", this.#raw.fcntl(fd, F_SETPIPE_SZ, bytes));
  }

  /** Closes a descriptor. */
  close(fd: number): void {
    this.#check("close", this.#raw.close(fd));
  }

  #moveUp(fd: number, from: number): number {
    try {
      return this.#check("fcntl", this.#raw.fcntl(fd, F_DUPFD_CLOEXEC, from));
    } finally {
      this.#raw.close(fd);
    }
  }

  #check(call: string, result: number): number {
    if (result < 0) throw new LibcError(call, this.#raw.errno());
    return result;
  }
}

/** Writes a `struct sockaddr_un`; an `@` in front stands for a NUL byte. */
export function encodeUnix(path: string): Uint8Array {
  const text = new TextEncoder().encode(path);
  const isAbstract = path.startsWith("@");
  // A path ends with a NUL byte; an abstract name with the address.
  const bytes = new Uint8Array(2 + text.length + (isAbstract ? 0 : 1));
  bytes.set(text, 2);
  if (isAbstract) bytes[2] = 0;
  new DataView(bytes.buffer).setUint16(0, FAMILIES.unix, true);
  return bytes;
}

/** Writes a `struct sockaddr_in`. */
export function encodeIpv4(hostname: string, port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, FAMILIES.ipv4, true);
  view.setUint16(2, port);
  bytes.set(hostname.split(".").map(Number), 4);
  return bytes;
}

/**
 * Writes a `struct sockaddr_in6`.
 *
 * @param hostname The canonical text, see `canonicalIpv6()`.
 */
export function encodeIpv6(
  hostname: string,
  port: number,
  scopeId: number,
): Uint8Array {
  const bytes = new Uint8Array(28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, FAMILIES.ipv6, true);
  view.setUint16(2, port);
  for (const [at, group] of groupsOf(hostname).entries()) {
    view.setUint16(8 + 2 * at, group);
  }
  view.setUint32(24, scopeId, true);
  return bytes;
}

/** The eight numbers of an IPv6 address. */
function groupsOf(hostname: string): number[] {
  const hex = hostname.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_, a, b, c, d) =>
      [(+a << 8) | +b, (+c << 8) | +d].map((each) => each.toString(16))
        .join(":"),
  );
  const [head, tail] = hex.split("::") as [string, string?];
  const read = (text: string | undefined) =>
    text ? text.split(":").map((each) => parseInt(each, 16)) : [];
  const [first, last] = [read(head), read(tail)];
  const gap = Array<number>(8 - first.length - last.length).fill(0);
  return [...first, ...gap, ...last];
}

function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}
