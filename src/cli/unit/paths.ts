/**
 * Whether a service can reach the files that it needs.
 *
 * @module
 */

import { quote } from "../../core/errors.ts";
import { builtin } from "../../runtime/builtin.ts";
import type { Disk } from "../shared/disk.ts";

/** What `ProtectHome=yes` hides. */
const HOME = /^\/(?:home|root|run\/user)\//;

/** What `PrivateTmp=yes` hides. */
const TEMPORARY = /^\/(?:var\/)?tmp\//;

/** Whether a path, or what it leads to, is in somebody's home. */
export function isInHome(path: string, disk: Disk): boolean {
  return HOME.test(`${path}/`) || HOME.test(`${disk.realPath(path)}/`);
}

/**
 * Finds paths that a service can't reach.
 *
 * @param paths The absolute paths that it needs.
 * @param disk What is there.
 * @param user Who it runs as; a user that only it has without.
 * @returns A warning for each.
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
        `${quote(path)} is in a folder for temporary files, of which the ` +
          `service has its own (PrivateTmp=yes): move it, to /opt for example`,
      );
      continue;
    }
    const closed = user === undefined ? firstClosed(real, disk) : undefined;
    if (closed === undefined) continue;
    warnings.push(
      `${quote(path)} can't be read by the service's user: ` +
        (closed === real
          ? `others may not read it: change that, or set --user`
          : `others may not enter ${quote(closed)}: move it, to /opt for ` +
            `example, or set --user`),
    );
  }
  return warnings;
}

const OTHERS_READ = 0o4;
const OTHERS_ENTER = 0o1;

/** The first part of a path that keeps others out. */
function firstClosed(path: string, disk: Disk): string | undefined {
  const { dirname } = builtin("node:path").posix;
  const folders: string[] = [];
  for (let at = dirname(path); at !== "/"; at = dirname(at)) {
    folders.unshift(at);
  }
  const isOpen = (at: string, bit: number) => {
    const status = disk.status(at);
    return status === undefined || (status.mode & bit) !== 0;
  };
  return folders.find((at) => !isOpen(at, OTHERS_ENTER)) ??
    (isOpen(path, OTHERS_READ) ? undefined : path);
}
