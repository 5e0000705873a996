/**
 * Whether a connection or a packet waits in a socket, as Linux's `/proc/net`
 * tells it.
 *
 * @module
 */

import fs from "node:fs";

/** A socket to look for. */
interface Wanted {
  /** Its inode, in decimal. */
  readonly inode: string;
  /** The path or abstract name that it was bound to, if any. */
  readonly path: string | undefined;
}

const INET_TABLES = ["tcp", "tcp6", "udp", "udp6"];

/**
 * Tells whether anything waits in one of the sockets.
 *
 * @param sockets The sockets.
 * @param read Reads a file below `/proc/self/net`; `""` where there is none.
 */
export function isAnyWaiting(
  sockets: readonly Wanted[],
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
 * A line of `/proc/net/tcp` or `udp`: of a listener, the length of the queue of
 * what is to be accepted is in the place of what is to be read.
 */
function isInetWaiting(line: string, inodes: ReadonlySet<string>): boolean {
  const fields = line.trim().split(/\s+/);
  const received = fields[4]?.split(":")[1];
  return received !== undefined && inodes.has(fields[9] ?? "") &&
    parseInt(received, 16) > 0;
}

/**
 * A line of `/proc/net/unix`: what nobody has accepted yet is connecting (2),
 * has no inode, and the name of the listener.
 */
function isUnixWaiting(line: string, paths: ReadonlySet<string>): boolean {
  const [, state, inode, path] = /^(?:\S+ +){5}(\S+) +(\S+) (.*)$/.exec(line) ??
    [];
  return state === "02" && inode === "0" && paths.has(path!);
}

function readTable(table: string): string {
  try {
    return fs.readFileSync(`/proc/self/net/${table}`, "utf8");
  } catch {
    return "";
  }
}
