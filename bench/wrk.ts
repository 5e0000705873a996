/**
 * The load generator `wrk`, on Node.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { Load } from "./throughput_ways.ts";

/** One thread is enough, and leaves the server a core of two. */
const OPTIONS = [
  "--threads",
  "1",
  "--connections",
  "50",
  "--latency",
  "--timeout",
  "10s",
];

/** The units of times, in milliseconds. */
const UNITS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
};

/**
 * Puts a load on a server.
 *
 * @param url What to request, again and again.
 * @param seconds For how long.
 * @param script The path of a script that sets what each request has.
 * @returns What was seen.
 */
export async function wrk(
  url: string,
  seconds: number,
  script?: string,
): Promise<Load> {
  const scripts = script === undefined ? [] : ["--script", script];
  const args = [...OPTIONS, "--duration", `${seconds}s`, ...scripts, url];
  const child = spawn("wrk", args, { stdio: ["ignore", "pipe", "inherit"] });
  const [output, [status]] = await Promise.all([
    text(child.stdout),
    once(child, "exit"),
  ]);
  if (status !== 0) throw new Error(`wrk failed, see above:\n${output}`);
  return parseWrk(output);
}

/**
 * Parses what `wrk --latency` prints.
 *
 * @param output What it printed.
 * @returns The numbers in it.
 */
export function parseWrk(output: string): Load {
  const find = (pattern: RegExp) => {
    const found = pattern.exec(output);
    if (found !== null) return found;
    throw new Error(`Reading what wrk says: expected ${pattern}:\n${output}`);
  };
  const percentile = (percent: number) => {
    const [, value, unit] = find(
      new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s|m) *$`, "m"),
    );
    return Number(value) * UNITS[unit!]!;
  };
  // Both lines are there only if something failed.
  const failures = [
    ...output.match(/^ +Socket errors: .*/m)?.[0].match(/\d+/g) ?? [],
    ...output.match(/^ +Non-2xx or 3xx responses: .*/m)?.[0].match(/\d+$/) ??
      [],
  ];
  return {
    requestsPerSecond: Number(find(/^Requests\/sec: +([\d.]+)$/m)[1]),
    p50: percentile(50),
    p99: percentile(99),
    errors: failures.reduce((sum, count) => sum + Number(count), 0),
  };
}
