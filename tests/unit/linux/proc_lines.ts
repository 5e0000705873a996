/** Lines of the tables below `/proc/net`, as a little-endian kernel has them. */

import assert from "node:assert/strict";
import type { SocketInfo } from "../../../src/core/info.ts";
import { SOCKET_TABLES, SocketSearch } from "../../../src/linux/procfs.ts";

/** The first line of each table. */
export const INET_HEADER: string =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when " +
  "retrnsmt   uid  timeout inode";
export const UNIX_HEADER: string =
  "Num       RefCount Protocol Flags    Type St Inode Path";
export const NETLINK_HEADER: string =
  "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    " +
  "Drops    Inode";

/** States of sockets in the tables of the internet protocols. */
export const ESTABLISHED = "01";
export const SYN_SENT = "02";
export const CLOSE = "07";
export const CLOSE_WAIT = "08";
export const LISTEN = "0A";

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}

/** An address: the bytes of each 32-bit word are reversed. */
export function kernelAddress(bytes: readonly number[], port: number): string {
  let text = "";
  for (let word = 0; word < bytes.length; word += 4) {
    for (const byte of bytes.slice(word, word + 4).reverse()) {
      text += hex(byte, 2);
    }
  }
  return `${text}:${hex(port, 4)}`;
}

/** A line of `tcp`, `udp`, `raw` or their like for IPv6. */
export function inetLine(
  local: string,
  state: string,
  inode: string,
  remote = `${"0".repeat(local.length - 5)}:0000`,
): string {
  return `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 ` +
    `00000000  1000        0 ${inode} 1 000000000fbfbefc 100 0 0 10 0`;
}

/** What a line of `unix` says beside the inode and the path. */
export interface UnixRecord {
  readonly protocol?: string;
  readonly flags?: string;
  readonly type?: string;
  readonly state?: string;
}

/** A line of `unix`; of a listening stream socket if it isn't said otherwise. */
export function unixLine(
  inode: string,
  path?: string,
  {
    protocol = "00000000",
    flags = "00010000",
    type = "0001",
    state = "01",
  }: UnixRecord = {},
): string {
  return `00000000bd52b0e2: 00000002 ${protocol} ${flags} ${type} ${state} ` +
    inode.padStart(5) + (path === undefined ? "" : ` ${path}`);
}

/** A line of `netlink`. */
export function netlinkLine(
  inode: string,
  protocol: number,
  portId: number,
  groups: number,
): string {
  return `00000000c3949e59 ${String(protocol).padEnd(3)} ` +
    `${String(portId).padEnd(10)} ${hex(groups, 8).toLowerCase()} 0        ` +
    `0        0     2        0        ${inode.padEnd(8)}`;
}

/** As many connections as a busy server has, none of them wanted. */
export function* connectionLines(count: number): Generator<string> {
  for (let index = 0; index < count; index++) {
    yield inetLine("0A0200C0:0050", ESTABLISHED, `${900000 + index}`);
  }
}

/** Lines that count how many of them were taken, and whether they were let go. */
export class CountedLines implements Iterable<string> {
  readonly #lines: Iterable<string>;
  /** How many lines were taken. */
  taken = 0;
  /** How often reading began, and ended. */
  opened = 0;
  closed = 0;

  constructor(lines: Iterable<string>) {
    this.#lines = lines;
  }

  *[Symbol.iterator](): Generator<string> {
    this.opened++;
    try {
      for (const line of this.#lines) {
        this.taken++;
        yield line;
      }
    } finally {
      this.closed++;
    }
  }
}

/** Searches the lines of a table for sockets. */
export function lookUp(
  file: string,
  lines: Iterable<string>,
  ...inodes: string[]
): ReadonlyMap<string, SocketInfo> {
  const table = SOCKET_TABLES.find((entry) => entry.file === file);
  assert.ok(table !== undefined, `no table ${file}`);
  const search = new SocketSearch(inodes);
  assert.equal(table.scan(lines[Symbol.iterator](), search, false), false);
  return search.results;
}
