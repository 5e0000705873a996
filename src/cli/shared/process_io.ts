/**
 * The command's access to the current process.
 *
 * @module
 */

import process from "node:process";
import type { Io, Output } from "./verb.ts";

/** Returns input and output of the current process. */
export function processIo(): Io {
  return {
    stdout: outputTo(process.stdout),
    stderr: outputTo(process.stderr),
    env: process.env,
    // Read on demand, because Deno requires --allow-read for it.
    get cwd() {
      return process.cwd();
    },
  };
}

function outputTo(stream: NodeJS.WriteStream): Output {
  // A closed pipe (EPIPE) must not stop the command that is running.
  stream.on("error", () => {});
  return {
    write: (text) => void stream.write(text),
    isTerminal: stream.isTTY === true,
  };
}
