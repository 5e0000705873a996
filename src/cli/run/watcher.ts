/**
 * Watches files for changes. Events of the operating system on directories only
 * lead to a comparison of snapshots, because events alone are inexact: some
 * come from reading a file, and files in a new directory have none.
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
import { setImmediate } from "node:timers";
import { quoteUnlessPlain } from "../../core/errors.ts";
import {
  changedFiles,
  isDirectoryPath,
  type Snapshot,
  stateOf,
  takeSnapshot,
} from "./snapshot.ts";
import type { Changes } from "./supervisor.ts";
import type { WatchedFiles } from "./watched_files.ts";

/** Time without a further change before a comparison: builds write many files. */
const QUIET_MS = 150;
/** Longest time from a change to its comparison, if changes never settle. */
const MAX_WAIT_MS = 3000;
/** Interval of comparisons after watching has failed. */
const FALLBACK_POLL_MS = 1000;

/** Reports changes to files from its creation until it is closed. */
export class Watcher implements Changes {
  readonly #watched: WatchedFiles;
  readonly #report: (text: string) => void;
  readonly #watches = new Map<string, fs.FSWatcher>();
  #snapshot: Snapshot;
  /** States of changed files since the last comparison. */
  readonly #pending = new Map<string, string | undefined>();
  /** Time of the first change since the last comparison. */
  #pendingSince: number | undefined;
  #quiet: ReturnType<typeof setTimeout> | undefined;
  /** Whether the wait ends because changes don't settle. */
  #isLastWait = false;
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
    this.#endWait();
    if (!this.#hasChanged) return;
    this.#hasChanged = false;
    this.#change = Promise.withResolvers();
  }

  /** Stops watching. */
  close(): void {
    this.#isClosed = true;
    this.#endWait();
    clearInterval(this.#poll);
    for (const watch of this.#watches.values()) watch.close();
  }

  /** Takes a snapshot, and watches exactly its directories. */
  #updateSnapshot(): Snapshot {
    for (;;) {
      const snapshot = takeSnapshot(this.#watched);
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
      const watch = fs.watch(directory, (type, name) => {
        this.#onEvent(type, directory, name);
      });
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
    if (!fs.existsSync(directory) || this.#isClosed) return this.#wait();
    if (this.#poll !== undefined) return;
    this.#report(
      `watching ${quoteUnlessPlain(directory)} failed (${
        error.code ?? error.message
      }): checking ` +
        `for changes each second`,
    );
    this.#poll = setInterval(() => this.#compare(), FALLBACK_POLL_MS);
  }

  #onEvent(type: string, directory: string, name: string | null): void {
    const file = path.resolve(directory, name ?? "");
    if (this.#isNewChange(file)) return this.#wait();
    // Deno reports a file that replaces another by its earlier name only.
    if (name === null || (type === "rename" && !fs.existsSync(file))) {
      this.#wait(false);
    }
  }

  /** Returns true for a new change of a watched file or directory. */
  #isNewChange(file: string): boolean {
    if (this.#watched.matches(file)) {
      const state = stateOf(file);
      const isPending = this.#pending.has(file);
      const known = isPending
        ? this.#pending.get(file)
        : this.#snapshot.files.get(file);
      if (state === known) return false;
      this.#pending.set(file, state);
      return true;
    }
    if (this.#snapshot.directories.has(file)) return true;
    if (this.#watched.skips(file) || !isDirectoryPath(file)) return false;
    this.#watchNew(file);
    return true;
  }

  /** Watches a new directory at once, so that its files delay the comparison. */
  #watchNew(directory: string): void {
    const part = { ...this.#watched, roots: [directory] };
    for (const each of takeSnapshot(part).directories) {
      if (!this.#watches.has(each)) this.#watch(each);
    }
  }

  /**
   * Compares when changes have settled.
   *
   * @param isChange False for an event that may be none, and delays nothing.
   */
  #wait(isChange = true): void {
    if (this.#isClosed || (!isChange && this.#quiet !== undefined)) return;
    const now = performance.now();
    this.#pendingSince ??= now;
    const remainingMs = this.#pendingSince + MAX_WAIT_MS - now;
    // The last comparison isn't put off.
    if (remainingMs <= QUIET_MS && this.#isLastWait) return;
    this.#isLastWait = remainingMs <= QUIET_MS;
    clearTimeout(this.#quiet);
    const timer = setTimeout(
      // First the events that came while this process didn't run.
      () => setImmediate(() => this.#quiet === timer && this.#compare()),
      Math.max(0, Math.min(QUIET_MS, remainingMs)),
    );
    this.#quiet = timer;
  }

  #endWait(): void {
    clearTimeout(this.#quiet);
    this.#isLastWait = false;
    this.#quiet = undefined;
    this.#pendingSince = undefined;
    this.#pending.clear();
  }

  #compare(): void {
    const before = this.#snapshot;
    this.#snapshot = this.#updateSnapshot();
    this.#endWait();
    const changed = changedFiles(before, this.#snapshot);
    if (changed.length === 0) return;
    this.#hasChanged = true;
    this.#change.resolve(describeChange(changed, this.#watched.cwd));
  }
}

/** Describes changed files, such as `app.ts and 3 more`. */
function describeChange(files: readonly string[], cwd: string): string {
  const [first, ...others] = files;
  const name = quoteUnlessPlain(path.relative(cwd, first!));
  return others.length === 0 ? name : `${name} and ${others.length} more`;
}
