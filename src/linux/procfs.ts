/**
 * The text of Linux's `/proc` files on descriptors, read into metadata
 * (`proc_pid_fdinfo(5)`, `proc_pid_net(5)`).
 *
 * @module
 */

import { type Address, formatIpv6 } from "../core/address.ts";
import type { CommonInfo, SocketInfo } from "../core/info.ts";
import { socketInfo } from "../core/socket_info.ts";

const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

/**
 * Reads the flags in `/proc/self/fdinfo/FD`.
 *
 * @param text The file.
 * @returns The flags; empty if the text has none.
 */
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

/**
 * Reads what an epoll instance has noted of a descriptor in
 * `/proc/self/fdinfo/FD`.
 *
 * @param text The file.
 * @param fd The descriptor.
 * @param inode The inode of what it is open on.
 * @returns The entry; `undefined` if the instance doesn't watch it.
 */
export function parseEpollEntry(
  text: string,
  fd: number,
  inode: bigint,
): { readonly events: number; readonly data: bigint } | undefined {
  const line = new RegExp(
    `^tfd:\\s*${fd} events:\\s*([0-9a-f]+) data:\\s*([0-9a-f]+)\\s+pos:\\S+ ` +
      `ino:${inode.toString(16)} `,
    "m",
  ).exec(text);
  return line === null ? undefined : {
    events: parseInt(line[1]!, 16),
    data: BigInt(`0x${line[2]}`),
  };
}

/** Sockets that are looked for, by their inodes. */
export class SocketSearch {
  readonly #wanted: Set<string>;
  /** What was found. */
  readonly found: Map<string, SocketInfo> = new Map();

  /** @param inodes The inodes, in decimal. */
  constructor(inodes: Iterable<string>) {
    this.#wanted = new Set(inodes);
  }

  /** Whether there is nothing left to look for. */
  get done(): boolean {
    return this.#wanted.size === 0;
  }

  /** Whether a socket is looked for. */
  wants(inode: string): boolean {
    return this.#wanted.has(inode);
  }

  /** Notes a socket that was looked for. */
  add(inode: string, info: SocketInfo): void {
    this.found.set(inode, info);
    this.#wanted.delete(inode);
  }
}

/** A table of sockets below `/proc/net`. */
export interface SocketTable {
  /** The file below `/proc/net`. */
  readonly file: string;
  /**
   * Looks for sockets, and takes no more lines than it must.
   *
   * @param lines The lines of the file that have not been taken yet.
   * @param search What is looked for.
   * @param hurry Whether to leave what takes long for a second call.
   * @returns Whether there is more to look through.
   */
  readonly look: (
    lines: Iterator<string>,
    search: SocketSearch,
    hurry: boolean,
  ) => boolean;
}

const IPV4 = { kind: "ipv4", domain: 2 } as const;
const IPV6 = { kind: "ipv6", domain: 10 } as const;
/** MPTCP sockets are in the tables of TCP, too, and look the same. */
const TCP = { type: 1, protocol: undefined } as const;
const UDP = { type: 2, protocol: 17 } as const;
const UDPLITE = { type: 2, protocol: 136 } as const;
/** Raw sockets have their protocol in the place of the port. */
const RAW = { type: 3, protocol: "port" } as const;
const NETLINK_DOMAIN = 16;

/**
 * The tables to look in, in this order. Where a socket isn't in any of them (it
 * belongs to another network namespace, is neither listening nor connected, or
 * of a rarer family), nothing more is known of it.
 */
export const SOCKET_TABLES: readonly SocketTable[] = [
  inetTable("tcp", { ...IPV4, ...TCP }),
  inetTable("tcp6", { ...IPV6, ...TCP }),
  inetTable("udp", { ...IPV4, ...UDP }),
  inetTable("udp6", { ...IPV6, ...UDP }),
  { file: "netlink", look: lookNetlink },
  inetTable("udplite", { ...IPV4, ...UDPLITE }),
  inetTable("udplite6", { ...IPV6, ...UDPLITE }),
  inetTable("raw", { ...IPV4, ...RAW }),
  inetTable("raw6", { ...IPV6, ...RAW }),
  // Last: what it says of a socket that is in another table could be forged.
  { file: "unix", look: lookUnix },
];

/** What a table of an internet protocol holds. */
interface InetProtocol {
  readonly kind: "ipv4" | "ipv6";
  /** `SO_DOMAIN`. */
  readonly domain: number;
  /** `SO_TYPE`. */
  readonly type: number;
  /** `SO_PROTOCOL`, where the table tells it. */
  readonly protocol: number | "port" | undefined;
}

/** States of a socket in the tables, see `include/net/tcp_states.h`. */
const SYN_SENT = "02";
const CLOSE = "07";
const LISTEN = "0A";

