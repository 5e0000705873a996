/**
 * The command's view of the file system, and the search for programs: injected,
 * so that both are tested without files.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

/** Reads the file system. */
export interface Disk {
  /** Returns the status of a path, links followed; `undefined` if unreadable. */
  status(path: string): FileStatus | undefined;
  /** Returns true if a path is an executable file. */
  isExecutable(path: string): boolean;
  /** Resolves symbolic links; returns a missing path unchanged. */
  realPath(path: string): string;
  /** Returns the first bytes of a file as Latin-1; `""` if unreadable. */
  start(path: string): string;
}

/** Status of a path. */
export interface FileStatus {
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  /** Permission bits, see `chmod(1)`. */
  readonly mode: number;
}

/** The shell's state when a command is typed. */
export interface ShellContext {
  readonly disk: Disk;
  readonly cwd: string;
  /** Variable `PATH`. */
  readonly searchPath: string | undefined;
  /**
   * Returns the first number of the version that a program prints; `undefined` if
   * it prints none.
   */
  readonly readVersion?: (program: string) => number | undefined;
}

const START_BYTES = 64 * 1024;

/** The real file system. */
export const disk: Disk = {
  status(path) {
    try {
      const stat = fs.statSync(path);
      return {
        isFile: stat.isFile(),
        isDirectory: stat.isDirectory(),
        mode: stat.mode & 0o7777,
      };
    } catch {
      return undefined;
    }
  },
  isExecutable(path) {
    try {
      fs.accessSync(path, fs.constants.X_OK);
      return fs.statSync(path).isFile();
    } catch {
      return false;
    }
  },
  realPath(path) {
    try {
      return fs.realpathSync(path);
    } catch {
      return path;
    }
  },
  start(path) {
    try {
      const fd = fs.openSync(path, "r");
      try {
        const bytes = new Uint8Array(START_BYTES);
        const length = fs.readSync(fd, bytes, 0, bytes.length, 0);
        return new TextDecoder("latin1").decode(bytes.subarray(0, length));
      } finally {
        fs.closeSync(fd);
      }
    } catch {
      return "";
    }
  },
};

/** Reads the version of a program, from what it prints for `--version`. */
export function readVersion(program: string): number | undefined {
  try {
    const printed = execFileSync(program, ["--version"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: VERSION_TIMEOUT_MS,
    });
    const number = /\d+/.exec(printed)?.[0];
    return number === undefined ? undefined : Number(number);
  } catch {
    return undefined;
  }
}

const VERSION_TIMEOUT_MS = 5000;

/** The shell's default if `PATH` is not set. */
const DEFAULT_SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin";

/**
 * The directory in which Bun keeps a `node` and a `bun` for the commands of `bunx`
 * and `bun run`, first in their `PATH`. The directory is a temporary one, which no
 * service sees.
 */
const BUN_DIRECTORY = /\/bun-node-[^/]+\/?$/;

/** Finds a program as `execvp(3)` does; explains why it can't start. */
export function findProgram(
  program: string,
  { disk, cwd, searchPath = DEFAULT_SEARCH_PATH }: ShellContext,
): { path: string } | { problem: string } {
  const hasSlash = program.includes("/");
  let problem = hasSlash
    ? "there is no such file"
    : "it is in no directory of PATH";
  if (program === "") return { problem };
  for (const directory of hasSlash ? [""] : searchPath.split(":")) {
    if (BUN_DIRECTORY.test(directory)) continue;
    const candidate = path.posix.resolve(cwd, directory, program);
    if (disk.isExecutable(candidate)) return { path: candidate };
    const status = disk.status(candidate);
    if (status === undefined) continue;
    problem = status.isDirectory ? "it is a directory" : "it is not executable";
  }
  return { problem };
}
