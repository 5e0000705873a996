/**
 * Selects the files that `--watch` watches.
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
import { globRoot, globToRegExp } from "./glob.ts";

/** Selection of files to watch. */
export interface WatchedFiles {
  /** Base directory of paths in messages. */
  readonly cwd: string;
  /** Absolute paths of files, and of directories with everything below. */
  readonly roots: readonly string[];
  /** Returns true if a file is watched. */
  matches(file: string): boolean;
}

/** Directories whose files aren't part of the program. */
export const SKIPPED_DIRECTORIES: readonly string[] = ["node_modules", ".git"];

/**
 * Selects the files to watch.
 *
 * @param globs If empty, the directories of files in the command are watched.
 * @param extraFiles Absolute paths of further files.
 */
export function watchedFiles(
  globs: readonly string[],
  command: readonly string[],
  cwd: string,
  extraFiles: readonly string[],
): WatchedFiles {
  const patterns = globs.length > 0
    ? globs.map((glob) => toPattern(path.resolve(cwd, glob)))
    : directoriesOf(command, cwd).map((root) => ({ root, regExp: undefined }));
  return {
    cwd,
    roots: [...new Set([...patterns.map(({ root }) => root), ...extraFiles])],
    matches: (file) =>
      extraFiles.includes(file) ||
      patterns.some(({ root, regExp }) =>
        regExp === undefined ? isBelow(file, root) : regExp.test(file)
      ),
  };
}

/** Parses a glob; without a pattern, everything below its path is watched. */
function toPattern(
  glob: string,
): { root: string; regExp: RegExp | undefined } {
  const root = globRoot(glob);
  return { root, regExp: root === glob ? undefined : globToRegExp(glob) };
}

function isBelow(file: string, root: string): boolean {
  return file === root || file.startsWith(root === "/" ? "/" : `${root}/`);
}

/** Returns the directories in a command, and those of its files; else the cwd. */
function directoriesOf(command: readonly string[], cwd: string): string[] {
  const [program, ...args] = command;
  const words = args.filter((word) => word !== "" && !word.startsWith("-"));
  // An absolute path or a name in PATH means an installed program.
  if (/^\.{0,2}[^/]*\//.test(program!) && !path.isAbsolute(program!)) {
    words.unshift(program!);
  }
  const directories = words.flatMap((word) => {
    const file = path.resolve(cwd, word);
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat?.isDirectory()) return [file];
    return stat?.isFile() ? [path.dirname(file)] : [];
  });
  return directories.length > 0
    ? [...new Set(directories)]
    : [path.resolve(cwd)];
}
