/**
 * Selects the files that `--watch` watches.
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
import { compileGlob, globRoot } from "./glob.ts";

/** Selection of files to watch. */
export interface WatchedFiles {
  /** Base directory of paths in messages. */
  readonly cwd: string;
  /** Absolute paths of files, and of directories with everything below. */
  readonly roots: readonly string[];
  /** Returns true if a file is watched. */
  matches(file: string): boolean;
  /** Returns true if no file below a directory is watched. */
  skips(directory: string): boolean;
  /** Globs with their matches, each of which must match a file. */
  readonly globs: readonly Glob[];
}

/** A glob of `--watch`. */
export interface Glob {
  /** The glob as it was given. */
  readonly text: string;
  /** Returns true if an existing path matches. */
  matches(file: string): boolean;
}

/** What is watched. */
export interface WatchRequest {
  /** Globs; if empty, the source files beside and below the command's files. */
  readonly globs: readonly string[];
  /** Globs of files and directories to leave out. */
  readonly ignored: readonly string[];
  readonly command: readonly string[];
  readonly cwd: string;
  /** Absolute paths of further files. */
  readonly extraFiles: readonly string[];
}

/** Directories that no glob enters. */
const SKIPPED_DIRECTORIES: readonly string[] = ["node_modules", ".git"];

/** Directories without source files, besides those that begin with a dot. */
const GENERATED_DIRECTORIES: readonly string[] = ["coverage", "__pycache__"];

/** Endings of source files, as `nodemon` has them, and of their relatives. */
const SOURCE_EXTENSIONS: readonly string[] =
  ("ts tsx mts cts js jsx mjs cjs json jsonc html css wasm vue svelte astro " +
    "yaml yml toml").split(" ").map((name) => `.${name}`);

/** Files with variables, which Bun reads by itself. */
const ENV_FILE = /^\.env(?:\..+)?$/;

/** Selects the files to watch. */
export function watchedFiles(request: WatchRequest): WatchedFiles {
  const { globs, ignored, command, cwd, extraFiles } = request;
  const isIgnored = matcherOfIgnored(ignored, cwd);
  const selection = globs.length > 0
    ? globsSelection(globs, cwd)
    : sourceSelection(command, cwd);
  return {
    ...selection,
    cwd,
    roots: [...new Set([...selection.roots, ...extraFiles])],
    matches: (file) =>
      extraFiles.includes(file) ||
      (selection.matches(file) && !isIgnored(file)),
    skips: (directory) =>
      SKIPPED_DIRECTORIES.includes(path.basename(directory)) ||
      selection.skips(directory) || isIgnored(directory),
  };
}

type Selection = Omit<WatchedFiles, "cwd">;

/** Selects exactly what globs match. */
function globsSelection(texts: readonly string[], cwd: string): Selection {
  const globs = texts.map((text) => {
    const glob = path.resolve(cwd, text);
    const root = globRoot(glob);
    const isMatch = root === glob ? undefined : compileGlob(glob);
    return {
      text,
      root,
      // Without a pattern, everything below the path is watched.
      matches: (file: string) => isMatch?.(file) ?? isBelow(file, root),
    };
  });
  return {
    globs,
    roots: globs.map(({ root }) => root),
    matches: (file) => globs.some((glob) => glob.matches(file)),
    skips: () => false,
  };
}

/**
 * Selects the files that the command names, and source files in and below their
 * directories. The endings of named files count as those of source files.
 */
function sourceSelection(command: readonly string[], cwd: string): Selection {
  const named = namedFiles(command, cwd);
  const files = named.filter(({ isFile }) => isFile).map(({ file }) => file);
  const directories = named.map(({ file, isFile }) =>
    isFile ? path.dirname(file) : file
  );
  const roots = directories.length > 0 ? directories : [path.resolve(cwd)];
  const extensions = new Set([
    ...SOURCE_EXTENSIONS,
    ...files.map(path.extname),
  ]);
  const isSource = (file: string) => {
    const name = path.basename(file);
    if (name.startsWith(".")) return ENV_FILE.test(name);
    const extension = path.extname(name);
    return extension !== "" && extensions.has(extension);
  };
  return {
    globs: [],
    roots: [...new Set(roots)],
    matches: (file) =>
      files.includes(file) ||
      (isSource(file) && roots.some((root) => isBelow(file, root))),
    skips(directory) {
      const name = path.basename(directory);
      return !roots.includes(directory) &&
        (name.startsWith(".") || GENERATED_DIRECTORIES.includes(name));
    },
  };
}

/**
 * Returns a function that matches ignored paths and everything below them. A
 * glob without a slash matches names in each directory, as in `.gitignore`.
 */
function matcherOfIgnored(
  globs: readonly string[],
  cwd: string,
): (file: string) => boolean {
  const patterns = globs.map((text) => {
    const glob = text.replace(/\/+$/, "");
    return glob.includes("/")
      ? { isName: false, isMatch: compileGlob(path.resolve(cwd, glob)) }
      : { isName: true, isMatch: compileGlob(glob) };
  });
  return (file) =>
    patterns.some(({ isName, isMatch }) =>
      isName
        ? path.relative(cwd, file).split("/").some((name) => isMatch(name))
        : ancestors(file).some((parent) => isMatch(parent))
    );
}

/** Returns a path and those of its directories. */
function ancestors(file: string): string[] {
  const parent = path.dirname(file);
  return parent === file ? [file] : [file, ...ancestors(parent)];
}

function isBelow(file: string, root: string): boolean {
  return file === root || file.startsWith(root === "/" ? "/" : `${root}/`);
}

/** Returns the files and directories in a command. */
function namedFiles(
  command: readonly string[],
  cwd: string,
): { file: string; isFile: boolean }[] {
  const [program, ...args] = command;
  const words = args.filter((word) => word !== "" && !word.startsWith("-"));
  // An absolute path or a name in PATH means an installed program.
  if (/^\.{0,2}[^/]*\//.test(program!) && !path.isAbsolute(program!)) {
    words.unshift(program!);
  }
  return words.flatMap((word): { file: string; isFile: boolean }[] => {
    const file = path.resolve(cwd, word);
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat?.isDirectory()) return [{ file, isFile: false }];
    return stat?.isFile() ? [{ file, isFile: true }] : [];
  });
}
