/**
 * The verb `run`: binds sockets and runs a command with them.
 *
 * @module
 */

import process from "node:process";
import { quote } from "../../core/errors.ts";
import { openSocketCalls } from "../../runtime/open_sockets.ts";
import {
  bestBinder,
  bindSockets,
  type HeldSockets,
} from "../activator/bind.ts";
import { serveConnections } from "../activator/connections.ts";
import { readEnvFiles } from "./env_file.ts";
import { hideInherited } from "../activator/inherited.ts";
import { spawnActivated, whyNotExecutable } from "../activator/launch.ts";
import { readRunOptions, type RunOptions } from "./options.ts";
import { RUN_HELP } from "./help.ts";
import { killRunning, RunningCommand } from "../activator/running_command.ts";
import { Signals } from "../activator/signals.ts";
import { formatSpecAddress } from "../shared/socket_spec.ts";
import { supervise } from "./supervisor.ts";
import { type Io, UsageError, type Verb } from "../shared/verb.ts";
import { watchedFiles } from "./watched_files.ts";
import { Watcher } from "./watcher.ts";

/** The verb. */
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
  const environment = () => environmentOf(options, io);
  requireCommand(options.command[0]!, environment()["PATH"], io.cwd);
  for (const note of options.notes) report(note);
  for (const { name, address, options: setup } of options.specs) {
    if (!binder.canBind(address.kind)) {
      throw new UsageError(
        `Binding ${quote(name)}: this runtime can't make a ${address.kind} ` +
          `socket: use Node 26, Bun or Deno, on Linux`,
      );
    }
    for (const what of binder.ignoredOptions(setup ?? {})) {
      report(
        `${
          quote(name)
        }: the option ${what} can't be set by this runtime, and has no effect`,
      );
    }
  }
  if (options.lazy && !binder.seesWaiting) {
    throw new UsageError(
      "Waiting for a client: this runtime can't tell that there is one: use " +
        'Linux, or leave out "--lazy"',
    );
  }
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
      return options.accept
        ? await serve(options, held, signals, environment, io, report)
        : await keepRunning(options, held, signals, environment, io, report);
    } finally {
      await held.close();
    }
  } finally {
    killRunning();
    process.off("exit", killRunning);
    signals.close();
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

function environmentOf(options: RunOptions, io: Io): Environment {
  // As the runtimes have it: what is set already stays.
  return { ...readEnvFiles(options.envFiles), ...io.env };
}

function requireCommand(
  program: string,
  searchPath: string | undefined,
  cwd: string,
): void {
  const reason = whyNotExecutable(program, searchPath, cwd);
  if (reason !== undefined) {
    throw new UsageError(
      `Starting ${quote(program)}: ${reason}: give a program of this machine`,
    );
  }
}

/** Where each socket is bound, and which descriptor it will be. */
function describeSockets({ specs, ports }: HeldSockets): string[] {
  return specs.map(({ name, address }, at) => {
    const bound = "port" in address
      ? { ...address, port: ports[at] ?? address.port }
      : address;
    return `${quote(name)} at ${formatSpecAddress(bound)}`;
  });
}

async function keepRunning(
  options: RunOptions,
  held: HeldSockets,
  signals: Signals,
  environment: () => Environment,
  io: Io,
  report: (text: string) => void,
): Promise<number> {
  const descriptors = held.specs.map(({ name }, at) => ({
    name,
    fd: held.fds[at]!,
  }));
  const changes = options.watch === undefined ? undefined : new Watcher(
    watchedFiles(options.watch, options.command, io.cwd, options.envFiles),
    report,
  );
  try {
    return await supervise({
      start() {
        held.makeBlocking();
        return new RunningCommand(
          spawnActivated(options.command, descriptors, {
            env: environment(),
            inheritsEnvironment: false,
            cwd: io.cwd,
            detached: true,
          }),
        );
      },
      signals,
      stopTimeout: options.stopTimeout,
      report,
      ...(changes !== undefined && { changes }),
      ...(options.lazy && { isWaiting: () => held.isWaiting() }),
    });
  } finally {
    changes?.close();
  }
}

function serve(
  options: RunOptions,
  held: HeldSockets,
  signals: Signals,
  environment: () => Environment,
  io: Io,
  report: (text: string) => void,
): Promise<number> {
  return serveConnections({
    held,
    start: (fd, env) =>
      new RunningCommand(
        spawnActivated(options.command, [{ name: "connection", fd }], {
          env: { ...environment(), ...env },
          inheritsEnvironment: false,
          cwd: io.cwd,
          detached: true,
        }),
      ),
    signals,
    stopTimeout: options.stopTimeout,
    maxConnections: options.maxConnections,
    report,
  });
}
