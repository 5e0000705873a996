/**
 * Watches files for changes. An event of the operating system on a directory
 * leads to a comparison of snapshots, because events alone are inexact: some
 * come from reading a file, and files in a new directory have none.
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
import type { Changes } from "./supervisor.ts";
import { SKIPPED_DIRECTORIES, type WatchedFiles } from "./watched_files.ts";

/** Time without events before a comparison: editors write several files. */
const QUIET_MS = 100;
/** Interval of comparisons after watching has failed. */
const FALLBACK_POLL_MS = 1000;

/** State of the watched files. */
interface Snapshot {
  readonly directories: ReadonlySet<string>;
  /** Inode, size and modification time by path. */
  readonly files: ReadonlyMap<string, string>;
}

/** Reports changes to files from its creation until it is closed. */
export class Watcher implements Changes {
  readonly #watched: WatchedFiles;
  readonly #report: (text: string) => void;
  readonly #watches = new Map<string, fs.FSWatcher>();
  #snapshot: Snapshot;
  #quiet: ReturnType<typeof setTimeout> | undefined;
  #poll: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;
  #change = Promise.withResolvers<string>();
  #hasChanged = false;

  /** Starts to watch; `report` prints a line for people. */
  constructor(watched: WatchedFiles, report: (text: string) => void) {
    this.#watched = watched;
    this.#report = report;
    this.#snapshot = this.#updateSnapshot();
  }

  next(): Promise<string> {
    return this.#change.promise;
  }

  clear(): void {
    // A new snapshot, so that an earlier change is not found later.
    this.#snapshot = this.#updateSnapshot();
    if (!this.#hasChanged) return;
    this.#hasChanged = false;
    this.#change = Promise.withResolvers();
  }

  /** Stops watching. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#quiet);
    clearInterval(this.#poll);
    for (const watch of this.#watches.values()) watch.close();
  }

  /** Takes a snapshot, and watches exactly its directories. */
  #updateSnapshot(): Snapshot {
    for (;;) {
      const snapshot = this.#takeSnapshot();
      const added = [...snapshot.directories].filter((directory) =>
        !this.#watches.has(directory)
      );
      for (const directory of added) this.#watch(directory);
      for (const [directory, watch] of this.#watches) {
        if (snapshot.directories.has(directory)) continue;
        watch.close();
        this.#watches.delete(directory);
      }
      // Another snapshot finds files that were created before the watch began.
      if (added.length === 0 || this.#poll !== undefined) return snapshot;
    }
  }

  #watch(directory: string): void {
    if (this.#poll !== undefined) return;
    try {
      const watch = fs.watch(directory, () => this.#onEvent());
      watch.on("error", (error) => this.#onError(directory, error));
      this.#watches.set(directory, watch);
    } catch (error) {
      this.#onError(directory, error as NodeJS.ErrnoException);
    }
  }

  #onError(directory: string, error: NodeJS.ErrnoException): void {
    this.#watches.get(directory)?.close();
    this.#watches.delete(directory);
    // A removed directory is no failure.
    if (!fs.existsSync(directory) || this.#isClosed) return this.#onEvent();
    if (this.#poll !== undefined) return;
    this.#report(
      `watching ${directory} failed (${
        error.code ?? error.message
      }): checking ` +
        `for changes each second`,
    );
    this.#poll = setInterval(() => this.#compare(), FALLBACK_POLL_MS);
  }

  #onEvent(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#compare(), QUIET_MS);
  }

  #compare(): void {
    const before = this.#snapshot.files;
    this.#snapshot = this.#updateSnapshot();
    const after = this.#snapshot.files;
    const changed = [...before.keys(), ...after.keys()].find((file) =>
      before.get(file) !== after.get(file)
    );
    if (changed === undefined) return;
    this.#hasChanged = true;
    this.#change.resolve(path.relative(this.#watched.cwd, changed));
  }

  #takeSnapshot(): Snapshot {
    const directories = new Set<string>();
    const files = new Map<string, string>();
    const addFile = (file: string) => {
      if (!this.#watched.matches(file)) return;
      const stat = statOf(file);
      if (!stat?.isFile()) return;
      files.set(file, `${stat.ino} ${stat.size} ${stat.mtimeMs}`);
    };
    const addDirectory = (directory: string) => {
      let entries: fs.Dirent[];
      try {
        entries = fs.readdirSync(directory, { withFileTypes: true });
      } catch {
        // Removed in the meantime, or unreadable.
        return;
      }
      directories.add(directory);
      for (const entry of entries) {
        const file = path.join(directory, entry.name);
        if (!entry.isDirectory()) addFile(file);
        else if (!SKIPPED_DIRECTORIES.includes(entry.name)) addDirectory(file);
      }
    };
    for (const root of this.#watched.roots) {
      if (isDirectoryPath(root)) {
        addDirectory(root);
        continue;
      }
      // Watches the directory, because replacing a file ends a watch on it.
      if (isDirectoryPath(path.dirname(root))) {
        directories.add(path.dirname(root));
      }
      addFile(root);
    }
    return { directories, files };
  }
}

function isDirectoryPath(file: string): boolean {
  return statOf(file)?.isDirectory() === true;
}

/** Returns the status of a path, links followed; `undefined` if unreadable. */
function statOf(file: string): fs.Stats | undefined {
  try {
    return fs.statSync(file);
  } catch {
    return undefined;
  }
}
