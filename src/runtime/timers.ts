/**
 * Waiting for a time, and for a time limit.
 *
 * @module
 */

import { callUnlessEnded, isEvaluatedAgain } from "./builtin.ts";

/** The longest delay that `setTimeout` takes. */
export const MAX_DELAY_MS: number = 2 ** 31 - 1;

/** Resolves after a time. */
export function delay(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

/** Calls a function after a time, unless the process has ended by then. */
export function callLater(call: () => void, delayMs: number): void {
  const limitedMs = Math.min(delayMs, MAX_DELAY_MS);
  // `bun --hot` keeps the process, and calls no timer that doesn't keep it, too.
  if (isEvaluatedAgain()) setTimeout(call, limitedMs);
  else callUnlessEnded(call, limitedMs);
}

/** A point in time after which something is given up. */
export class Deadline {
  readonly reached: Promise<void>;
  isReached = false;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(timeoutMs: number) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.reached = promise;
    this.#timer = setTimeout(() => {
      this.isReached = true;
      resolve();
    }, Math.min(timeoutMs, MAX_DELAY_MS));
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }
}

/** Waits for a promise, but no longer than a time. */
export async function waitAtMost(
  limitMs: number,
  promise: Promise<unknown>,
): Promise<void> {
  const limit = new Deadline(limitMs);
  await Promise.race([promise, limit.reached]);
  limit.cancel();
}
