/**
 * Metadata of descriptors from `/proc`.
 *
 * @module
 */

import type {
  CommonInfo,
  DescriptorInfo,
  Inspector,
  PathInfo,
  SocketInfo,
} from "../core/info.ts";
import { parseFdinfo, SOCKET_TABLES, SocketSearch } from "./procfs.ts";

/** Reads files for {@linkcode procInspector}; injected for tests. */
export interface ProcReader {
  /** Reads a symbolic link; throws an error with a `code` if that fails. */
  readLink(path: string): string;
  /** Reads a small file. */
  text(path: string): string;
  /**
   * Reads a file line by line, no further than the caller iterates. Throws at
   * the first line if the file can't be read.
   */
  lines(path: string): Iterable<string>;
  /** Reads the metadata of a file; throws an error with a `code` on failure. */
  status(path: string): PathInfo;
}

/**
 * Creates an inspector of this process's descriptors. Metadata are unknown where
 * `/proc` can't be read (other systems, missing permission), and where it doesn't
 * list a socket (other network namespaces).
 */
export function procInspector(reader: ProcReader): Inspector {
  return {
    inspect(fds) {
      const infos = fds.map((fd) => inspectByProc(fd, reader));
      const inodes = infos.flatMap(socketInode);
      if (inodes.length === 0) return infos;
      const sockets = findSockets(inodes, reader);
      return infos.map((info) => {
        const [inode] = socketInode(info);
        const socket = inode === undefined ? undefined : sockets.get(inode);
        return socket === undefined ? info : { ...info, ...socket };
      });
    },
    inspectPath(path) {
      try {
        return reader.status(path);
      } catch (error) {
        const code = codeOf(error);
        return code === "ENOENT" || code === "ENOTDIR" ? null : undefined;
      }
    },
  };
}

/** Reads the metadata of a descriptor; for a socket, only the common part. */
function inspectByProc(fd: number, reader: ProcReader): DescriptorInfo {
  const link = linkOf(fd, reader);
  if (link === null) return { kind: "closed" };
  if (link === undefined) return { kind: "unknown" };
  const common: CommonInfo = { ...readFlags(fd, reader), link };
  const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
  if (inode !== undefined) {
    return { kind: "socket", ...common, inode: BigInt(inode) };
  }
  try {
    // Through the link, which leads to the file even if that has no path.
    return { ...common, ...reader.status(`/proc/self/fd/${fd}`) };
  } catch {
    return { kind: "unknown", ...common };
  }
}

function readFlags(
  fd: number,
  reader: ProcReader,
): ReturnType<typeof parseFdinfo> {
  try {
    return parseFdinfo(reader.text(`/proc/self/fdinfo/${fd}`));
  } catch {
    return {};
  }
}

/** Returns the inode of a socket, which the tables may list. */
function socketInode({ kind, inode }: DescriptorInfo): string[] {
  return kind === "socket" && inode !== undefined ? [String(inode)] : [];
}

function findSockets(
  inodes: readonly string[],
  reader: ProcReader,
): ReadonlyMap<string, SocketInfo> {
  const search = new SocketSearch(inodes);
  const tables = SOCKET_TABLES.map(({ file, scan }) => ({
    scan,
    lines: reader.lines(`/proc/self/net/${file}`)[Symbol.iterator](),
  }));
  try {
    let unfinished = tables;
    for (const stopAfterListeners of [true, false]) {
      unfinished = unfinished.filter(({ scan, lines }) => {
        try {
          return !search.done && scan(lines, search, stopAfterListeners);
        } catch {
          // The table doesn't exist, because IPv6 is disabled for example.
          return false;
        }
      });
    }
  } finally {
    for (const { lines } of tables) lines.return?.();
  }
  return search.results;
}

/**
 * Reads the kernel's name for the file that a descriptor is open on.
 *
 * @returns The name; `null` if the descriptor isn't open, `undefined` if `/proc`
 * can't be read.
 */
function linkOf(fd: number, reader: ProcReader): string | null | undefined {
  try {
    return reader.readLink(`/proc/self/fd/${fd}`);
  } catch (error) {
    return codeOf(error) === "ENOENT" && hasProc(reader) ? null : undefined;
  }
}

function hasProc(reader: ProcReader): boolean {
  try {
    reader.readLink("/proc/self");
    return true;
  } catch {
    return false;
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}
