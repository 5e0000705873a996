/**
 * Symbolic links to the paths of sockets (`Symlinks=` in `systemd.socket(5)`).
 *
 * @module
 */

import fs from "node:fs";
import { quote } from "../../../core/errors.ts";
import { UsageError } from "../../shared/verb.ts";
import { entryAt } from "../../shared/file_entry.ts";

/** Removes this user's link to a path; refuses anything else. */
export function freeLink(link: string, file: string, action: string): void {
  const entry = entryAt(link);
  if (entry === undefined) return;
  if (!entry.isLink || !entry.isOwn || fs.readlinkSync(link) !== file) {
    throw new UsageError(
      `${action}: ${quote(link)} exists and isn't a link to this path: ` +
        `remove it, or use another path`,
    );
  }
  fs.rmSync(link);
}

/**
 * Creates a link to a path.
 *
 * @returns Removes the link, unless something else has taken its place.
 */
export function createLink(
  link: string,
  file: string,
  action: string,
): () => void {
  try {
    fs.symlinkSync(file, link);
  } catch (cause) {
    throw new UsageError(
      `${action}: creating the link ${quote(link)} failed (${
        (cause as NodeJS.ErrnoException).code
      }): use another path for the link`,
      { cause },
    );
  }
  const identity = entryAt(link)?.identity;
  return () => {
    if (entryAt(link)?.identity === identity) fs.rmSync(link, { force: true });
  };
}
