/**
 * Runs the command in the current process.
 *
 * @module
 */

import process from "node:process";
import { main } from "./main.ts";
import { processIo } from "./shared/process_io.ts";

/** Runs the command with the process's arguments, then exits. */
export function start(): void {
  // An event loop that runs empty before main() returns isn't success.
  process.exitCode = 1;
  main(process.argv.slice(2), processIo()).then(
    (status) => process.exit(status),
    (error) => {
      console.error("listenfds:", error);
      process.exit(1);
    },
  );
}
