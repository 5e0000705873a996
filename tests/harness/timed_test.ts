/** Registers tests, each with a time limit. */

import {
  test as register,
  type TestContext,
  type TestOptions,
} from "node:test";
import { SLOWNESS } from "./eventually.ts";

/** Generous for a machine under load: a test that takes longer hangs. */
const TEST_TIMEOUT_MS = 240_000 * SLOWNESS;

/** The time that each step of cleaning up has. */
export const CLEANUP: { readonly timeout: number } = {
  timeout: 60_000 * SLOWNESS,
};

type TestFunction = (t: TestContext) => unknown;

/**
 * Registers a test that fails when it takes too long. Its programs are then
 * ended, because they were registered with `t.after()`.
 */
export function test(name: string, run: TestFunction): void;
export function test(
  name: string,
  options: TestOptions,
  run: TestFunction,
): void;
export function test(
  name: string,
  options: TestOptions | TestFunction,
  run?: TestFunction,
): void {
  if (typeof options === "function") return test(name, {}, options);
  register(
    name,
    { timeout: TEST_TIMEOUT_MS, ...options },
    async (t) => void await run!(t),
  );
}
