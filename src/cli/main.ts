/**
 * The activator as a command:
 *
 *     node src/cli/main.ts --socket web=tcp:127.0.0.1:8080 -- COMMAND ARGS…
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { constants } from "node:os";
import { parseSocketSpec, spawnActivated, withSockets } from "./activator.ts";

const USAGE = "usage: main.ts --socket NAME=ADDRESS … -- COMMAND ARGS…";

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { socket: { type: "string", multiple: true } },
  });
  if (values.socket === undefined || positionals.length === 0) {
    throw new SyntaxError(USAGE);
  }
  const child = await withSockets(
    values.socket.map(parseSocketSpec),
    (sockets) => spawnActivated(positionals, sockets),
  );
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => child.kill(signal));
  }
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      resolve(code ?? 128 + constants.signals[signal!]);
    });
  });
}

main(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error) => {
    console.error(`listenfds: ${(error as Error).message}`);
    process.exit(2);
  },
);
