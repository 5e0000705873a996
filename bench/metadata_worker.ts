/**
 * Times reading the metadata of the listeners that it inherits, on the runtime
 * that it is run on, and prints the results as JSON:
 *
 *     node bench/metadata_worker.ts PREFIX
 *
 * Each listener's address is the prefix and the descriptor's name: `127.0.0.1:`
 * and a port, or `@` and the rest of an abstract name.
 */

import fs from "node:fs";
import process from "node:process";
import { formatAddress } from "../src/core/address.ts";
import type { Inspector } from "../src/core/info.ts";
import {
  LISTEN_FDS_START,
  parseListenEnvironment,
} from "../src/core/environment.ts";
import { openLibc } from "../src/ffi/libc.ts";
import { libcInspector } from "../src/linux/libc_inspector.ts";
import { procInspector } from "../src/linux/proc_inspector.ts";
import { currentPlatform } from "../src/runtime/current.ts";
import { procReader } from "../src/runtime/proc_reader.ts";
import { medianTimes } from "./median_times.ts";

/** The time that reading the metadata of some descriptors took. */
export interface Reading {
  /** What they were read from: `libc` or `/proc`. */
  readonly source: string;
  /** How many descriptors: all that there were. */
  readonly count: number;
  /** The median time of reading them all. */
  readonly milliseconds: number;
}

/** The most first: the compilers are done when the fewest are timed. */
const COUNTS = [1000, 100, 10, 1];

const runtime = currentPlatform();

/** The names of the descriptors, in order. */
function inheritedNames(): readonly string[] {
  const { pid } = process;
  const environment = parseListenEnvironment(runtime.readVariables(), { pid });
  if (environment.kind !== "activated" || environment.names === undefined) {
    throw new Error(`Reading the variables: found ${environment.kind}`);
  }
  return environment.names;
}

/** Only what is read rightly is worth timing. */
function check(
  inspector: Inspector,
  fds: readonly number[],
  expected: readonly string[],
): void {
  inspector.inspect(fds).forEach((info, at) => {
    const found = `${info.kind} ${formatAddress(info.address)}`;
    if (found === expected[at]) return;
    throw new Error(
      `Reading descriptor ${fds[at]}: expected ${expected[at]}, found ${found}`,
    );
  });
}

const prefix = process.argv[2]!;
const names = inheritedNames();
const fds = names.map((_, at) => LISTEN_FDS_START + at);
const expected = names.map((name) => `stream-listener ${prefix}${name}`);
const libc = openLibc();
const sources: readonly (readonly [string, Inspector])[] = [
  ...(libc ? [["libc", libcInspector(libc)] as const] : []),
  ["/proc", procInspector(procReader)],
];

const readings: Reading[] = [];
for (const count of COUNTS) {
  // Those that are not read are closed: the kernel would list them, so that
  // finding one would take as long as finding many.
  for (const fd of fds.splice(count)) {
    if (libc === undefined) fs.closeSync(fd);
    else libc.close(fd);
  }
  for (const [, inspector] of sources) check(inspector, fds, expected);
  const times = medianTimes(
    sources.map(([source, inspector]) => [
      source,
      () => inspector.inspect(fds),
    ]),
  );
  for (const [source, milliseconds] of times) {
    readings.push({ source, count, milliseconds });
  }
}
console.log(JSON.stringify(readings));
