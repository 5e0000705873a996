/**
 * The verb `run`: binds sockets and runs a command with them.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import process from "node:process";
import { escapeControls, quote, quoteUnlessPlain } from "../../core/errors.ts";
import { openSocketCalls } from "../../ffi/sockets.ts";
import { currentPlatform } from "../../runtime/current.ts";
import type { Platform } from "../../runtime/platform.ts";
import { ACTIVATOR_VERSIONS, isOlder } from "../../runtime/versions.ts";
import {
  bestBinder,
  bindSockets,
  type HeldSockets,
} from "../activator/bind.ts";
import type { Binder } from "../activator/binder.ts";
import { serveConnections } from "../activator/connections.ts";
import { hideInherited } from "../activator/inherited.ts";
import {
  type NamedDescriptor,
  spawnActivated,
  type SpawnOptions,
} from "../activator/launch.ts";
import { markOutput } from "../activator/marked_output.ts";
import { findServing, socketInodes } from "../activator/proc_serving.ts";
import { killRunning, RunningCommand } from "../activator/running_command.ts";
import { Signals } from "../activator/signals.ts";
import { disk, findProgram } from "../shared/disk.ts";
import { refuseLauncher } from "../shared/launchers.ts";
import { formatSocketAddress, type SocketSpec } from "../shared/socket_spec.ts";
import { type Io, UsageError, type Verb } from "../shared/verb.ts";
import { readEnvFiles } from "./env_file.ts";
import { RUN_HELP } from "./help.ts";
import { superviseInstances } from "./instances.ts";
import { readRunOptions, type RunOptions } from "./options.ts";
import { supervise, type Supervision } from "./supervisor.ts";
import { requireMatches } from "./snapshot.ts";
import { type WatchedFiles, watchedFiles } from "./watched_files.ts";
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
  requireRuntime(currentPlatform());
  const report = (text: string) =>
    io.stderr.write(`listenfds: ${escapeControls(text)}\n`);
  const calls = openSocketCalls();
  const binder = bestBinder(calls);
  // As in the runtimes' --env-file: variables that are already set stay.
  const readEnv = () => ({
    ...readEnvFiles(options.envFiles),
    ...io.env,
    ...options.variables,
  });
  requireProgram(options.command, readEnv()["PATH"], io.cwd);
  const watched = selectWatched(options, io.cwd);
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
      const spawn: Spawn = (descriptors, { env = {}, stdio } = {}) =>
        spawnActivated(options.command, descriptors, {
          env: { ...readEnv(), ...env },
          inheritsEnvironment: false,
          cwd: io.cwd,
          detached: true,
          ...(stdio !== undefined && { stdio }),
        });
      if (!options.accept) {
        return await superviseCommand(
          { options, held, spawn, signals, watched, report, io },
        );
      }
      report(`waiting for connections ${describePlace(held)}`);
      return await serveConnections({
        held,
        start: (fd, env) =>
          new RunningCommand(spawn([{ name: "connection", fd }], { env })),
        signals,
        stopTimeoutMs: options.stopTimeoutMs,
        maxConnections: options.maxConnections,
        report,
      });
    } finally {
      await held.close();
    }
  } finally {
    killRunning();
    process.off("exit", killRunning);
    signals.close();
  }
}

/** Checks that this version of the runtime passes descriptors to processes. */
function requireRuntime({ name, title, version }: Platform): void {
  const minimum = ACTIVATOR_VERSIONS[name];
  if (!isOlder(version, minimum)) return;
  throw new UsageError(
    `Passing sockets to a command: ${title} ${version} can't pass descriptors: ` +
      `run listenfds with ${title} ${minimum} or later`,
  );
}

/** Checks that a command starts a program that gets the descriptors. */
function requireProgram(
  command: readonly string[],
  searchPath: string | undefined,
  cwd: string,
): void {
  const context = { disk, cwd, searchPath };
  const program = command[0]!;
  const result = findProgram(program, context);
  const problem = "path" in result
    ? interpreterProblem(result.path)
    : result.problem;
  if (problem !== undefined) {
    throw new UsageError(
      `Starting ${quote(program)}: ${problem}: give a program of this machine`,
    );
  }
  refuseLauncher(command, context, "run");
}

