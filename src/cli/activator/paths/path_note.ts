/**
 * Notes beside sockets: each one identifies a socket that an activator created.
 *
 * Other users may be able to write to the directory. So a note is created where
 * nothing is, links are not followed, and only a regular file that this
 * process's user alone can write is read.
 *
 * @module
 */

import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { quote } from "../../../core/errors.ts";
import { UsageError } from "../../shared/verb.ts";
import { entryAt, type FileEntry, toEntry } from "../../shared/file_entry.ts";

const PREFIX = "listenfds made this socket: ";
/** Limit of a note's size in bytes. */
const MAX_NOTE_BYTES = 256;
/** Permission bits to write for others than the owner. */
const OTHERS_WRITE = 0o022;

/** Returns the path of the note beside a socket. */
function notePathOf(file: string): string {
  return path.join(path.dirname(file), `.${path.basename(file)}.listenfds`);
}

function formatNote(identity: string): string {
  return `${PREFIX}${identity}\n`;
}

/** Returns true if a note exists, can be trusted, and identifies a socket. */
export function hasNote(file: string, identity: string): boolean {
  return readTrusted(notePathOf(file)) === formatNote(identity);
}

/** Throws a {@linkcode UsageError} if anything but a trusted note is there. */
export function requireFreeNote(file: string, action: string): void {
  const note = notePathOf(file);
  const entry = entryAt(note);
  if (entry === undefined || readTrusted(note)?.startsWith(PREFIX)) return;
  const owner = entry.isOwn ? "" : " of another user";
  throw new UsageError(
    `${action}: there is ${entry.noun}${owner} at ${quote(note)}, the path ` +
      `of a note about the socket: remove it, or use another path`,
  );
}

/**
 * Creates the note about a socket, and replaces a trusted one about another
 * socket.
 *
 * @returns Removes the note, unless another file has taken its place.
 */
export function createNote(
  file: string,
  identity: string,
  action: string,
): () => void {
  const note = notePathOf(file);
  try {
    requireFreeNote(file, action);
    // No other activator needs the note: this one has bound the path.
    fs.rmSync(note, { force: true });
    const created = writeNew(note, formatNote(identity));
    return () => {
      if (entryAt(note)?.identity === created) fs.rmSync(note, { force: true });
    };
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(
      `${action}: writing the note ${quote(note)} failed (${
        (cause as NodeJS.ErrnoException).code
      }): use another path`,
      { cause },
    );
  }
}

/** Creates a file; returns its identity. */
function writeNew(file: string, text: string): string {
  // "x": never opens a file that exists, nor through a link (O_EXCL).
  const fd = fs.openSync(file, "wx", 0o600);
  try {
    fs.writeFileSync(fd, text);
    return toEntry(fs.fstatSync(fd)).identity;
  } catch (error) {
    fs.rmSync(file, { force: true });
    throw error;
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Removes the note about a socket. Of two activators, one succeeds: renaming the
 * note is a lock.
 *
 * @returns True if this call removed the note.
 */
export function takeNote(file: string, identity: string): boolean {
  const note = notePathOf(file);
  // An unpredictable name, so that renaming replaces no file.
  const taken = `${note}.${crypto.randomUUID()}`;
  try {
    fs.renameSync(note, taken);
  } catch {
    return false;
  }
  if (readTrusted(taken) === formatNote(identity)) {
    fs.rmSync(taken);
    return true;
  }
  // Another activator's, which was written in the meantime.
  if (entryAt(note) === undefined) fs.renameSync(taken, note);
  return false;
}

/** Reads a note that only this process's user can have written. */
function readTrusted(note: string): string | undefined {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = fs.constants;
  let fd: number | undefined;
  try {
    // Before opening, too, because some versions of Deno ignore the flags.
    const entry = entryAt(note);
    if (!isTrusted(entry)) return undefined;
    fd = fs.openSync(note, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!isTrusted(toEntry(fs.fstatSync(fd)))) return undefined;
    const bytes = new Uint8Array(MAX_NOTE_BYTES);
    const length = fs.readSync(fd, bytes, 0, bytes.length, 0);
    return new TextDecoder().decode(bytes.subarray(0, length));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

function isTrusted(entry: FileEntry | undefined): boolean {
  return entry !== undefined && entry.isFile && entry.isOwn &&
    (entry.mode & OTHERS_WRITE) === 0;
}
