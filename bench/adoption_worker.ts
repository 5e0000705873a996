/**
 * Puts servers of the runtime's own onto all sockets that it is handed, with one
 * call for each name, and tells how long that took.
 */

import process from "node:process";
import { activation, serve } from "../mod.ts";

/** How long adopting took. */
export interface AdoptionTimes {
  /** How many sockets there were. */
  readonly count: number;
  /** For all of them. */
  readonly milliseconds: number;
}

const { names, descriptors } = activation()!;
// What is done only once, whatever the number, comes first.
await serve(names[0]!, { backend: "native" }, () => new Response());
const started = performance.now();
for (const name of new Set(names.slice(1))) {
  await serve(name, { backend: "native" }, () => new Response());
}
const milliseconds = performance.now() - started;
const times: AdoptionTimes = {
  count: descriptors.length - 1,
  milliseconds,
};
process.stdout.write(`${JSON.stringify(times)}\n`, () => process.exit());
