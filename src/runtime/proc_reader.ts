/**
 * Reads `/proc` through `node:fs`, which all three runtimes have.
 *
 * @module
 */

import { MQUEUE_MAGIC } from "../ffi/constants.ts";
import { fileKind } from "../linux/file_kind.ts";
import type { ProcReader } from "../linux/proc_inspector.ts";
import { builtin } from "./builtin.ts";

const CHUNK_BYTES = 64 * 1024;

/** Reads the real `/proc`. */
export const procReader: ProcReader = {
  readLink: (path) => builtin("node:fs").readlinkSync(path),
  text: (path) => builtin("node:fs").readFileSync(path, "utf8"),
  lines: readLines,
  status(path) {
    const fs = builtin("node:fs");
    const stat = fs.statSync(path, { bigint: true });
    const kind = fileKind(Number(stat.mode));
    const isQueue = kind === "file" &&
      fs.statfsSync(path, { bigint: true }).type === MQUEUE_MAGIC;
    return {
      kind: isQueue ? "message-queue" : kind,
      device: stat.dev,
      inode: stat.ino,
      specialDevice: stat.rdev,
    };
  },
};

function* readLines(path: string): Generator<string> {
  const fs = builtin("node:fs");
  const fd = fs.openSync(path, "r");
  try {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const chunk = new Uint8Array(CHUNK_BYTES);
    let partialLine = "";
    for (;;) {
      const length = fs.readSync(fd, chunk, 0, chunk.length, null);
      if (length === 0) break;
      const text = decoder.decode(chunk.subarray(0, length), { stream: true });
      const lines = (partialLine + text).split("\n");
      partialLine = lines.pop()!;
      yield* lines;
    }
    if (partialLine !== "") yield partialLine;
  } finally {
    fs.closeSync(fd);
  }
}

/** Reads the command line of a process; `undefined` if `/proc` hides it. */
export function readCommandLine(pid: number): string[] | undefined {
  return readStrings(`/proc/${pid}/cmdline`);
}

/**
 * Reads the environment with which this process was started, as `NAME=value`;
 * `undefined` if `/proc` hides it.
 */
export function readInitialEnvironment(): string[] | undefined {
  return readStrings("/proc/self/environ");
}

function readStrings(path: string): string[] | undefined {
  try {
    return builtin("node:fs").readFileSync(path, "utf8")
      .split("\0").filter((word) => word !== "");
  } catch {
    return undefined;
  }
}
