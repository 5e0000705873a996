/**
 * Parses the files of `/proc` about descriptors (`proc_pid_fdinfo(5)`,
 * `proc_pid_net(5)`).
 *
 * @module
 */

import { type Address, formatIpv6 } from "../core/address.ts";
import type { CommonInfo, SocketInfo } from "../core/info.ts";
import { AF_INET, AF_INET6, AF_NETLINK, AF_UNIX } from "../core/sockaddr.ts";
import { socketInfo } from "../core/socket_info.ts";
import {
  IPPROTO_UDP,
  IPPROTO_UDPLITE,
  O_CLOEXEC,
  O_NONBLOCK,
  SOCK_DGRAM,
  SOCK_RAW,
  SOCK_STREAM,
} from "../ffi/constants.ts";
import type { EpollEntry } from "../ffi/libc.ts";

/** The link of an epoll instance in `/proc/self/fd`. */
export const EPOLL_LINK: string = "anon_inode:[eventpoll]";

/** Parses the flags in `/proc/self/fdinfo/FD`; empty if the text has none. */
export function parseFdinfo(
  text: string,
): Pick<CommonInfo, "nonBlocking" | "closeOnExec"> {
  const octal = /^flags:\s*([0-7]+)$/m.exec(text)?.[1];
  if (octal === undefined) return {};
  const flags = parseInt(octal, 8);
  return {
    nonBlocking: (flags & O_NONBLOCK) !== 0,
    closeOnExec: (flags & O_CLOEXEC) !== 0,
  };
}

const EPOLL_LINE_START = "tfd:";
const EPOLL_LINE =
  /^tfd:\s*\d+ events:\s*([0-9a-f]+) data:\s*([0-9a-f]+)\s+pos:\S+ ino:([0-9a-f]+) /;

/**
 * Parses the entries of descriptors in an epoll instance's
 * `/proc/self/fdinfo/FD`.
 *
 * @param inodes The inode that each descriptor is open on.
 * @returns The entries that were found, by descriptor.
 */
export function parseEpollEntries(
  text: string,
  inodes: ReadonlyMap<number, bigint>,
): Map<number, EpollEntry> {
  const entries = new Map<number, EpollEntry>();
  for (const line of text.split("\n")) {
    // Most lines of many are of other descriptors.
    const fd = parseInt(line.slice(EPOLL_LINE_START.length), 10);
    const inode = inodes.get(fd);
    if (inode === undefined) continue;
    const [, events, data, actual] = EPOLL_LINE.exec(line) ?? [];
    // The line is of another file if that has had the number.
    if (actual !== inode.toString(16)) continue;
    entries.set(fd, {
      events: parseInt(events!, 16),
      data: BigInt(`0x${data}`),
    });
  }
  return entries;
}

/** A search for sockets by their inodes, in decimal. */
export class SocketSearch {
  readonly #missing: Set<string>;
  readonly #results: Map<string, SocketInfo> = new Map();

  constructor(inodes: Iterable<string>) {
    this.#missing = new Set(inodes);
  }

  /** The sockets that were found, by inode. */
  get results(): ReadonlyMap<string, SocketInfo> {
    return this.#results;
  }

  get done(): boolean {
    return this.#missing.size === 0;
  }

  isMissing(inode: string): boolean {
    return this.#missing.has(inode);
  }

  add(inode: string, info: SocketInfo): void {
    this.#results.set(inode, info);
    this.#missing.delete(inode);
  }
}

const IPV4 = { kind: "ipv4", domain: AF_INET } as const;
const IPV6 = { kind: "ipv6", domain: AF_INET6 } as const;
/** The tables list MPTCP sockets, too, in the same form as those of TCP. */
const TCP = { type: SOCK_STREAM, protocol: undefined } as const;
const UDP = { type: SOCK_DGRAM, protocol: IPPROTO_UDP } as const;
const UDPLITE = { type: SOCK_DGRAM, protocol: IPPROTO_UDPLITE } as const;
/** Raw sockets have their protocol in the place of the port. */
const RAW = { type: SOCK_RAW, protocol: "port" } as const;

/**
 * The tables of sockets below `/proc/net`, in the order of the search. No table
 * lists the sockets of another network namespace, those that neither listen nor
 * are connected, and those of rarer families.
 */
