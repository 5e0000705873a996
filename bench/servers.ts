/**
 * Starting servers on Node, where sockets can be handed over, and waiting for
 * their first answer.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import net from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type BoundSocket,
  parseSocketSpec,
  spawnActivated,
  withSockets,
} from "../src/cli/activator/activator.ts";

/** Time that a program may take to answer at all. */
const PATIENCE_MS = 20_000;

export const HOSTNAME = "127.0.0.1";
/** The kernel chooses the port. */
const SPEC = parseSocketSpec(`web=tcp:${HOSTNAME}:0`);

/** The programs that are running. */
const running = new Set<ChildProcess>();

/** A program that answers. */
export interface StartedServer {
  readonly port: number;
  /** Time from starting the program to its first answer, in milliseconds. */
  readonly firstAnswer: number;
  /** Processor time of the threads that then run, in milliseconds. */
  readonly cpuTime: number;
}

/**
 * Starts a program that listens on a port of its own.
 *
 * @param toCommand Returns the command line, from a port.
 */
export async function startOnPort(
  toCommand: (port: number) => readonly string[],
): Promise<StartedServer> {
  // One that was free a moment ago.
  const port = await withSockets([SPEC], ([socket]) => socket!.port!);
  // Through the same shell as the others, so that the times can be compared.
  return await start(port, toCommand(port), []);
}

/** Starts a program that is handed a socket with the name `web`. */
export async function startActivated(
  command: readonly string[],
): Promise<StartedServer> {
  return await withSockets(
    [SPEC],
    (sockets) => start(sockets[0]!.port!, command, sockets),
  );
}

/** Starts a program in this turn of the event loop, and waits for an answer. */
async function start(
  port: number,
  command: readonly string[],
  sockets: readonly BoundSocket[],
): Promise<StartedServer> {
  const begin = performance.now();
  const child = spawnActivated(command, sockets, {
    stdio: ["ignore", "ignore", "inherit"],
  });
  running.add(child);
  while (!await answers(port)) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`Starting ${command.join(" ")} failed, see above`);
    }
    if (performance.now() - begin > PATIENCE_MS) {
      throw new Error(`Starting ${command.join(" ")}: there is no answer`);
    }
    await sleep(1);
  }
  const firstAnswer = performance.now() - begin;
  return { port, firstAnswer, cpuTime: cpuTimeOf(child.pid!) };
}

/** Whether a request is answered. One to an inherited socket waits until then. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = net.connect(port, HOSTNAME)
      .setEncoding("utf8")
      .setTimeout(PATIENCE_MS, () => socket.destroy())
      .on("error", () => {})
      .on("close", () => resolve(false))
      .on("data", (text) => {
        answer += text;
        if (!answer.includes("hello")) return;
        resolve(true);
        socket.destroy();
      });
    // A server that sends back what it receives answers "hello", too.
    socket.write("GET / HTTP/1.1\r\nHost: hello\r\n\r\n");
  });
}

/** Reads the processor time of a process's threads, see proc(5). */
export function cpuTimeOf(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(tasks).map((task) => {
    try {
      return Number(
        readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ", 1)[0],
      );
    } catch {
      // The thread has ended meanwhile.
      return 0;
    }
  });
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6;
}

/** Ends the programs that are running, and waits until they have ended. */
export async function stopServers(): Promise<void> {
  await Promise.all([...running].map(async (child) => {
    running.delete(child);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }));
}

/**
 * Runs a host, which the program that started it ends by closing its standard
 * input.
 *
 * @param main Prints each measurement as a line of JSON.
 */
export async function runHost<Plan>(
  main: (plan: Plan) => Promise<void>,
): Promise<never> {
  process.once("exit", () => {
    for (const child of running) child.kill("SIGKILL");
  });
  process.stdin.resume().once("end", () => process.exit(1));
  try {
    await main(JSON.parse(process.env["LISTENFDS_PLAN"]!));
    process.exit();
  } catch (error) {
    console.error(`bench: ${(error as Error).message}`);
    process.exit(1);
  }
}

/** Each is first as often as any, and after another as often as before it. */
export function orderOf<T>(all: readonly T[], turn: number): T[] {
  const index = Math.floor(turn / 2) % all.length;
  const turned = [...all.slice(index), ...all.slice(0, index)];
  return turn % 2 === 0 ? turned : turned.reverse();
}
