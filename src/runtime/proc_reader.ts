/**
 * Reading `/proc` through `node:fs`, which all three runtimes have.
 *
 * @module
 */

import type { ProcReader } from "../linux/inspect.ts";
import { builtin } from "./builtin.ts";

const CHUNK_BYTES = 64 * 1024;

/** Reads the real `/proc`. */
export const procReader: ProcReader = {
  readLink: (path) => builtin("node:fs").readlinkSync(path),
  lines: readLines,
  fileType(path) {
    const stat = builtin("node:fs").statSync(path);
    if (stat.isFIFO()) return "fifo";
    if (stat.isFile()) return "file";
    return stat.isCharacterDevice() ? "character-device" : "other";
  },
};

function* readLines(path: string): Generator<string> {
  const fs = builtin("node:fs");
  const fd = fs.openSync(path, "r");
  try {
    const decoder = new TextDecoder();
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
