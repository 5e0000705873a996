/**
 * Runs the command in the process that this is.
 *
 * @module
 */

import process from "node:process";
import { main } from "./main.ts";
import { processIo } from "./shared/process_io.ts";

/** Runs the command with the process's arguments, and ends the process. */
export function start(): void {
  // Whatever it is that never ends well: it isn't success.
  process.exitCode = 1;
  main(process.argv.slice(2), processIo()).then(
    (status) => process.exit(status),
    (error) => {
      console.error("listenfds:", error);
      process.exit(1);
    },
  );
}
