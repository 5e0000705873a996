/**
 * The kind of a file from its mode.
 *
 * @module
 */

import type { FileKind } from "../core/info.ts";
import { S_IFCHR, S_IFIFO, S_IFMT, S_IFREG } from "../ffi/constants.ts";

/** Reads the kind of a file that is no socket from `st_mode` of `stat(2)`. */
export function fileKind(mode: number): Exclude<FileKind, "message-queue"> {
  switch (mode & S_IFMT) {
    case S_IFIFO:
      return "fifo";
    case S_IFCHR:
      return "character-device";
    case S_IFREG:
      return "file";
    default:
      return "other";
  }
}
