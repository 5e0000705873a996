/**
 * Reads text files that the arguments name, and those of the system.
 *
 * @module
 */

import fs from "node:fs";
import { toEntry } from "./file_entry.ts";
import { UsageError } from "./verb.ts";

/** Limit of a file's size in bytes. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Reads a regular file. Reading a FIFO could wait forever, and a device may have
 * no end.
 *
 * @param action First words of an error's message.
 * @throws {UsageError} If the file can't be read, or is something else.
 */
export function readTextFile(file: string, action: string): string {
  try {
    // Before opening, too, because opening a device may have an effect.
    requireRegular(fs.statSync(file), action);
    const { O_RDONLY, O_NONBLOCK = 0 } = fs.constants;
    const fd = fs.openSync(file, O_RDONLY | O_NONBLOCK);
    try {
      requireRegular(fs.fstatSync(fd), action);
      return readBounded(fd, action);
    } finally {
      fs.closeSync(fd);
    }
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    const { code = String(cause) } = cause as NodeJS.ErrnoException;
    throw new UsageError(`${action}: ${code}: give a readable file`, { cause });
  }
}

/** Returns a small file of the system; `""` if it can't be read. */
export function readSystemFile(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Returns the names in a directory of the system; none if it can't be read. */
export function listDirectory(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch {
    return [];
  }
}

/** Returns what a link of the system names; `""` if it can't be read. */
export function readLink(file: string): string {
  try {
    return fs.readlinkSync(file);
  } catch {
    return "";
  }
}

function requireRegular(stat: fs.Stats, action: string): void {
  const { isFile, noun } = toEntry(stat);
  if (isFile) return;
  throw new UsageError(`${action}: it is ${noun}: give a regular file`);
}

/** Reads a file whose reported size may be wrong, such as one of `/proc`. */
function readBounded(fd: number, action: string): string {
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(64 * 1024);
  let text = "";
  let size = 0;
  for (;;) {
    const length = fs.readSync(fd, chunk, 0, chunk.length, null);
    size += length;
    if (size > MAX_BYTES) {
      throw new UsageError(
        `${action}: expected at most ${MAX_BYTES} bytes: give a smaller file`,
      );
    }
    if (length === 0) return text + decoder.decode();
    text += decoder.decode(chunk.subarray(0, length), { stream: true });
  }
}
