/**
 * The paths of Unix sockets and FIFOs: who may have one, and what an activator
 * leaves behind that was killed.
 *
 * A path is taken only where there is nothing, or a socket that (1) an activator
 * made, which a note beside it says, with the socket's inode and the time it was
 * made at, and (2) nobody has open, which connecting tells, and on Linux the
 * kernel's list. Neither is enough alone: a socket that is bound but doesn't
 * listen yet refuses connections, and a note may be older than what is there
 * now. Everything else is left alone.
 *
 * @module
 */

import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import process from "node:process";
import { UsageError } from "../shared/verb.ts";

/** How long a listener may take to answer before it counts as alive. */
const PROBE_MILLISECONDS = 2000;

/** What tells one file from all others, also from later ones at its path. */
interface Identity {
  readonly dev: number;
  readonly ino: number;
  /** In whole milliseconds: not every runtime knows more. */
  readonly mtimeMs: number;
}

/** The note beside a socket. */
function noteOf(file: string): string {
  return path.join(path.dirname(file), `.${path.basename(file)}.listenfds`);
}

/**
 * Makes sure that a socket can be bound to a path, and removes one that an
 * activator left there.
 *
 * @param file The absolute path.
 * @param doing What is being done, to begin an error's message with.
 * @param mayBeFifo Whether a FIFO is made there: one that is there is used.
 * @returns Whether there is nothing now.
 * @throws {UsageError} If there is anything else.
 */
export async function freePath(
  file: string,
  doing: string,
  mayBeFifo: boolean,
): Promise<boolean> {
  const found = identify(file);
  if (found === undefined) return true;
  if (mayBeFifo && found.isFifo) return false;
  if (!found.isSocket) {
    throw new UsageError(
      `${doing}: there is ${found.what}, not a socket: it is left alone; ` +
        `use another path`,
    );
  }
  const state = isListed(file) ? "alive" : await probe(file);
  if (state === "alive") {
    throw new UsageError(
      `${doing}: another process uses it: end that, or use another path`,
    );
  }
  if (state !== "refused") {
    throw new UsageError(
      `${doing}: there is a socket, and whether it is in use can't be told ` +
        `(${state}): use another path`,
    );
  }
  const note = noteOf(file);
  // Whoever gets the note may replace the socket: of two activators, one.
  const taken = `${note}.${process.pid}`;
  try {
    fs.renameSync(note, taken);
  } catch {
    throw notOurs(doing);
  }
  const text = fs.readFileSync(taken, "utf8");
  if (text !== describe(found.identity)) {
    fs.renameSync(taken, note);
    throw notOurs(doing);
  }
  fs.rmSync(taken);
  fs.rmSync(file);
  return true;
}

function notOurs(doing: string): UsageError {
  return new UsageError(
    `${doing}: there is a socket that listenfds didn't make, on which nobody ` +
      `listens: remove it if no program needs it, or use another path`,
  );
}

/** Notes that an activator made a path. */
export function notePath(file: string): void {
  const found = identify(file);
  if (found === undefined) return;
  fs.writeFileSync(noteOf(file), describe(found.identity));
}

/** Forgets that, and leaves the path. */
export function forgetPath(file: string): void {
  fs.rmSync(noteOf(file), { force: true });
}

/** Removes a path if it is still what an activator made, and the note. */
export function removePath(file: string): void {
  const found = identify(file);
  const note = noteOf(file);
  let text: string;
  try {
    text = fs.readFileSync(note, "utf8");
  } catch {
    return;
  }
  if (found !== undefined && text === describe(found.identity)) {
    fs.rmSync(file, { force: true });
  }
  fs.rmSync(note, { force: true });
}

function describe({ dev, ino, mtimeMs }: Identity): string {
  return `listenfds made this socket: ${dev} ${ino} ${mtimeMs}\n`;
}

function identify(
  file: string,
):
  | { identity: Identity; isSocket: boolean; isFifo: boolean; what: string }
  | undefined {
  let stat: fs.Stats;
  try {
    stat = fs.lstatSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Binding says the same, and better.
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") {
      return undefined;
    }
    throw error;
  }
  const { dev, ino, mtimeMs } = stat;
  const what = stat.isDirectory()
    ? "a folder"
    : stat.isSymbolicLink()
    ? "a symbolic link"
    : stat.isFIFO()
    ? "a FIFO"
    : stat.isFile()
    ? "a file"
    : "something";
  return {
    identity: { dev, ino, mtimeMs: Math.floor(mtimeMs) },
    isSocket: stat.isSocket(),
    isFifo: stat.isFIFO(),
    what,
  };
}

/** Whether somebody listens; the error's code where that can't be told. */
function probe(file: string): Promise<"alive" | "refused" | string> {
  return new Promise((resolve) => {
    const socket = net.connect({ path: file });
    const end = (state: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(state);
    };
    const timer = setTimeout(() => end("alive"), PROBE_MILLISECONDS);
    socket.once("connect", () => end("alive"));
    socket.on("error", ({ code = "" }: NodeJS.ErrnoException) => {
      // A datagram socket is bound there; or the queue is full.
      const isAlive = code === "EPROTOTYPE" || code === "EAGAIN";
      end(isAlive ? "alive" : code === "ECONNREFUSED" ? "refused" : code);
    });
  });
}

/** Whether the kernel lists a socket that was bound to a path (Linux). */
function isListed(file: string): boolean {
  let text: string;
  try {
    text = fs.readFileSync("/proc/self/net/unix", "utf8");
  } catch {
    return false;
  }
  return text.split("\n").some((line) => {
    // Seven columns, then the path as it was bound: relative to who knows where.
    const [, bound] = /^(?:\S+ +){7}(.*)$/.exec(line) ?? [];
    if (bound === undefined || bound === "") return false;
    return path.isAbsolute(bound)
      ? bound === file
      : path.basename(bound) === path.basename(file);
  });
}
