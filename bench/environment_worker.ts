/**
 * Times the parsing of an environment on the runtime that it is run on, and
 * prints the result as JSON.
 */

import { parseListenEnvironment } from "../src/core/environment.ts";
import { medianTimes } from "./median_times.ts";

/** How long parsing took, in milliseconds. */
export interface ParsingTimes {
  /** The median of many calls. */
  readonly median: number;
  /** The first call of the process: the only one that a service makes. */
  readonly first: number;
}

const PID = 4711;
const NAMES = Array.from({ length: 1000 }, (_, at) => `listener-${at}.socket`);
const VARIABLES = {
  LISTEN_PID: String(PID),
  LISTEN_FDS: String(NAMES.length),
  LISTEN_FDNAMES: NAMES.join(":"),
};

const parse = () => parseListenEnvironment(VARIABLES, { pid: PID });

const start = performance.now();
const parsed = parse();
const first = performance.now() - start;
if (
  parsed.kind !== "activated" || parsed.names?.join() !== NAMES.join()
) {
  throw new Error(`Parsing 1,000 names: found ${JSON.stringify(parsed)}`);
}
const median = medianTimes([["parse", parse]]).get("parse")!;
console.log(JSON.stringify({ median, first } satisfies ParsingTimes));
