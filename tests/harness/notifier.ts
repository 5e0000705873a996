/** The program that notifies a service manager, and does what a test asks for. */

import assert from "node:assert/strict";
import path from "node:path";
import type { TestContext } from "node:test";
import { type Host, HOSTS, ROOT } from "./hosts.ts";
import { type Environment, startProgram } from "./program.ts";

/** The program. */
export const NOTIFIER: string = path.join(ROOT, "tests/fixtures/notifier.ts");

/** Hosts that can call the C library. */
export const WITH_FFI: readonly Host[] = HOSTS.filter(({ inspects, label }) =>
  inspects && label !== "node 22" && label !== "node 24"
);

/** The outcome of an operation. */
export interface Outcome {
  readonly value?: unknown;
  readonly error?: {
    readonly name: string;
    readonly code?: string;
    readonly errno?: number;
    readonly message: string;
  };
}

/** Runs operations, and returns the outcome of each. */
export async function runNotifier(
  t: TestContext,
  host: Host,
  env: Environment,
  ...operations: readonly (readonly unknown[])[]
): Promise<Outcome[]> {
  const command = host.command(NOTIFIER, JSON.stringify(operations));
  const program = startProgram(t, command, {
    env: { NODE_NO_WARNINGS: "1", ...env },
  });
  assert.equal(await program.exited, 0, program.output);
  assert.equal(program.stderr, "");
  return program.stdout.trim().split("\n").map((line) => JSON.parse(line));
}
