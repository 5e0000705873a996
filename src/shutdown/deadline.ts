/**
 * A time limit that can be awaited.
 *
 * @module
 */

/** The longest delay that `setTimeout` takes. */
const MAX_DELAY_MS = 2 ** 31 - 1;

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
