/**
 * Measures servers in turn, and prints what each showed as a line of JSON. It
 * runs on Node, where sockets can be handed over.
 */

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Tool } from "../scripts/toolchain.ts";
import {
  type BoundSocket,
  parseSocketSpec,
  spawnActivated,
  withSockets,
} from "../src/cli/activator/activator.ts";
import { commandOf } from "./command.ts";
import type { Load, Measurement, Way } from "./throughput_ways.ts";
import { wrk } from "./wrk.ts";

/** What to measure. */
export interface Plan {
  /** The runtimes. */
  readonly tools: readonly Tool[];
  /** The ways. */
  readonly ways: readonly Way[];
  /** How often, with new servers each time. */
  readonly rounds: number;
  /** How often each server of a round has its turn. */
  readonly turns: number;
  /** The path of `systemd-socket-proxyd`, for the way that needs it. */
  readonly proxy: string | undefined;
}

/**
 * How long the compilers have to get ready, and how long each turn is: short, so
 * that what else the machine does comes to all ways alike. `wrk` takes no less.
 */
const SECONDS = { warmup: 2, turn: 1 };
/** How long a program may take to answer at all. */
const PATIENCE_MILLISECONDS = 20_000;

const HOSTNAME = "127.0.0.1";
/** The kernel chooses the port. */
const SPEC = parseSocketSpec(`web=tcp:${HOSTNAME}:0`);

/** The programs that are running: a server, and its proxy if it has one. */
const running = new Set<ChildProcess>();

/** A program that answers. */
interface Started {
  readonly port: number;
  readonly firstAnswer: number;
}

/** A program that is measured. */
interface Server extends Started {
  readonly way: Way;
  readonly turns: Load[];
}

async function main(plan: Plan): Promise<void> {
  for (let round = 1; round <= plan.rounds; round++) {
    for (const tool of plan.tools) {
      for (
        const { way, firstAnswer, turns } of await compare(tool, plan, round)
      ) {
        const measurement: Measurement = {
          round,
          runtime: tool.label,
          way,
          firstAnswer,
          turns,
        };
        console.log(JSON.stringify(measurement));
      }
    }
  }
}

/** Measures all ways of a runtime; who has no turn has nothing to do. */
async function compare(
  tool: Tool,
  plan: Plan,
  round: number,
): Promise<Server[]> {
  const servers: Server[] = [];
  for (const way of orderOf(plan.ways, round)) {
    servers.push({ ...await start(tool, way, plan.proxy), way, turns: [] });
  }
  for (const { port } of servers) await load(port, SECONDS.warmup);
  const inPlan = plan.ways.map((way) =>
    servers.find((each) => each.way === way)!
  );
  for (let turn = 0; turn < plan.turns; turn++) {
    // In the order of the ways, which began in another one.
    const at = (round - 1) * plan.turns + turn;
    for (const { port, turns } of orderOf(inPlan, at)) {
      turns.push(await load(port, SECONDS.turn));
    }
  }
  await stop();
  return servers;
}

function load(port: number, seconds: number): Promise<Load> {
  return wrk(`http://${HOSTNAME}:${port}/`, seconds);
}

/** Each is first as often as any, and after another as often as before it. */
function orderOf<T>(all: readonly T[], turn: number): T[] {
  const at = Math.floor(turn / 2) % all.length;
  const turned = [...all.slice(at), ...all.slice(0, at)];
  return turn % 2 === 0 ? turned : turned.reverse();
}

async function start(
  tool: Tool,
  way: Way,
  proxy: string | undefined,
): Promise<Started> {
  if (way === "adopted" || way === "neutral" || way === "portable") {
    return await startActivated(serverOf(tool, way));
  }
  const server = await startOnPort(tool);
  if (way !== "proxy") return server;
  // The proxy of a service starts after it, when that is ready.
  const { port, firstAnswer } = await startActivated([
    proxy!,
    `${HOSTNAME}:${server.port}`,
  ]);
  return { port, firstAnswer: server.firstAnswer + firstAnswer };
}

function serverOf(tool: Tool, ...args: string[]): string[] {
  return commandOf(tool, "throughput_server.ts", ...args);
}

async function startOnPort(tool: Tool): Promise<Started> {
  // One that was free a moment ago.
  const port = await withSockets([SPEC], ([socket]) => socket!.port!);
  // Through the same shell as the others, so that the times can be compared.
  return await run(port, serverOf(tool, "own", String(port)), []);
}

async function startActivated(command: readonly string[]): Promise<Started> {
  return await withSockets(
    [SPEC],
    (sockets) => run(sockets[0]!.port!, command, sockets),
  );
}

/** Starts a program in this turn of the event loop, and waits for an answer. */
async function run(
  port: number,
  command: readonly string[],
  sockets: readonly BoundSocket[],
): Promise<Started> {
  const begin = performance.now();
  const child = spawnActivated(command, sockets, {
    stdio: ["ignore", "ignore", "inherit"],
  });
  running.add(child);
  while (!await answers(port)) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`Starting ${command.join(" ")} failed, see above`);
    }
    if (performance.now() - begin > PATIENCE_MILLISECONDS) {
      throw new Error(`Starting ${command.join(" ")}: there is no answer`);
    }
    await sleep(1);
  }
  return { port, firstAnswer: performance.now() - begin };
}

/** Whether a request is answered. One to an inherited socket waits until then. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = net.connect(port, HOSTNAME)
      .setEncoding("utf8")
      .setTimeout(PATIENCE_MILLISECONDS, () => socket.destroy())
      .on("error", () => {})
      .on("close", () => resolve(false))
      .on("data", (text) => {
        answer += text;
        if (!answer.includes("hello")) return;
        resolve(true);
        socket.destroy();
      });
    socket.write("GET / HTTP/1.1\r\nHost: bench\r\n\r\n");
  });
}

/** Ends what is running, and waits until it has ended. */
async function stop(): Promise<void> {
  await Promise.all([...running].map(async (child) => {
    running.delete(child);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }));
}

process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
// Ends with the program that started it, however that one ends.
process.stdin.resume().once("end", () => process.exit(1));
try {
  await main(JSON.parse(process.env["LISTENFDS_PLAN"]!));
  process.exit();
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exit(1);
}
