/**
 * What `fstat(2)` says of descriptors, through `node:fs`: little, but on every
 * system.
 *
 * @module
 */

import type { BigIntStats } from "node:fs";
import type { DescriptorInfo, Inspector } from "../core/info.ts";
import { builtin } from "./builtin.ts";

/**
 * A source for systems that have neither `/proc` nor a C library that is known
 * here. Not for Deno, whose `node:fs` knows only descriptors that Deno opened.
 */
export const statInspector: Inspector = {
  inspect: (fds) => fds.map(inspectOne),
  inspectPath: () => undefined,
};

function inspectOne(fd: number): DescriptorInfo {
  let stat: BigIntStats;
  try {
    stat = builtin("node:fs").fstatSync(fd, { bigint: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { kind: code === "EBADF" ? "closed" : "unknown" };
  }
  const { ino: inode, dev: device, rdev: specialDevice } = stat;
  if (stat.isSocket()) return { kind: "socket", inode };
  const common = { inode, device, specialDevice };
  if (stat.isFIFO()) return { kind: "fifo", ...common };
  if (stat.isCharacterDevice()) return { kind: "character-device", ...common };
  return { kind: stat.isFile() ? "file" : "other", ...common };
}
