/**
 * Basic metadata of descriptors from `fstat(2)` through `node:fs`, on every
 * system.
 *
 * @module
 */

import type { BigIntStats } from "node:fs";
import type { DescriptorInfo, Inspector } from "../core/info.ts";
import { fileKind } from "../linux/file_kind.ts";
import { builtin } from "./builtin.ts";

/**
 * The inspector for systems without `/proc` and a known C library. It doesn't
 * suit Deno, whose `node:fs` accepts only descriptors that Deno opened.
 */
export const statInspector: Inspector = {
  inspect: (fds) => fds.map(inspectByStat),
  inspectPath: () => undefined,
};

function inspectByStat(fd: number): DescriptorInfo {
  let stat: BigIntStats;
  try {
    stat = builtin("node:fs").fstatSync(fd, { bigint: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { kind: code === "EBADF" ? "closed" : "unknown" };
  }
  const { ino: inode, dev: device, rdev: specialDevice } = stat;
  if (stat.isSocket()) return { kind: "socket", inode };
  return { kind: fileKind(Number(stat.mode)), inode, device, specialDevice };
}