function inetTable(file: string, protocol: InetProtocol): SocketTable {
  return {
    file,
    look(lines, search, hurry) {
      for (const line of rest(lines)) {
        // sl, local, remote, state, queues, timer, retransmits, uid, timeout,
        // inode
        const [, local, remote, state, inode] =
          /^\s*\d+: (\S+) (\S+) (\S+) \S+ \S+ \S+\s+\d+\s+\d+ (\d+)/
            .exec(line) ?? [];
        if (inode === undefined) continue;
        if (search.wants(inode)) {
          search.add(inode, inetSocket(protocol, local!, remote!, state!));
          if (search.done) return false;
        }
        // The kernel lists those that listen first. There may be very many
        // connections: everything else is looked through before them.
        if (hurry && protocol.type === TCP.type && state !== LISTEN) {
          return true;
        }
      }
      return false;
    },
  };
}

/** What is left of an iterator, which stays open when a loop is left early. */
function* rest<T>(iterator: Iterator<T>): Generator<T> {
  for (let step = iterator.next(); !step.done; step = iterator.next()) {
    yield step.value;
  }
}

function inetSocket(
  { kind, domain, type, protocol }: InetProtocol,
  localText: string,
  remoteText: string,
  state: string,
): SocketInfo {
  const address = parseAddress(localText, kind);
  const remote = parseAddress(remoteText, kind);
  const connected = remote.port !== 0 && state !== SYN_SENT && state !== CLOSE;
  return socketInfo({
    domain,
    type,
    protocol: protocol === "port" ? address.port : protocol,
    listening: type === TCP.type && state === LISTEN,
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
 * The bytes of an address that the kernel prints as 32-bit words in its own
 * byte order; every machine that Deno, Bun and Node run on is little-endian
 * (Node on s390x aside, where it would read in the wrong order).
 */
function addressBytes(hex: string): number[] {
  const bytes: number[] = [];
  for (let word = 0; word < hex.length; word += 8) {
    for (let at = word + 6; at >= word; at -= 2) {
      bytes.push(parseInt(hex.slice(at, at + 2), 16));
    }
  }
  return bytes;
}

/** `__SO_ACCEPTCON`: a Unix socket listens. */
const UNIX_ACCEPTCON = 0x10000;
/** `SS_CONNECTED`: a Unix socket has a peer. */
const UNIX_CONNECTED = 3;

/**
 * Num, RefCount, Protocol, Flags, Type, St, Inode and, if bound, the path.
 */
const UNIX_RECORD =
  /^[0-9a-f]+: [0-9A-F]+ ([0-9A-F]+) ([0-9A-F]+) ([0-9A-F]+) ([0-9A-F]+) +(\d+)(?: (.*))?$/s;

/**
 * The kernel doesn't escape paths, and whoever may bind a socket can put a line
 * break into one, with anything behind it. So whatever is no record belongs to
 * the path before it, and an inode that two records claim is not believed, for
 * which all of them are read. What remains is a forged record of a socket that is
 * in no table, or in one that is not read so far: where that matters, the C
 * library is to be asked.
 */
function lookUnix(lines: Iterator<string>, search: SocketSearch): boolean {
  const records = new Map<string, RegExpExecArray>();
  const claimedTwice = new Set<string>();
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
    if (!search.wants(inode)) continue;
    if (records.has(inode)) claimedTwice.add(inode);
    records.set(inode, record);
    paths.set(inode, record[6] ?? "");
    last = inode;
  }
  for (const [inode, record] of records) {
    if (claimedTwice.has(inode)) search.add(inode, { kind: "socket" });
    else search.add(inode, unixSocket(record, paths.get(inode)!));
  }
  return false;
}

function unixSocket(record: RegExpExecArray, path: string): SocketInfo {
  const [protocol, flags, type, state] = record.slice(1, 5).map((hex) =>
    parseInt(hex, 16)
  ) as [number, number, number, number];
  return socketInfo({
    domain: 1,
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
  // Bytes that are no UTF-8 can't be told from each other.
  if (path.includes("\ufffd")) return undefined;
  if (!path.startsWith("@")) return { kind: "unix", path };
  // The kernel writes "@" for every NUL byte: one begins an abstract name (or,
  // never with systemd, a relative path), any other could be either.
  const name = path.slice(1);
  return name.includes("@") ? undefined : { kind: "unix-abstract", name };
}

function lookNetlink(lines: Iterator<string>, search: SocketSearch): boolean {
  for (const line of rest(lines)) {
    // sk, Eth (the protocol), Pid, Groups, Rmem, Wmem, Dump, Locks, Drops, Inode
    const fields = line.trim().split(/\s+/);
    const inode = fields[9];
    if (inode === undefined || !search.wants(inode)) continue;
    search.add(
      inode,
      socketInfo({
        domain: NETLINK_DOMAIN,
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
