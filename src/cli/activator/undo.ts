/**
 * Undoes what was done, if something later fails.
 *
 * @module
 */

/** Steps that undo what was done. */
export class Undo {
  readonly #steps: (() => void | Promise<void>)[] = [];

  /** Adds a step, which runs before all that were added earlier. */
  add(step: () => void | Promise<void>): void {
    this.#steps.push(step);
  }

  /** Runs all steps, also after one that fails. */
  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step();
      } catch {
        // The first error is the one to report.
      }
    }
  }
}
