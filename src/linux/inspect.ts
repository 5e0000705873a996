/**
 * What Linux says of a descriptor in `/proc`.
 *
 * @module
 */

import type { DescriptorInfo } from "../core/descriptor.ts";
import { SOCKET_TABLES } from "../core/procfs.ts";

/** What {@linkcode inspectDescriptor} reads, so that it can be tested. */
export interface ProcReader {
  /** Reads a symbolic link; throws an error with a `code` if it can't. */
  readLink(path: string): string;
  /** The lines of a file, read no further than they are taken. */
  lines(path: string): Iterable<string>;
  /** The file type of what a path leads to. */
  fileType(path: string): "fifo" | "file" | "character-device" | "other";
}

/**
 * Reads what a descriptor of this process is. Where `/proc` can't be read (not
 * Linux, or no permission), or doesn't list the socket (it belongs to another
 * network namespace), that much stays unknown and is not guessed.
 *
 * @param fd The descriptor.
 * @param reader Reads `/proc`.
 * @returns What is known of it.
 */
export function inspectDescriptor(
  fd: number,
  reader: ProcReader,
): DescriptorInfo {
  const path = `/proc/self/fd/${fd}`;
  let link: string;
  try {
    link = reader.readLink(path);
  } catch (error) {
    return { kind: isMissing(error) && hasProc(reader) ? "closed" : "unknown" };
  }
  const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
  if (inode !== undefined) return { ...findSocket(inode, reader), link };
  if (link.startsWith("pipe:[")) return { kind: "fifo", link };
  if (link.startsWith("anon_inode:")) return { kind: "other", link };
  try {
    return { kind: reader.fileType(path), link };
  } catch {
    return { kind: "unknown", link };
  }
}

function findSocket(inode: string, reader: ProcReader): DescriptorInfo {
  for (const { file, parse } of SOCKET_TABLES) {
    try {
      for (const line of reader.lines(`/proc/self/net/${file}`)) {
        // Most lines are of other sockets: parse none that can't be it.
        if (!line.includes(inode)) continue;
        const info = parse(line, inode);
        if (info !== undefined) return info;
      }
    } catch {
      // No such table, IPv6 switched off for example: it holds no socket.
    }
  }
  return { kind: "socket" };
}

function hasProc(reader: ProcReader): boolean {
  try {
    reader.readLink("/proc/self");
    return true;
  } catch {
    return false;
  }
}

function isMissing(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "ENOENT";
}
