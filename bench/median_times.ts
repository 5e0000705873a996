/**
 * Times functions, on whichever runtime this is.
 *
 * tinybench does it because it runs unchanged on Deno, Bun and Node and has no
 * dependencies of its own: what is compared between runtimes is then measured
 * in one way. `deno bench` exists on Deno only.
 *
 * @module
 */

import { Bench } from "tinybench";

/**
 * How long each sample goes on calling, at the least. A long call has its share
 * of garbage collection in it; of short ones most have none. As many as last
 * equally long have equal shares, so that their times can be compared.
 */
const SAMPLE_MILLISECONDS = 20;
const SAMPLES = 3;
const WARMUP_SAMPLES = 2;

/**
 * Times functions one after another, each warmed up before.
 *
 * @param functions The functions, each with a name.
 * @returns The time of one call of each, in milliseconds: the median of several
 * samples.
 * @throws What a function throws.
 */
export function medianTimes(
  functions: Iterable<readonly [name: string, run: () => unknown]>,
): Map<string, number> {
  const bench = new Bench({
    time: 0,
    iterations: SAMPLES,
    warmupTime: 0,
    warmupIterations: WARMUP_SAMPLES,
    throws: true,
  });
  for (const [name, run] of functions) {
    const sample = () => ({ overriddenDuration: meanTime(run) });
    bench.add(name, sample, { async: false });
  }
  return new Map(
    bench.runSync().map(({ name, result }) => {
      if (result.state !== "completed") {
        throw new Error(`Timing ${name}: expected a result: ${result.state}`);
      }
      return [name, result.latency.p50];
    }),
  );
}

/** Calls a function again and again, and tells the mean time of a call. */
function meanTime(run: () => unknown): number {
  const start = performance.now();
  for (let calls = 1;; calls++) {
    run();
    const elapsed = performance.now() - start;
    if (elapsed >= SAMPLE_MILLISECONDS) return elapsed / calls;
  }
}