export const SOCKET_TABLES: readonly {
  /** The file's name. */
  readonly file: string;
  /**
   * Searches the lines that are left of the file, and reads no more of them than
   * necessary. Connections take long: `stopAfterListeners` leaves them for a
   * second call.
   *
   * @returns `true` if lines are left for a second call.
   */
  readonly scan: (
    lines: Iterator<string>,
    search: SocketSearch,
    stopAfterListeners: boolean,
  ) => boolean;
}[] = [
  inetTable("tcp", { ...IPV4, ...TCP }),
  inetTable("tcp6", { ...IPV6, ...TCP }),
  inetTable("udp", { ...IPV4, ...UDP }),
  inetTable("udp6", { ...IPV6, ...UDP }),
  { file: "netlink", scan: scanNetlink },
  inetTable("udplite", { ...IPV4, ...UDPLITE }),
  inetTable("udplite6", { ...IPV6, ...UDPLITE }),
  inetTable("raw", { ...IPV4, ...RAW }),
  inetTable("raw6", { ...IPV6, ...RAW }),
  // Last, because its records of sockets in other tables can be forged.
  { file: "unix", scan: scanUnix },
];

/** States of a socket, see `include/net/tcp_states.h`. */
const TCP_STATE = { synSent: "02", close: "07", listen: "0A" } as const;

/** The table of a protocol, whose sockets have a domain, type and protocol. */
function inetTable(
  file: string,
  protocol: {
    readonly kind: "ipv4" | "ipv6";
    readonly domain: number;
    readonly type: number;
    readonly protocol: number | "port" | undefined;
  },
): typeof SOCKET_TABLES[number] {
  return {
    file,
    scan(lines, search, stopAfterListeners) {
      for (const line of rest(lines)) {
        // sl, local, remote, state, queues, timer, retransmits, uid, timeout,
        // inode
        const [, local, remote, state, inode] =
          /^\s*\d+: (\S+) (\S+) (\S+) \S+ \S+ \S+\s+\d+\s+\d+ (\d+)/
            .exec(line) ?? [];
        if (inode === undefined) continue;
        if (search.isMissing(inode)) {
          search.add(inode, inetSocket(protocol, local!, remote!, state!));
          if (search.done) return false;
        }
        // The kernel lists listeners first. Connections may be very many, so all
        // other tables are searched before them.
        const isListener = state === TCP_STATE.listen;
        if (stopAfterListeners && protocol.type === TCP.type && !isListener) {
          return true;
        }
      }
      return false;
    },
  };
}

/** Iterates on, and leaves the iterator open when a loop ends early. */
function* rest<T>(iterator: Iterator<T>): Generator<T> {
  for (let step = iterator.next(); !step.done; step = iterator.next()) {
    yield step.value;
  }
}

function inetSocket(
  { kind, domain, type, protocol }: Parameters<typeof inetTable>[1],
  localText: string,
  remoteText: string,
  state: string,
): SocketInfo {
  const address = parseAddress(localText, kind);
  const remote = parseAddress(remoteText, kind);
  const connected = remote.port !== 0 && state !== TCP_STATE.synSent &&
    state !== TCP_STATE.close;
  return socketInfo({
    domain,
    type,
    protocol: protocol === "port" ? address.port : protocol,
    listening: type === TCP.type && state === TCP_STATE.listen,
    address,
    peer: connected ? remote : undefined,
    connected,
  });
}

function parseAddress(
  text: string,
  kind: "ipv4" | "ipv6",
): Address & { kind: "ipv4" | "ipv6" } {
  const [hex, port] = text.split(":");
  const bytes = addressBytes(hex!);
  const hostname = kind === "ipv4" ? bytes.join(".") : formatIpv6(bytes);
  return { kind, hostname, port: parseInt(port!, 16) };
}

/**
 * Parses an address, which the kernel prints as 32-bit words in the machine's
 * byte order: little-endian on all machines of Deno, Bun and Node except s390x.
 */
function addressBytes(hex: string): number[] {
  const bytes: number[] = [];
  for (let word = 0; word < hex.length; word += 8) {
    for (let byte = word + 6; byte >= word; byte -= 2) {
      bytes.push(parseInt(hex.slice(byte, byte + 2), 16));
    }
  }
  return bytes;
}

