/** The world around the command, made up. */

import type { Io } from "../../../src/cli/shared/verb.ts";
import { main } from "../../../src/cli/main.ts";

/** What the command wrote, and its exit status. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command without a process. */
export async function runMain(
  args: readonly string[],
  io: Partial<Io> = {},
): Promise<Outcome> {
  const written = { stdout: "", stderr: "" };
  const status = await main(args, {
    stdout: { write: (text) => written.stdout += text, isTerminal: false },
    stderr: { write: (text) => written.stderr += text, isTerminal: false },
    env: { PATH: "/usr/bin:/bin" },
    cwd: "/",
    ...io,
  });
  return { status, ...written };
}
