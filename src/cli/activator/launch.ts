/**
 * Starts a program with descriptors from 3 on and the variables that name them.
 *
 * @module
 */

import {
  type ChildProcess,
  spawn,
  type StdioOptions,
} from "node:child_process";
import process from "node:process";

/** A descriptor to pass to a program. */
export interface NamedDescriptor {
  readonly name: string;
  /** Number in this process. */
  readonly fd: number;
}

/** Options of {@linkcode spawnActivated}. */
export interface SpawnOptions {
  /** Standard input, output and error. Default: inherited. */
  readonly stdio?: readonly ["pipe" | "inherit" | "ignore", ...unknown[]];
  /** Variables to set; `undefined` removes one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** True to start with this process's environment. Default: true. */
  readonly inheritsEnvironment?: boolean;
  /** Working directory of the program. */
  readonly cwd?: string;
  /** True to start the program as leader of its own process group and session. */
  readonly detached?: boolean;
}

/**
 * LISTEN_PID is the program's own process id, which isn't known before the
 * program starts. So a shell sets the variable and then becomes the program. It
 * also unsets the variable by which a Deno child would take over the
 * descriptors.
 */
const SCRIPT = "unset DENO_EXTRA_STDIO_FDS; " +
  'LISTEN_PID=$$; export LISTEN_PID; exec "$@"';

/**
 * Starts a program with descriptors from 3 on, in order, and the variables that
 * name them.
 *
 * @returns The process; its id is the program's own.
 */
export function spawnActivated(
  command: readonly string[],
  descriptors: readonly NamedDescriptor[],
  options: SpawnOptions = {},
): ChildProcess {
  const { stdio = ["inherit", "inherit", "inherit"], cwd, detached } = options;
  return spawn("/bin/sh", ["-c", SCRIPT, "sh", ...command], {
    stdio: [...stdio, ...descriptors.map(({ fd }) => fd)] as StdioOptions,
    ...(cwd !== undefined && { cwd }),
    ...(detached !== undefined && { detached }),
    env: withoutUndefined({
      ...(options.inheritsEnvironment === false ? options.env : process.env),
      LISTEN_FDS: String(descriptors.length),
      LISTEN_FDNAMES: descriptors.map(({ name }) => name).join(":"),
      LISTEN_PIDFDID: undefined,
      ...(options.inheritsEnvironment === false ? {} : options.env),
    }),
  });
}

/** Removes undefined variables, because not every runtime does. */
function withoutUndefined(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]]
    ),
  );
}
