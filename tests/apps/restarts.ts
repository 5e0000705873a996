/** Programs of frameworks that are restarted under load, by a signal. */

import type { TestContext } from "node:test";
import { bindSockets } from "../../src/cli/activator/bind.ts";
import { parseSocketSpec } from "../../src/cli/activator/activator.ts";
import { type Program, startActivated } from "../harness/program.ts";
import { freePorts } from "../harness/sockets.ts";
import { CLEANUP } from "../harness/timed_test.ts";
import { type Counts, failed, type Group } from "../systemd/load/load.ts";
import { RunningLoad } from "../systemd/load/under_load.ts";
import {
  type App,
  askedPort,
  commandOf,
  environmentOf,
  groupsOf,
} from "./apps.ts";

/** Answers that each group gets from each process. */
const ANSWERS = 8;
/**
 * The time that a program has to end by itself: longer than any request here, and
 * less than systemd would wait.
 */
const STOP_MS = 5000;

/** What clients got while a program was restarted. */
export interface RestartReport {
  readonly restarts: number;
  readonly requests: number;
  /** Requests that were sent, and not answered as they should be. */
  readonly lost: number;
  /** Attempts to connect while nothing listened. */
  readonly refused: number;
  /** Processes that were killed, because they did not end. */
  readonly killed: number;
  /** The first of what was lost in words, for each group. */
  readonly messages: readonly string[];
}

/** What starts a program, and where it is reached. */
interface Starter {
  readonly port: number;
  readonly start: () => Program;
}

/** Restarts a program on one inherited socket, under the preload. */
export async function restartPreloaded(
  t: TestContext,
  app: App,
  restarts: number,
): Promise<RestartReport> {
  const held = await bindSockets([parseSocketSpec("web=tcp:127.0.0.1:0")]);
  t.after(() => held.close(), CLEANUP);
  held.makeBlocking();
  const sockets = [{ name: "web", fd: held.fds[0]! }];
  const env = {
    ...environmentOf(app),
    LISTENFDS_MAP: `web=${askedPort(app)}`,
    // What a loaded machine needs.
    LISTENFDS_SHUTDOWN_TIMEOUT: "50s",
  };
  return await restart(t, groupsOf(app), restarts, {
    port: held.ports[0]!,
    start: () => startActivated(t, inRoot(commandOf(app, true)), sockets, env),
  }, 60_000);
}

/** Restarts a program on a port of its own, ended as the program does it. */
export async function restartAlone(
  t: TestContext,
  app: App,
  restarts: number,
): Promise<RestartReport> {
  const [port] = await freePorts(1) as [number];
  const env = { ...environmentOf(app), PORT: String(port) };
  const start = () =>
    startActivated(t, inRoot(commandOf(app, false)), [], {
      ...env,
      LISTEN_FDS: undefined,
      LISTEN_FDNAMES: undefined,
      LISTEN_PID: undefined,
    });
  return await restart(t, groupsOf(app), restarts, { port, start }, STOP_MS);
}

/** Goes to `/` first, where services are started. */
function inRoot(command: readonly string[]): string[] {
  return ["/bin/sh", "-c", 'cd / && exec "$@"', "sh", ...command];
}

async function restart(
  t: TestContext,
  groups: readonly Group[],
  restarts: number,
  { port, start }: Starter,
  stopMs: number,
): Promise<RestartReport> {
  let program = start();
  const load = RunningLoad.start(t, { groups, port });
  await program.whileRunning("answers", load.answers(1));
  let killed = 0;
  for (let round = 0; round < restarts; round++) {
    await program.whileRunning("answers", load.answers(ANSWERS));
    if (!await stop(program, stopMs)) killed++;
    program = start();
  }
  await program.whileRunning("answers", load.answers(ANSWERS));
  const report = await load.stop();
  const sum = (count: (counts: Counts) => number) =>
    Object.values(report).reduce((total, each) => total + count(each), 0);
  const refused = sum((counts) => counts.refused);
  const lost = sum(failed) - refused;
  return {
    restarts,
    requests: sum(({ answered }) => answered) + lost,
    lost,
    refused,
    killed,
    messages: Object.entries(report).flatMap(([name, { messages }]) =>
      messages.filter((message) => !message.startsWith("refused"))
        .map((message) => `${name}: ${message}`)
    ),
  };
}

/** Ends a program by SIGTERM, in time; returns whether it ended by itself. */
async function stop(program: Program, stopMs: number): Promise<boolean> {
  const timer = setTimeout(() => program.process.kill("SIGKILL"), stopMs);
  await program.terminate();
  clearTimeout(timer);
  return program.process.signalCode !== "SIGKILL";
}
