/**
 * Frees the paths of Unix sockets and FIFOs before binding, and removes them at
 * the end.
 *
 * A socket at a path is replaced only if both are true:
 *
 * 1. An activator created it: a note beside it has its inode and creation time.
 * 2. No process has it open: connecting is refused, and Linux doesn't list it.
 *
 * Neither is enough alone. A socket that doesn't listen yet refuses
 * connections, and a note may be older than the socket. Everything else stays
 * untouched.
 *
 * @module
 */

import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import process from "node:process";
import { UsageError } from "../shared/verb.ts";

/** Time after which a listener that doesn't answer counts as alive. */
const PROBE_TIMEOUT_MS = 2000;

/** Identifies a file, also among later files at its path. */
interface Identity {
  readonly dev: number;
  readonly ino: number;
  /** Whole milliseconds, because not every runtime has a higher resolution. */
  readonly mtimeMs: number;
}

/** Returns the path of the note beside a socket. */
function notePathOf(file: string): string {
  return path.join(path.dirname(file), `.${path.basename(file)}.listenfds`);
}

/**
 * Checks that a socket can be bound to an absolute path, and removes a socket
 * that a killed activator left there.
 *
 * @param action First words of an error's message.
 * @param mayBeFifo True if an existing FIFO may be used.
 * @returns True if the path is free, false for an existing FIFO.
 * @throws {UsageError} If anything else is there.
 */
export async function freePath(
  file: string,
  action: string,
  mayBeFifo: boolean,
): Promise<boolean> {
  const entry = identify(file);
  if (entry === undefined) return true;
  if (mayBeFifo && entry.isFifo) return false;
  if (!entry.isSocket) {
    throw new UsageError(
      `${action}: there is ${entry.noun}, not a socket: use another path`,
    );
  }
  const state = isListed(file) ? "alive" : await probe(file);
  if (state === "alive") {
    throw new UsageError(
      `${action}: another process uses it: end that process, or use ` +
        `another path`,
    );
  }
  if (state !== "refused") {
    throw new UsageError(
      `${action}: checking whether a process uses the socket failed ` +
        `(${state}): use another path`,
    );
  }
  const note = notePathOf(file);
  // Renaming the note is a lock: of two activators, one replaces the socket.
  const taken = `${note}.${process.pid}`;
  try {
    fs.renameSync(note, taken);
  } catch {
    throw foreignSocketError(action);
  }
  const text = fs.readFileSync(taken, "utf8");
  if (text !== formatNote(entry.identity)) {
    fs.renameSync(taken, note);
    throw foreignSocketError(action);
  }
  fs.rmSync(taken);
  fs.rmSync(file);
  return true;
}

function foreignSocketError(action: string): UsageError {
  return new UsageError(
    `${action}: there is a socket that listenfds didn't create, and no process ` +
      `listens: remove it if no program needs it, or use another path`,
  );
}

/** Writes the note that an activator created a path. */
export function writeNote(file: string): void {
  const entry = identify(file);
  if (entry === undefined) return;
  fs.writeFileSync(notePathOf(file), formatNote(entry.identity));
}

/** Removes the note and leaves the path. */
export function removeNote(file: string): void {
  fs.rmSync(notePathOf(file), { force: true });
}

/** Removes the note, and the path if the activator created it. */
export function removePath(file: string): void {
  const entry = identify(file);
  const note = notePathOf(file);
  let text: string;
  try {
    text = fs.readFileSync(note, "utf8");
  } catch {
    return;
  }
  if (entry !== undefined && text === formatNote(entry.identity)) {
    fs.rmSync(file, { force: true });
  }
  fs.rmSync(note, { force: true });
}

function formatNote({ dev, ino, mtimeMs }: Identity): string {
  return `listenfds made this socket: ${dev} ${ino} ${mtimeMs}\n`;
}

function identify(
  file: string,
):
  | { identity: Identity; isSocket: boolean; isFifo: boolean; noun: string }
  | undefined {
  let stat: fs.Stats;
  try {
    stat = fs.lstatSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Binding reports the same error with more detail.
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") {
      return undefined;
    }
    throw error;
  }
  const { dev, ino, mtimeMs } = stat;
  const noun = stat.isDirectory()
    ? "a directory"
    : stat.isSymbolicLink()
    ? "a symbolic link"
    : stat.isFIFO()
    ? "a FIFO"
    : stat.isFile()
    ? "a file"
    : "a device";
  return {
    identity: { dev, ino, mtimeMs: Math.floor(mtimeMs) },
    isSocket: stat.isSocket(),
    isFifo: stat.isFIFO(),
    noun,
  };
}

/** Connects to a socket; returns its state, or an unclear error's code. */
function probe(file: string): Promise<"alive" | "refused" | string> {
  return new Promise((resolve) => {
    const socket = net.connect({ path: file });
    const end = (state: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(state);
    };
    const timer = setTimeout(() => end("alive"), PROBE_TIMEOUT_MS);
    socket.once("connect", () => end("alive"));
    socket.on("error", ({ code = "" }: NodeJS.ErrnoException) => {
      // EPROTOTYPE: a datagram socket. EAGAIN: the queue is full.
      const isAlive = code === "EPROTOTYPE" || code === "EAGAIN";
      end(isAlive ? "alive" : code === "ECONNREFUSED" ? "refused" : code);
    });
  });
}

/** Returns true if the kernel lists a socket bound to a path (Linux). */
function isListed(file: string): boolean {
  let text: string;
  try {
    text = fs.readFileSync("/proc/self/net/unix", "utf8");
  } catch {
    return false;
  }
  return text.split("\n").some((line) => {
    // Seven columns, then the path as it was bound, which may be relative.
    const [, bound] = /^(?:\S+ +){7}(.*)$/.exec(line) ?? [];
    if (bound === undefined || bound === "") return false;
    return path.isAbsolute(bound)
      ? bound === file
      : path.basename(bound) === path.basename(file);
  });
}
