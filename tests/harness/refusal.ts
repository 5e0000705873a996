/** What `listenfds run` refuses, and what a killed program leaves. */

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type Program, type SpawnSettings, startProgram } from "./program.ts";
import type { Run } from "./run.ts";

/** A command that would leave a file, if it were started. */
export const NEVER_STARTED: readonly string[] = [
  "/bin/sh",
  "-c",
  "echo started > started",
];

/** Checks that it ends with status 2 and one line, which says what is wrong. */
export async function assertRefuses(run: Run, expected: RegExp): Promise<void> {
  assert.equal(await run.exited, 2, run.stderr);
  assert.equal(run.stdout, "");
  assert.match(run.stderr, expected);
  assert.match(run.stderr, /^listenfds run: [^\n]+[^.\n]\n$/);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(run.stderr.trimEnd(), /[\x00-\x1f\x7f-\x9f]/);
}

/** Starts a program that listens on a path, as it is given. */
export async function holdSocket(
  t: TestContext,
  file: string,
  settings?: SpawnSettings,
): Promise<Program> {
  const script = "import socket, sys, time\n" +
    "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()\n" +
    "print('bound', flush=True); time.sleep(1000)";
  const program = startProgram(t, ["python3", "-c", script, file], settings);
  await program.until("the socket", () => program.stdout !== "");
  return program;
}

/** A socket that a killed program left, without a listener. */
export async function leaveSocket(t: TestContext, file: string): Promise<void> {
  const program = await holdSocket(t, file);
  program.process.kill("SIGKILL");
  await program.exited;
}