/** Explains why the interpreter of a script can't start. */
function interpreterProblem(program: string): string | undefined {
  const [, interpreter] = /^#![ \t]*(\/\S+)/.exec(disk.start(program)) ?? [];
  return interpreter === undefined || disk.isExecutable(interpreter)
    ? undefined
    : `its interpreter ${quote(interpreter)} is missing or not executable`;
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

/** Selects the files of `--watch`; refuses a glob that matches nothing. */
function selectWatched(
  { watch, ignored, command, envFiles }: RunOptions,
  cwd: string,
): WatchedFiles | undefined {
  if (watch === undefined) return undefined;
  const watched = watchedFiles(
    { globs: watch, ignored, command, cwd, extraFiles: envFiles },
  );
  requireMatches(watched);
  return watched;
}

/** Returns where each socket is bound, with the ports that were chosen. */
function boundAddresses({ specs, ports }: HeldSockets): string[] {
  return specs.map(({ address }, index) =>
    formatSocketAddress(
      "port" in address
        ? { ...address, port: ports[index] ?? address.port }
        : address,
    )
  );
}

function describeSockets(held: HeldSockets): string[] {
  const addresses = boundAddresses(held);
  return held.specs.map(({ name }, index) =>
    `${quote(name)} at ${addresses[index]}`
  );
}

/** Describes the sockets, such as `on web (127.0.0.1:8080)`. */
function describePlace(held: HeldSockets): string {
  const addresses = boundAddresses(held).map(quoteUnlessPlain);
  const sockets = held.specs.map(({ name }, index) =>
    `${quoteUnlessPlain(name)} (${addresses[index]})`
  );
  return `on ${sockets.join(", ")}`;
}

/** Returns what a client sends first to the sockets. */
function describeArrival({ specs }: HeldSockets): string {
  const isDatagram = ({ address }: SocketSpec) =>
    ["udp", "unixgram", "fifo"].includes(address.kind);
  return specs.every(isDatagram)
    ? "datagram"
    : specs.some(isDatagram)
    ? "connection or datagram"
    : "connection";
}

/** Starts a process of the command. */
type Spawn = (
  descriptors: readonly NamedDescriptor[],
  options?: Pick<SpawnOptions, "env" | "stdio">,
) => ChildProcess;

/** A command with its sockets. */
interface ActivatedCommand {
  readonly options: RunOptions;
  readonly held: HeldSockets;
  readonly signals: Signals;
  readonly watched: WatchedFiles | undefined;
  readonly io: Io;
  readonly spawn: Spawn;
  report(text: string): void;
}

async function superviseCommand(
  activated: ActivatedCommand,
): Promise<number> {
  const { options, held, spawn, signals, watched, report } = activated;
  const descriptors = held.specs.map(({ name }, index) => ({
    name,
    fd: held.fds[index]!,
  }));
  const changes = watched && new Watcher(watched, report);
  const lazy = {
    isWaiting: () => held.isWaiting(),
    place: `${describeArrival(held)} ${describePlace(held)}`,
  };
  const supervision = {
    signals,
    stopTimeoutMs: options.stopTimeoutMs,
    report,
    ...(changes !== undefined && { changes }),
    ...(options.lazy && { lazy }),
  };
  try {
    if (options.instances !== undefined) {
      return await runInstances(
        activated,
        options.instances,
        descriptors,
        supervision,
      );
    }
    return await supervise({
      ...supervision,
      start() {
        held.makeBlocking();
        return new RunningCommand(spawn(descriptors));
      },
    });
  } finally {
    changes?.close();
  }
}

/** Runs several processes, whose output is marked with their numbers. */
async function runInstances(
  { held, spawn, io }: ActivatedCommand,
  count: number,
  descriptors: readonly NamedDescriptor[],
  supervision: Omit<Supervision, "start">,
): Promise<number> {
  const inodes = socketInodes(held.fds);
  const width = String(count).length;
  const outputs = new Map<number, () => Promise<void>>();
  held.makeNonBlocking();
  try {
    return await superviseInstances({
      ...supervision,
      count,
      start(instance) {
        const child = spawn(descriptors, { stdio: ["ignore", "pipe", "pipe"] });
        const mark = `${String(instance).padStart(width)} | `;
        outputs.set(instance, markOutput(child, mark, io));
        const command = new RunningCommand(child);
        return {
          command,
          serving: () => findServing(child.pid!, inodes),
        };
      },
    });
  } finally {
    await Promise.all([...outputs.values()].map((awaitEnd) => awaitEnd()));
  }
}
