/**
 * Reading `/proc` through `node:fs`, which all three runtimes have.
 *
 * @module
 */

import type { BigIntStats } from "node:fs";
import type { FileKind } from "../core/info.ts";
import type { ProcReader } from "../linux/proc_inspector.ts";
import { builtin } from "./builtin.ts";

const CHUNK_BYTES = 64 * 1024;

/** Reads the real `/proc`. */
export const procReader: ProcReader = {
  readLink: (path) => builtin("node:fs").readlinkSync(path),
  text: (path) => builtin("node:fs").readFileSync(path, "utf8"),
  lines: readLines,
  status(path) {
    const stat = builtin("node:fs").statSync(path, { bigint: true });
    return {
      kind: fileKind(path, stat),
      device: stat.dev,
      inode: stat.ino,
      specialDevice: stat.rdev,
    };
  },
};

function fileKind(path: string, stat: BigIntStats): FileKind {
  if (stat.isFIFO()) return "fifo";
  if (stat.isCharacterDevice()) return "character-device";
  if (!stat.isFile()) return "other";
  return isMessageQueue(path) ? "message-queue" : "file";
}

/** The type of the file system of POSIX message queues, see `statfs(2)`. */
const MQUEUE_MAGIC = 0x19800202n;

function isMessageQueue(path: string): boolean {
  const { type } = builtin("node:fs").statfsSync(path, { bigint: true });
  return type === MQUEUE_MAGIC;
}

function* readLines(path: string): Generator<string> {
  const fs = builtin("node:fs");
  const fd = fs.openSync(path, "r");
  try {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const chunk = new Uint8Array(CHUNK_BYTES);
    let rest = "";
    for (;;) {
      const bytes = fs.readSync(fd, chunk, 0, chunk.length, null);
      if (bytes === 0) break;
      const lines = (rest +
        decoder.decode(chunk.subarray(0, bytes), { stream: true })).split("\n");
      rest = lines.pop()!;
      yield* lines;
    }
    if (rest !== "") yield rest;
  } finally {
    fs.closeSync(fd);
  }
}

/** The command line of a process, where `/proc` shows it. */
export function readCommandLine(pid: number): string[] | undefined {
  try {
    return builtin("node:fs").readFileSync(`/proc/${pid}/cmdline`, "utf8")
      .split("\0").filter((word) => word !== "");
  } catch {
    return undefined;
  }
}
