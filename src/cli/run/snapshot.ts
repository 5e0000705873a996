/**
 * Snapshots of watched files, which show changes when they are compared.
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
import { quote } from "../../core/errors.ts";
import { UsageError } from "../shared/verb.ts";
import type { WatchedFiles } from "./watched_files.ts";

/** State of the watched files. */
export interface Snapshot {
  /** Directories whose entries can change the selection. */
  readonly directories: ReadonlySet<string>;
  /** State of each file, see {@linkcode stateOf}. */
  readonly files: ReadonlyMap<string, string>;
}

/** Takes a snapshot of the watched files. */
export function takeSnapshot(watched: WatchedFiles): Snapshot {
  const directories = new Set<string>();
  const files = new Map<string, string>();
  const addFile = (file: string) => {
    if (!watched.matches(file)) return;
    const state = stateOf(file);
    if (state !== undefined) files.set(file, state);
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
      else if (!watched.skips(file)) addDirectory(file);
    }
  };
  for (const root of watched.roots) {
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

/** Throws a {@linkcode UsageError} for a glob that matches nothing. */
export function requireMatches(watched: WatchedFiles): void {
  if (watched.globs.length === 0) return;
  const { directories, files } = takeSnapshot(watched);
  const paths = [...directories, ...files.keys()];
  for (const glob of watched.globs) {
    if (paths.some(glob.matches)) continue;
    throw new UsageError(
      `Watching ${quote(glob.text)}: nothing matches in ` +
        `${quote(watched.cwd)}: give a glob, a file or a directory that exists`,
    );
  }
}

/** Returns the files that differ, sorted. */
export function changedFiles(before: Snapshot, after: Snapshot): string[] {
  return [...new Set([...before.files.keys(), ...after.files.keys()])]
    .filter((file) => before.files.get(file) !== after.files.get(file)).sort();
}

/**
 * Returns the inode, size and modification time of a file, links followed;
 * `undefined` for anything else.
 */
export function stateOf(file: string): string | undefined {
  const stat = statOf(file);
  return stat?.isFile()
    ? `${stat.ino} ${stat.size} ${stat.mtimeMs}`
    : undefined;
}

/** Returns true for a directory, also behind a link. */
export function isDirectoryPath(file: string): boolean {
  return statOf(file)?.isDirectory() === true;
}

function statOf(file: string): fs.Stats | undefined {
  try {
    return fs.statSync(file);
  } catch {
    return undefined;
  }
}
