/**
 * Checks that a service can reach the files that it needs.
 *
 * @module
 */

import { quote } from "../../core/errors.ts";
import type { Disk } from "../shared/disk.ts";

/** Directories that `ProtectHome=yes` hides. */
const HOME = /^\/(?:home|root|run\/user)\//;

/** Directories that `PrivateTmp=yes` hides. */
const TEMPORARY = /^\/(?:var\/)?tmp\//;

/** Returns true if a path or its link target is in a home directory. */
export function isInHome(path: string, disk: Disk): boolean {
  return HOME.test(`${path}/`) || HOME.test(`${disk.realPath(path)}/`);
}

/**
 * Returns a warning for each absolute path that a service can't reach.
 *
 * @param user User of the service; `undefined` for `DynamicUser=yes`.
 */
export function hiddenPaths(
  paths: readonly string[],
  disk: Disk,
  user: string | undefined,
): string[] {
  const warnings: string[] = [];
  for (const path of new Set(paths)) {
    const real = disk.realPath(path);
    if (TEMPORARY.test(path) || TEMPORARY.test(real)) {
      warnings.push(
        `${quote(path)} is in a directory for temporary files, and the ` +
          `service has its own (PrivateTmp=yes): move it, to /opt for example`,
      );
      continue;
    }
    const closed = user === undefined ? firstClosed(real, disk) : undefined;
    if (closed === undefined) continue;
    warnings.push(
      `${quote(path)} can't be read by the service's user: ` +
        (closed === real
          ? `others may not read it: allow that, or set --user`
          : `others may not enter ${quote(closed)}: move it, to /opt for ` +
            `example, or set --user`),
    );
  }
  return warnings;
}

const OTHERS_READ = 0o4;
const OTHERS_ENTER = 0o1;

/** Returns the first directory that others may not enter, or the path. */
function firstClosed(path: string, disk: Disk): string | undefined {
  const isAllowed = (path: string, bit: number) => {
    const status = disk.status(path);
    return status === undefined ? undefined : (status.mode & bit) !== 0;
  };
  for (let end = path.indexOf("/", 1); end > 0;) {
    const directory = path.slice(0, end);
    const canEnter = isAllowed(directory, OTHERS_ENTER);
    if (canEnter === false) return directory;
    // Nothing is below a missing directory.
    if (canEnter === undefined) return undefined;
    end = path.indexOf("/", end + 1);
  }
  return isAllowed(path, OTHERS_READ) === false ? path : undefined;
}
