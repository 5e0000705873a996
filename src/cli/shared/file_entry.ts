/**
 * Status of a path itself: links are not followed.
 *
 * @module
 */

import fs from "node:fs";
import process from "node:process";

/** A file, socket, link or anything else at a path. */
export interface FileEntry {
  /** Identifies the file, also among later files at its path. */
  readonly identity: string;
  readonly isSocket: boolean;
  readonly isFifo: boolean;
  readonly isFile: boolean;
  readonly isLink: boolean;
  /** True if this process's user owns the file. */
  readonly isOwn: boolean;
  /** Permission bits. */
  readonly mode: number;
  /** Kind with an article, for messages. */
  readonly noun: string;
}

/** Returns what is at a path; `undefined` if the path is free or unreachable. */
export function entryAt(file: string): FileEntry | undefined {
  try {
    return toEntry(fs.lstatSync(file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Binding reports the same error with more detail.
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") {
      return undefined;
    }
    throw error;
  }
}

/** Converts the status of a path or of a descriptor. */
export function toEntry(stat: fs.Stats): FileEntry {
  const isFifo = stat.isFIFO();
  // Whole milliseconds, because not every runtime has a higher resolution. Each
  // write to a FIFO changes its time.
  const time = isFifo ? 0 : Math.floor(stat.mtimeMs);
  return {
    identity: `${stat.dev} ${stat.ino} ${time}`,
    isSocket: stat.isSocket(),
    isFifo,
    isFile: stat.isFile(),
    isLink: stat.isSymbolicLink(),
    // Windows has no user ids.
    isOwn: stat.uid === (process.geteuid?.() ?? stat.uid),
    mode: stat.mode & 0o7777,
    noun: nounOf(stat),
  };
}

function nounOf(stat: fs.Stats): string {
  if (stat.isDirectory()) return "a directory";
  if (stat.isSymbolicLink()) return "a symbolic link";
  if (stat.isSocket()) return "a socket";
  if (stat.isFIFO()) return "a FIFO";
  return stat.isFile() ? "a file" : "a device";
}
