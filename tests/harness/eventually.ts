/** Waits for states that nothing announces. */

import assert from "node:assert/strict";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";

/** How much longer than on a processor of its own programs may take. */
export const SLOWNESS: number = process.env["LISTENFDS_EMULATED"] ? 5 : 1;

/** Enough for a machine under load; less than a whole test has. */
const TIMEOUT_MS = 60_000 * SLOWNESS;

/** Settings of {@linkcode eventually}. */
export interface PollOptions {
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
  /** Returns what helps to explain a failure, such as the output of a program. */
  readonly details?: () => string;
}

/** Returns whether a value is neither `undefined` nor `false`. */
export function isPresent(value: unknown): boolean {
  return value !== undefined && value !== false;
}

/**
 * Reads a state until it is accepted, and returns it.
 *
 * @param expected The state in words, as in "the request to arrive".
 * @param accept Accepts everything but `undefined` and `false` by default.
 */
export async function eventually<T>(
  expected: string,
  read: () => T | Promise<T>,
  accept: (state: T) => boolean = isPresent,
  { intervalMs = 5, timeoutMs = TIMEOUT_MS, details = () => "" }: PollOptions =
    {},
): Promise<Exclude<T, undefined>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const state = await read();
    if (accept(state)) return state as Exclude<T, undefined>;
    if (performance.now() > deadline) {
      assert.fail(
        `Waiting for ${expected}: not seen in ${timeoutMs} ms, ` +
          `last seen: ${inspect(state)}\n${details()}`,
      );
    }
    await sleep(intervalMs);
  }
}
