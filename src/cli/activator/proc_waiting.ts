/**
 * Detects connections and datagrams that wait in a socket, from Linux's
 * `/proc/net`.
 *
 * @module
 */

import { parseUnixRecord } from "../../linux/procfs.ts";
import { readSystemFile } from "../shared/text_file.ts";

/** A socket to check. */
interface CheckedSocket {
  /** Inode in decimal. */
  readonly inode: string;
  /** Path or `@` and abstract name, if bound to one. */
  readonly path: string | undefined;
}

/** The state of a connection that is being made. */
const SS_CONNECTING = 2;

const INET_TABLES = ["tcp", "tcp6", "udp", "udp6"];

/**
 * Returns true if a connection or a datagram waits in one of the sockets.
 *
 * @param read Reads a file below `/proc/self/net`; returns `""` if it is
 * missing.
 */
export function isAnyWaiting(
  sockets: readonly CheckedSocket[],
  read: (table: string) => string = readTable,
): boolean {
  const inodes = new Set(
    sockets.flatMap(({ inode, path }) => path === undefined ? [inode] : []),
  );
  const paths = new Set(sockets.flatMap(({ path }) => path ?? []));
  return (inodes.size > 0 &&
    INET_TABLES.some((table) =>
      read(table).split("\n").some((line) => isInetWaiting(line, inodes))
    )) ||
    (paths.size > 0 &&
      read("unix").split("\n").some((line) => isUnixWaiting(line, paths)));
}

/**
 * Parses a line of `/proc/net/tcp` or `udp`. For a listener, the column of the
 * receive queue holds the number of connections to accept.
 */
function isInetWaiting(line: string, inodes: ReadonlySet<string>): boolean {
  const fields = line.trim().split(/\s+/);
  const queued = fields[4]?.split(":")[1];
  return queued !== undefined && inodes.has(fields[9] ?? "") &&
    parseInt(queued, 16) > 0;
}

/**
 * Parses a line of `/proc/net/unix`. A connection that isn't accepted yet is
 * connecting, with the inode 0 and the listener's path.
 */
function isUnixWaiting(line: string, paths: ReadonlySet<string>): boolean {
  const record = parseUnixRecord(line);
  return record?.state === SS_CONNECTING && record.inode === "0" &&
    paths.has(record.path ?? "");
}

function readTable(table: string): string {
  return readSystemFile(`/proc/self/net/${table}`);
}
