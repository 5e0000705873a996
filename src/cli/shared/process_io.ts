/**
 * The real world around the command.
 *
 * @module
 */

import process from "node:process";
import type { Io, Output } from "./verb.ts";

/** Makes it of the process that this is. */
export function processIo(): Io {
  return {
    stdout: outputTo(process.stdout),
    stderr: outputTo(process.stderr),
    env: process.env,
    // When it is needed: Deno asks for a permission.
    get cwd() {
      return process.cwd();
    },
  };
}

function outputTo(stream: NodeJS.WriteStream): Output {
  // Whoever read it may be gone: that is no error of what is run.
  stream.on("error", () => {});
  return {
    write: (text) => void stream.write(text),
    isTerminal: stream.isTTY === true,
  };
}
