/**
 * What Linux says of descriptors in `/proc`.
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

/** What {@linkcode procInspector} reads, so that it can be tested. */
export interface ProcReader {
  /** Reads a symbolic link; throws an error with a `code` if it can't. */
  readLink(path: string): string;
  /** Reads a small file. */
  text(path: string): string;
  /**
   * The lines of a file, read no further than they are taken. Throws when the
   * first is taken, if the file can't be read.
   */
  lines(path: string): Iterable<string>;
  /** What a path leads to; throws an error with a `code` if it can't. */
  status(path: string): PathInfo;
}

/**
 * Makes a source of metadata of this process's descriptors. Where `/proc` can't
 * be read (not Linux, or no permission), or doesn't list a socket (it belongs to
 * another network namespace), that much stays unknown and is not guessed.
 *
 * @param reader Reads `/proc`.
 * @returns The source.
 */
export function procInspector(reader: ProcReader): Inspector {
  return {
    inspect(fds) {
      const infos = fds.map((fd) => inspectOne(fd, reader));
      const inodes = infos.flatMap(socketInode);
      if (inodes.length === 0) return infos;
      const sockets = findSockets(inodes, reader);
      return infos.map((info) => {
        const [inode] = socketInode(info);
        const found = inode === undefined ? undefined : sockets.get(inode);
        return found === undefined ? info : { ...info, ...found };
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

/** Reads what a descriptor is; of a socket only that it is one. */
function inspectOne(fd: number, reader: ProcReader): DescriptorInfo {
  const link = linkOf(fd, reader);
  if (link === null) return { kind: "closed" };
  if (link === undefined) return { kind: "unknown" };
  const common: CommonInfo = { ...readFlags(fd, reader), link };
  const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
  if (inode !== undefined) {
    return { kind: "socket", ...common, inode: BigInt(inode) };
  }
  try {
    // Through the link, which leads to the file even where it has no path.
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

/** The inode of a socket of which no more is known yet. */
function socketInode({ kind, inode }: DescriptorInfo): string[] {
  return kind === "socket" && inode !== undefined ? [String(inode)] : [];
}

function findSockets(
  inodes: readonly string[],
  reader: ProcReader,
): Map<string, SocketInfo> {
  const search = new SocketSearch(inodes);
  const tables = SOCKET_TABLES.map(({ file, look }) => ({
    look,
    lines: reader.lines(`/proc/self/net/${file}`)[Symbol.iterator](),
  }));
  try {
    let left = tables;
    for (const hurry of [true, false]) {
      left = left.filter(({ look, lines }) => {
        try {
          return !search.done && look(lines, search, hurry);
        } catch {
          // No such table, IPv6 switched off for example: it holds no socket.
          return false;
        }
      });
    }
  } finally {
    for (const { lines } of tables) lines.return?.();
  }
  return search.found;
}

/**
 * Reads the operating system's name for what a descriptor is open on.
 *
 * @param fd The descriptor.
 * @param reader Reads `/proc`.
 * @returns The name; `null` if the descriptor isn't open, `undefined` if that
 * can't be told.
 */
function linkOf(
  fd: number,
  reader: ProcReader,
): string | null | undefined {
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
