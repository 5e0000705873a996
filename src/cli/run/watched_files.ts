/**
 * Which files `--watch` watches.
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
import { globRoot, globToRegExp } from "./glob.ts";

/** Files to watch. */
export interface WatchedFiles {
  /** The folder that paths are shown from. */
  readonly cwd: string;
  /** The absolute paths of folders, with all below, and of files. */
  readonly roots: readonly string[];
  /** Whether a file below them counts. */
  matches(file: string): boolean;
}

/** Folders whose contents are not the command's own. */
export const SKIPPED_FOLDERS: readonly string[] = ["node_modules", ".git"];

/**
 * Tells which files belong to a command.
 *
 * @param globs What to watch; if empty, what the command names.
 * @param command The command.
 * @param cwd The folder that relative paths are taken from.
 * @param others Files to watch, too.
 */
export function watchedFiles(
  globs: readonly string[],
  command: readonly string[],
  cwd: string,
  others: readonly string[],
): WatchedFiles {
  const patterns = globs.length > 0
    ? globs.map((glob) => toPattern(path.resolve(cwd, glob)))
    : foldersOf(command, cwd).map((folder) => ({
      root: folder,
      regExp: undefined,
    }));
  return {
    cwd,
    roots: [...new Set([...patterns.map(({ root }) => root), ...others])],
    matches: (file) =>
      others.includes(file) ||
      patterns.some(({ root, regExp }) =>
        regExp === undefined ? isBelow(file, root) : regExp.test(file)
      ),
  };
}

/** What has no pattern in it is a file, or a folder with all below. */
function toPattern(
  glob: string,
): { root: string; regExp: RegExp | undefined } {
  const root = globRoot(glob);
  return { root, regExp: root === glob ? undefined : globToRegExp(glob) };
}

function isBelow(file: string, root: string): boolean {
  return file === root || file.startsWith(root === "/" ? "/" : `${root}/`);
}

/** The folders of the files, and the folders, that a command names. */
function foldersOf(command: readonly string[], cwd: string): string[] {
  const [program, ...args] = command;
  const words = args.filter((word) => word !== "" && !word.startsWith("-"));
  // A program of the machine is not what somebody works on.
  if (/^\.{0,2}[^/]*\//.test(program!) && !path.isAbsolute(program!)) {
    words.unshift(program!);
  }
  const found = words.flatMap((word) => {
    const file = path.resolve(cwd, word);
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat?.isDirectory()) return [file];
    return stat?.isFile() ? [path.dirname(file)] : [];
  });
  return found.length > 0 ? [...new Set(found)] : [path.resolve(cwd)];
}
