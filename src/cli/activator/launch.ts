/**
 * Starts a program with descriptors from 3 on, and the variables that name them.
 *
 * @module
 */

import {
  type ChildProcess,
  spawn,
  type StdioOptions,
} from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";

/** A descriptor to hand over. */
export interface NamedDescriptor {
  /** The name. */
  readonly name: string;
  /** The descriptor's number in this process. */
  readonly fd: number;
}

/** How {@linkcode spawnActivated} starts a program. */
export interface SpawnOptions {
  /** Standard input, output and error; inherited by default. */
  readonly stdio?: readonly ["pipe" | "inherit" | "ignore", ...unknown[]];
  /** Changes to the environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Whether to begin with this process's environment; that is the default. */
  readonly inheritsEnvironment?: boolean;
  /** The folder that it is started in. */
  readonly cwd?: string;
  /** Whether it leads a process group (and a session) of its own. */
  readonly detached?: boolean;
}

/** The shell that becomes the program. */
const SHELL = "/bin/sh";
/** What Deno tells programs of the descriptors: a Deno would take them. */
const FORGET = "unset DENO_EXTRA_STDIO_FDS; ";

/**
 * Starts a program with descriptors from 3 on, and the variables that name
 * them.
 *
 * @param command The program and its arguments.
 * @param descriptors What to hand over, in order.
 * @param options How to start it.
 * @returns The process; its id is the program's own.
 */
export function spawnActivated(
  command: readonly string[],
  descriptors: readonly NamedDescriptor[],
  options: SpawnOptions = {},
): ChildProcess {
  // LISTEN_PID must be the program's own id, which only the process itself
  // knows before the program starts: a shell sets it and becomes the program.
  const script = `${FORGET}LISTEN_PID=$$; export LISTEN_PID; exec "$@"`;
  const { stdio = ["inherit", "inherit", "inherit"], cwd, detached } = options;
  return spawn(SHELL, ["-c", script, "sh", ...command], {
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

/** Not every runtime leaves out what is undefined. */
function withoutUndefined(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]]
    ),
  );
}

/**
 * Finds the program of a command, as `exec` does.
 *
 * @param program Its name, or a path with a slash.
 * @param searchPath The `PATH` that it is looked for in.
 * @param cwd The folder that relative paths are taken from.
 * @returns What is wrong with it; `undefined` if it can be started.
 */
export function whyNotExecutable(
  program: string,
  searchPath: string | undefined,
  cwd: string,
): string | undefined {
  const candidates = program.includes("/")
    ? [path.resolve(cwd, program)]
    : (searchPath ?? "/usr/local/bin:/usr/bin:/bin").split(":")
      .map((folder) => path.resolve(cwd, folder, program));
  let reason = program.includes("/")
    ? "there is no such file"
    : "it is in no folder of PATH";
  if (program === "") return reason;
  for (const candidate of candidates) {
    let stat: fs.Stats;
    try {
      stat = fs.statSync(candidate);
    } catch {
      continue;
    }
    if (stat.isDirectory()) {
      reason = "it is a folder";
      continue;
    }
    try {
      fs.accessSync(candidate, fs.constants.X_OK);
      return undefined;
    } catch {
      reason = "it is not executable";
    }
  }
  return reason;
}
