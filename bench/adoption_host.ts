/** Hands sockets to the worker, and passes on what it measured. */

import { once } from "node:events";
import process from "node:process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { Tool } from "../scripts/toolchain.ts";
import {
  parseSocketSpec,
  spawnActivated,
  withSockets,
} from "../src/cli/activator/activator.ts";

const { tool, counts, rounds, isOneCall } = JSON.parse(
  process.env["LISTENFDS_PLAN"]!,
) as {
  tool: Tool;
  counts: number[];
  rounds: number;
  /** Whether all sockets have one name, and are adopted by one call. */
  isOneCall: boolean;
};
const worker = fileURLToPath(new URL("adoption_worker.ts", import.meta.url));
const command = tool.runtime === "deno"
  ? [tool.path, "run", "-A", "--no-check", worker]
  : [tool.path, worker];

for (let round = 0; round < rounds; round++) {
  for (const count of counts) {
    // One more, for what is done once.
    const specs = Array.from(
      { length: count + 1 },
      (_, at) => {
        const name = at > 0 && isOneCall ? "all" : `socket${at}`;
        return parseSocketSpec(`${name}=tcp:127.0.0.1:0`);
      },
    );
    const child = await withSockets(
      specs,
      (sockets) =>
        spawnActivated(command, sockets, {
          stdio: ["ignore", "pipe", "inherit"],
        }),
    );
    const [output] = await Promise.all([
      text(child.stdout!),
      once(child, "close"),
    ]);
    process.stdout.write(output);
  }
}