/** `__SO_ACCEPTCON`: the flag of a listening Unix socket. */
const UNIX_ACCEPTCON = 0x10000;
/** `SS_CONNECTED`: the state of a Unix socket that has a peer. */
const UNIX_CONNECTED = 3;

/**
 * Num, RefCount, Protocol, Flags, Type, St, Inode and, if bound, the path.
 */
const UNIX_RECORD =
  /^[0-9a-f]+: [0-9A-F]+ ([0-9A-F]+) ([0-9A-F]+) ([0-9A-F]+) ([0-9A-F]+) +(\d+)(?: (.*))?$/s;

/**
 * Parses a record of `/proc/net/unix`; `undefined` for any other line.
 *
 * @returns The state, and the path as it was bound, or `@` and an abstract name.
 */
export function parseUnixRecord(line: string): {
  readonly listening: boolean;
  readonly type: number;
  readonly state: number;
  readonly inode: string;
  readonly path: string | undefined;
} | undefined {
  const [, , flags, type, state, inode, path] = UNIX_RECORD.exec(line) ?? [];
  return inode === undefined ? undefined : {
    listening: (parseInt(flags!, 16) & UNIX_ACCEPTCON) !== 0,
    type: parseInt(type!, 16),
    state: parseInt(state!, 16),
    inode,
    path,
  };
}

/**
 * The kernel doesn't escape paths. A process that may bind a socket can
 * put a line break into its path, and a forged record after that. So a line that
 * is no record belongs to the path before it, and an inode with two records is
 * not trusted, which takes reading all of them. A forged record of a socket that
 * is in no table remains possible: where that matters, use the C library.
 */
function scanUnix(lines: Iterator<string>, search: SocketSearch): boolean {
  const records = new Map<string, RegExpExecArray>();
  const ambiguous = new Set<string>();
  const paths = new Map<string, string>();
  let last: string | undefined;
  for (const line of rest(lines)) {
    const record = UNIX_RECORD.exec(line);
    if (record === null) {
      if (last !== undefined) paths.set(last, `${paths.get(last)}\n${line}`);
      continue;
    }
    const inode = record[5]!;
    last = undefined;
    if (!search.isMissing(inode)) continue;
    if (records.has(inode)) ambiguous.add(inode);
    records.set(inode, record);
    paths.set(inode, record[6] ?? "");
    last = inode;
  }
  for (const [inode, record] of records) {
    if (ambiguous.has(inode)) search.add(inode, { kind: "socket" });
    else search.add(inode, unixSocket(record, paths.get(inode)!));
  }
  return false;
}

function unixSocket(record: RegExpExecArray, path: string): SocketInfo {
  const [protocol, flags, type, state] = record.slice(1, 5).map((hex) =>
    parseInt(hex, 16)
  ) as [number, number, number, number];
  return socketInfo({
    domain: AF_UNIX,
    type,
    protocol,
    listening: (flags & UNIX_ACCEPTCON) !== 0,
    address: unixAddress(path),
    // The table has no addresses of peers.
    connected: state === UNIX_CONNECTED,
  });
}

function unixAddress(path: string): Address | undefined {
  if (path === "") return { kind: "unix-unnamed" };
  // Every byte that isn't valid UTF-8 became the same character.
  if (path.includes("\ufffd")) return undefined;
  if (!path.startsWith("@")) return { kind: "unix", path };
  // The kernel prints NUL bytes as "@". The first one begins an abstract name (a
  // relative path, too, but systemd has none); any other could be either.
  const name = path.slice(1);
  return name.includes("@") ? undefined : { kind: "unix-abstract", name };
}

function scanNetlink(lines: Iterator<string>, search: SocketSearch): boolean {
  for (const line of rest(lines)) {
    // sk, Eth (the protocol), Pid, Groups, Rmem, Wmem, Dump, Locks, Drops, Inode
    const fields = line.trim().split(/\s+/);
    const inode = fields[9];
    if (inode === undefined || !search.isMissing(inode)) continue;
    search.add(
      inode,
      socketInfo({
        domain: AF_NETLINK,
        protocol: Number(fields[1]),
        listening: false,
        address: {
          kind: "netlink",
          portId: Number(fields[2]),
          groups: parseInt(fields[3]!, 16),
        },
      }),
    );
    if (search.done) break;
  }
  return false;
}
