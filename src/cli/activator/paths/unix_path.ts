/**
 * Frees the paths of Unix sockets and FIFOs before binding, and removes them at
 * the end.
 *
 * A socket at a path is replaced only if all of these are true:
 *
 * 1. This process's user owns the socket.
 * 2. An activator created it: a note beside it has its inode and creation time.
 * 3. No process has it open: connecting is refused, and Linux doesn't list it.
 *
 * None is enough alone. A socket that doesn't listen yet refuses connections, and
 * a note may be older than the socket. Everything else stays untouched.
 *
 * @module
 */

import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { parseUnixRecord } from "../../../linux/procfs.ts";
import { isSilent } from "../../../linux/socket_path.ts";
import { readSystemFile } from "../../shared/text_file.ts";
import { UsageError } from "../../shared/verb.ts";
import { entryAt } from "../../shared/file_entry.ts";
import { createNote, hasNote, requireFreeNote, takeNote } from "./path_note.ts";

/** Time after which a listener that doesn't answer counts as alive. */
const PROBE_TIMEOUT_MS = 2000;

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
  const entry = entryAt(file);
  if (entry === undefined) {
    requireFreeNote(file, action);
    return true;
  }
  if (mayBeFifo && entry.isFifo) return false;
  if (!entry.isSocket) {
    throw new UsageError(
      `${action}: there is ${entry.noun}, not a socket: use another path`,
    );
  }
  const state = isListed(file) ? "alive" : await probe(file);
  if (state === "alive") throw inUseError(action);
  if (state !== "refused") {
    throw new UsageError(
      `${action}: checking whether a process uses the socket failed ` +
        `(${state}): use another path`,
    );
  }
  const { identity } = entry;
  if (
    !entry.isOwn || !hasNote(file, identity) || !takeNote(file, identity)
  ) {
    throw new UsageError(
      `${action}: there is a socket that listenfds didn't create, and no ` +
        `process listens: remove it if no program needs it, or use another path`,
    );
  }
  // Another program may have replaced the socket since it was examined.
  if (entryAt(file)?.identity !== identity) throw inUseError(action);
  fs.rmSync(file);
  return true;
}

function inUseError(action: string): UsageError {
  return new UsageError(
    `${action}: another process uses it: end that process, or use ` +
      `another path`,
  );
}

/** A socket or a FIFO that was bound to a path, with its note. */
export class BoundPath {
  readonly #file: string;
  readonly #identity: string;
  #removeNote = () => {};

  /** Identifies what was bound to the path; the note is still missing. */
  constructor(file: string, action: string) {
    const entry = entryAt(file);
    if (!entry?.isSocket && !entry?.isFifo) {
      throw new UsageError(
        `${action}: another process replaced the socket: use a directory ` +
          `that other users can't write to`,
      );
    }
    this.#file = file;
    this.#identity = entry.identity;
  }

  /** Creates the note, by which a later activator recognizes the socket. */
  createNote(action: string): void {
    this.#removeNote = createNote(this.#file, this.#identity, action);
  }

  /** Removes the note and leaves the path. */
  removeNote(): void {
    this.#removeNote();
  }

  /** Removes the note, and the path unless something else has taken its place. */
  remove(): void {
    this.#removeNote();
    if (entryAt(this.#file)?.identity === this.#identity) {
      fs.rmSync(this.#file, { force: true });
    }
  }
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

/**
 * Returns true if the kernel lists a socket that connecting can't find (Linux):
 * one that is bound to a path and doesn't listen yet.
 */
function isListed(file: string): boolean {
  const text = readSystemFile("/proc/self/net/unix");
  // As it was bound; the kernel doesn't escape line breaks.
  if (text.includes(` ${file}\n`)) return true;
  return text.split("\n").some((line) => {
    const record = parseUnixRecord(line);
    const bound = record?.path ?? "";
    // A relative path may mean a file in any directory.
    return bound !== "" && !path.isAbsolute(bound) &&
      path.basename(bound) === path.basename(file) && isSilent(record!);
  });
}
