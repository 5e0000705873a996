/**
 * The text of Linux's `/proc` files on sockets, read into metadata
 * (`proc_pid_net(5)`).
 *
 * @module
 */

import { type Address, canonicalIpv6 } from "./address.ts";
import type { DescriptorInfo } from "./descriptor.ts";

/** A table of sockets below `/proc/net`, and how one of its lines is read. */
export interface SocketTable {
  /** The file below `/proc/net`. */
  readonly file: string;
  /**
   * Reads a line.
   *
   * @param line One line of the file.
   * @param inode The inode of the socket that is looked for, in decimal.
   * @returns What the line says of the socket; `undefined` for another line.
   */
  readonly parse: (line: string, inode: string) => DescriptorInfo | undefined;
}

/** `TCP_LISTEN` of the kernel, as the tables show it. */
const TCP_LISTEN = "0A";
/** `__SO_ACCEPTCON`: the socket listens. */
const UNIX_ACCEPTCON = 0x10000;

/**
 * The tables to look a socket up in, the likeliest first. Where a socket isn't
 * in any of them (it belongs to another network namespace, or is of a rarer
 * family), nothing more is known of it.
 */
export const SOCKET_TABLES: readonly SocketTable[] = [
  { file: "tcp", parse: (line, inode) => parseInet(line, inode, "ipv4", true) },
  {
    file: "tcp6",
    parse: (line, inode) => parseInet(line, inode, "ipv6", true),
  },
  { file: "unix", parse: parseUnix },
  {
    file: "udp",
    parse: (line, inode) => parseInet(line, inode, "ipv4", false),
  },
  {
    file: "udp6",
    parse: (line, inode) => parseInet(line, inode, "ipv6", false),
  },
];

function parseInet(
  line: string,
  inode: string,
  kind: "ipv4" | "ipv6",
  stream: boolean,
): DescriptorInfo | undefined {
  // sl, local, remote, state, queues, timer, retransmits, uid, timeout, inode
  const fields = line.trim().split(/\s+/);
  if (fields[9] !== inode) return undefined;
  const [hex, port] = fields[1]!.split(":");
  const bytes = addressBytes(hex!);
  const hostname = kind === "ipv4" ? bytes.join(".") : formatIpv6(bytes);
  const address: Address = { kind, hostname, port: parseInt(port!, 16) };
  if (!stream) return { kind: "datagram", address };
  return {
    kind: fields[3] === TCP_LISTEN ? "stream-listener" : "stream-connection",
    address,
  };
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

function formatIpv6(bytes: readonly number[]): string {
  const groups: string[] = [];
  for (let at = 0; at < bytes.length; at += 2) {
    groups.push(((bytes[at]! << 8) | bytes[at + 1]!).toString(16));
  }
  return canonicalIpv6(groups.join(":"));
}

function parseUnix(line: string, inode: string): DescriptorInfo | undefined {
  // Num, RefCount, Protocol, Flags, Type, St, Inode and, if bound, the path,
  // which may hold spaces.
  const match = /^\S+: \S+ \S+ ([0-9A-F]+) ([0-9A-F]+) \S+ +(\d+)(?: (.*))?$/s
    .exec(line);
  if (match === null || match[3] !== inode) return undefined;
  const listening = (parseInt(match[1]!, 16) & UNIX_ACCEPTCON) !== 0;
  const address = unixAddress(match[4]);
  switch (parseInt(match[2]!, 16)) {
    case 1:
      return {
        kind: listening ? "stream-listener" : "stream-connection",
        address,
      };
    case 2:
      return { kind: "datagram", address };
    case 5:
      return {
        kind: listening ? "seqpacket-listener" : "seqpacket-connection",
        address,
      };
    default:
      return { kind: "socket", address };
  }
}

function unixAddress(path: string | undefined): Address {
  if (path === undefined || path === "") return { kind: "unix-unnamed" };
  // The kernel writes "@" for the NUL byte that begins an abstract name.
  return path.startsWith("@")
    ? { kind: "unix-abstract", name: path.slice(1) }
    : { kind: "unix", path };
}
