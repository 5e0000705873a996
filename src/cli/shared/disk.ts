/**
 * What the command reads of the file system; injected, so that it is tested
 * without one.
 *
 * @module
 */

import { builtin } from "../../runtime/builtin.ts";

/** Looks at files. */
export interface Disk {
  /** What a path leads to; `undefined` if that can't be told. */
  status(path: string): DiskStatus | undefined;
  /** Whether a path leads to a file that may be executed. */
  isExecutable(path: string): boolean;
  /** The path without symbolic links; the same if it leads nowhere. */
  realPath(path: string): string;
  /** The first bytes of a file, as Latin-1; empty if it can't be read. */
  start(path: string): string;
}

/** What a path leads to. */
export interface DiskStatus {
  readonly isFile: boolean;
  readonly isFolder: boolean;
  /** The permissions, as in `chmod(1)`. */
  readonly mode: number;
}

/** Where a command is typed. */
export interface Place {
  /** What is there. */
  readonly disk: Disk;
  readonly cwd: string;
  /** The variable `PATH`. */
  readonly path: string | undefined;
}

const START_BYTES = 256;

/** The real file system. */
export const disk: Disk = {
  status(path) {
    try {
      const stat = builtin("node:fs").statSync(path);
      return {
        isFile: stat.isFile(),
        isFolder: stat.isDirectory(),
        mode: stat.mode & 0o7777,
      };
    } catch {
      return undefined;
    }
  },
  isExecutable(path) {
    const fs = builtin("node:fs");
    try {
      fs.accessSync(path, fs.constants.X_OK);
      return fs.statSync(path).isFile();
    } catch {
      return false;
    }
  },
  realPath(path) {
    try {
      return builtin("node:fs").realpathSync(path);
    } catch {
      return path;
    }
  },
  start(path) {
    const fs = builtin("node:fs");
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
