/**
 * Output of several commands on the same streams: each line begins with the name
 * of its command.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import type { Io, Output } from "../shared/verb.ts";

/** A longer line is written in parts, because a program may never end it. */
const MAX_LINE_LENGTH = 64 * 1024;

/** Time for output that comes after the end of a command. */
const LATE_OUTPUT_MS = 500;

/**
 * Writes the output of a command, line by line.
 *
 * @param mark Begins each line.
 * @returns A function that waits, after the end of the command, until all of its
 * output was written.
 */
export function markOutput(
  { stdout, stderr }: ChildProcess,
  mark: string,
  io: Pick<Io, "stdout" | "stderr">,
): () => Promise<void> {
  const streams = [stdout!, stderr!];
  const ended = Promise.all([
    markLines(stdout!, mark, io.stdout),
    markLines(stderr!, mark, io.stderr),
  ]);
  return async () => {
    // A process that left the command's group may keep the streams open.
    const timer = setTimeout(() => {
      for (const stream of streams) stream.destroy();
    }, LATE_OUTPUT_MS);
    await ended;
    clearTimeout(timer);
  };
}

function markLines(
  stream: Readable,
  mark: string,
  output: Output,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  const write = (line: string) => output.write(`${mark}${line}\n`);
  stream.on("data", (data: Uint8Array) => {
    const lines = (rest + decoder.decode(data, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) write(line);
    if (rest.length < MAX_LINE_LENGTH) return;
    write(rest);
    rest = "";
  });
  // A stream that breaks has ended.
  stream.on("error", () => {});
  return new Promise((resolve) => {
    stream.once("close", () => {
      rest += decoder.decode();
      if (rest !== "") write(rest);
      resolve();
    });
  });
}
