/**
 * The verb `run`: binds sockets and runs a command with them.
 *
 * @module
 */

import process from "node:process";
import { quote } from "../../core/errors.ts";
import { openSocketCalls } from "../../ffi/sockets.ts";
import {
  bestBinder,
  bindSockets,
  type HeldSockets,
} from "../activator/bind.ts";
import type { Binder } from "../activator/binder.ts";
import { serveConnections } from "../activator/connections.ts";
import { hideInherited } from "../activator/inherited.ts";
import { type NamedDescriptor, spawnActivated } from "../activator/launch.ts";
import { killRunning, RunningCommand } from "../activator/running_command.ts";
import { Signals } from "../activator/signals.ts";
import { disk, findProgram } from "../shared/disk.ts";
import { formatSocketAddress } from "../shared/socket_spec.ts";
import { type Io, UsageError, type Verb } from "../shared/verb.ts";
import { readEnvFiles } from "./env_file.ts";
import { RUN_HELP } from "./help.ts";
import { readRunOptions, type RunOptions } from "./options.ts";
import { supervise } from "./supervisor.ts";
import { watchedFiles } from "./watched_files.ts";
import { Watcher } from "./watcher.ts";

/** The verb `run`. */
export const runVerb: Verb = {
  name: "run",
  summary: "Bind sockets, and run a command with them",
  help: RUN_HELP,
  run,
};

async function run(args: readonly string[], io: Io): Promise<number> {
  const options = readRunOptions(args, io.cwd, io.env);
  const report = (text: string) => io.stderr.write(`listenfds: ${text}\n`);
  const calls = openSocketCalls();
  const binder = bestBinder(calls);
  // As in the runtimes' --env-file: variables that are already set stay.
  const readEnv = () => ({ ...readEnvFiles(options.envFiles), ...io.env });
  requireProgram(options.command[0]!, readEnv()["PATH"], io.cwd);
  for (const note of options.notes) report(note);
  checkBinder(binder, options, report);
  const signals = new Signals();
  process.on("exit", killRunning);
  try {
    const held = await bindSockets(options.specs, {
      cwd: io.cwd,
      willAccept: options.accept,
      binder,
    });
    try {
      for (const line of describeSockets(held)) report(line);
      hideInherited(calls);
      const start = (descriptors: readonly NamedDescriptor[], env = {}) =>
        new RunningCommand(
          spawnActivated(options.command, descriptors, {
            env: { ...readEnv(), ...env },
            inheritsEnvironment: false,
            cwd: io.cwd,
            detached: true,
          }),
        );
      const { stopTimeoutMs, maxConnections } = options;
      return options.accept
        ? await serveConnections({
          held,
          start: (fd, env) => start([{ name: "connection", fd }], env),
          signals,
          stopTimeoutMs,
          maxConnections,
          report,
        })
        : await superviseCommand(options, held, start, signals, io.cwd, report);
    } finally {
      await held.close();
    }
  } finally {
    killRunning();
    process.off("exit", killRunning);
    signals.close();
  }
}

function requireProgram(
  program: string,
  searchPath: string | undefined,
  cwd: string,
): void {
  const result = findProgram(program, { disk, cwd, searchPath });
  if ("path" in result) return;
  throw new UsageError(
    `Starting ${quote(program)}: ${result.problem}: give a program of this ` +
      `machine`,
  );
}

/** Refuses what the binder can't do, and reports settings that it ignores. */
function checkBinder(
  binder: Binder,
  { specs, lazy }: RunOptions,
  report: (text: string) => void,
): void {
  for (const { name, address, settings = {} } of specs) {
    if (!binder.canBind(address.kind)) {
      throw new UsageError(
        `Binding ${quote(name)}: this runtime can't create a ${address.kind} ` +
          `socket: use Node 26, Bun or Deno, on Linux`,
      );
    }
    for (const setting of binder.ignoredSettings(settings)) {
      report(
        `${quote(name)}: the option ${setting} is not supported on this ` +
          `runtime, and has no effect`,
      );
    }
  }
  if (lazy && !binder.seesWaiting) {
    throw new UsageError(
      "Waiting for a client: this runtime can't detect waiting connections: " +
        'use Linux, or leave out "--lazy"',
    );
  }
}

/** Describes where each socket is bound. */
function describeSockets({ specs, ports }: HeldSockets): string[] {
  return specs.map(({ name, address }, index) => {
    const bound = "port" in address
      ? { ...address, port: ports[index] ?? address.port }
      : address;
    return `${quote(name)} at ${formatSocketAddress(bound)}`;
  });
}

async function superviseCommand(
  options: RunOptions,
  held: HeldSockets,
  start: (descriptors: readonly NamedDescriptor[]) => RunningCommand,
  signals: Signals,
  cwd: string,
  report: (text: string) => void,
): Promise<number> {
  const { watch, lazy, command, envFiles, stopTimeoutMs } = options;
  const descriptors = held.specs.map(({ name }, index) => ({
    name,
    fd: held.fds[index]!,
  }));
  const changes = watch === undefined
    ? undefined
    : new Watcher(watchedFiles(watch, command, cwd, envFiles), report);
  try {
    return await supervise({
      start() {
        held.makeBlocking();
        return start(descriptors);
      },
      signals,
      stopTimeoutMs,
      report,
      ...(changes !== undefined && { changes }),
      ...(lazy && { isWaiting: () => held.isWaiting() }),
    });
  } finally {
    changes?.close();
  }
}
