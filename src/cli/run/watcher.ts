/**
 * Watches files for changes: by what the operating system tells of each folder,
 * and then by looking at the files, since it tells too much (files that were
 * read) and too little (which file of a folder that is new).
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
import type { Changes } from "./supervisor.ts";
import { SKIPPED_FOLDERS, type WatchedFiles } from "./watched_files.ts";

/** How long it has to be quiet: editors and builds write several files. */
const QUIET_MILLISECONDS = 100;
/** How often to look where the operating system can't tell. */
const POLL_MILLISECONDS = 1000;

/** What there is: the folders, and what tells each file from its past. */
interface Snapshot {
  readonly folders: ReadonlySet<string>;
  readonly files: ReadonlyMap<string, string>;
}

/** Changes to files, from when it is made until it is closed. */
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

  /**
   * Begins to watch.
   *
   * @param watched What to watch.
   * @param report Tells a person what can't be done.
   */
  constructor(watched: WatchedFiles, report: (text: string) => void) {
    this.#watched = watched;
    this.#report = report;
    this.#snapshot = this.#look();
  }

  next(): Promise<string> {
    return this.#change.promise;
  }

  clear(): void {
    // Looks itself: what changed before now must not count as a change later.
    this.#snapshot = this.#look();
    if (!this.#hasChanged) return;
    this.#hasChanged = false;
    this.#change = Promise.withResolvers();
  }

  /** Ends it. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#quiet);
    clearInterval(this.#poll);
    for (const watch of this.#watches.values()) watch.close();
  }

  /** Takes a snapshot, with a watch on every folder that is in it. */
  #look(): Snapshot {
    for (;;) {
      const snapshot = this.#takeSnapshot();
      const added = [...snapshot.folders].filter((each) =>
        !this.#watches.has(each)
      );
      for (const folder of added) this.#watch(folder);
      for (const [folder, watch] of this.#watches) {
        if (snapshot.folders.has(folder)) continue;
        watch.close();
        this.#watches.delete(folder);
      }
      // What was made in a folder before it was watched is seen again.
      if (added.length === 0 || this.#poll !== undefined) return snapshot;
    }
  }

  #watch(folder: string): void {
    if (this.#poll !== undefined) return;
    try {
      const watch = fs.watch(folder, () => this.#onEvent());
      watch.on("error", (error) => this.#onError(folder, error));
      this.#watches.set(folder, watch);
    } catch (error) {
      this.#onError(folder, error as NodeJS.ErrnoException);
    }
  }

  #onError(folder: string, error: NodeJS.ErrnoException): void {
    this.#watches.get(folder)?.close();
    this.#watches.delete(folder);
    // A folder that is gone is no longer watched: that is all.
    if (!fs.existsSync(folder) || this.#isClosed) return this.#onEvent();
    if (this.#poll !== undefined) return;
    this.#report(
      `watching ${folder} failed (${error.code ?? error.message}): looking ` +
        `for changes each second`,
    );
    this.#poll = setInterval(() => this.#compare(), POLL_MILLISECONDS);
  }

  #onEvent(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#compare(), QUIET_MILLISECONDS);
  }

  #compare(): void {
    const before = this.#snapshot.files;
    this.#snapshot = this.#look();
    const after = this.#snapshot.files;
    const changed = [...before.keys(), ...after.keys()].find((file) =>
      before.get(file) !== after.get(file)
    );
    if (changed === undefined) return;
    this.#hasChanged = true;
    this.#change.resolve(path.relative(this.#watched.cwd, changed));
  }

  #takeSnapshot(): Snapshot {
    const folders = new Set<string>();
    const files = new Map<string, string>();
    const addFile = (file: string) => {
      if (!this.#watched.matches(file)) return;
      const stat = statOf(file);
      if (!stat?.isFile()) return;
      files.set(file, `${stat.ino} ${stat.size} ${stat.mtimeMs}`);
    };
    const addFolder = (folder: string) => {
      let entries: fs.Dirent[];
      try {
        entries = fs.readdirSync(folder, { withFileTypes: true });
      } catch {
        // Gone in the meantime, or not to be read.
        return;
      }
      folders.add(folder);
      for (const entry of entries) {
        const file = path.join(folder, entry.name);
        if (!entry.isDirectory()) addFile(file);
        else if (!SKIPPED_FOLDERS.includes(entry.name)) addFolder(file);
      }
    };
    for (const root of this.#watched.roots) {
      if (isFolder(root)) {
        addFolder(root);
        continue;
      }
      // Its folder: a file that is replaced can't be watched itself.
      if (isFolder(path.dirname(root))) folders.add(path.dirname(root));
      addFile(root);
    }
    return { folders, files };
  }
}

function isFolder(file: string): boolean {
  return statOf(file)?.isDirectory() === true;
}

/** What a path leads to; `undefined` if nothing, or if that can't be told. */
function statOf(file: string): fs.Stats | undefined {
  try {
    return fs.statSync(file);
  } catch {
    return undefined;
  }
}
