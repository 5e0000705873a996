/**
 * Measures servers in turn, and prints what each showed as a line of JSON. It
 * runs on Node, where sockets can be handed over.
 */

import type { Tool } from "../scripts/toolchain.ts";
import { keepCoresAwake } from "./awake.ts";
import { commandOf } from "./command.ts";
import {
  HOSTNAME,
  orderOf,
  runHost,
  startActivated,
  type StartedServer,
  startOnPort,
  stopServers,
} from "./servers.ts";
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
const SECONDS = { warmup: 3, turn: 1 };

/** A program that is measured. */
interface Server extends Pick<StartedServer, "port" | "firstAnswer"> {
  readonly way: Way;
  readonly turns: Load[];
}

async function main(plan: Plan): Promise<void> {
  keepCoresAwake();
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
  await stopServers();
  return servers;
}

function load(port: number, seconds: number): Promise<Load> {
  return wrk(`http://${HOSTNAME}:${port}/`, seconds);
}

async function start(
  tool: Tool,
  way: Way,
  proxy: string | undefined,
): Promise<Pick<StartedServer, "port" | "firstAnswer">> {
  if (way === "adopted" || way === "neutral" || way === "portable") {
    return await startActivated(serverOf(tool, way));
  }
  if (way === "preload") {
    return await startActivated(preloaded(tool, serverOf(tool, "own", "3000")));
  }
  const server = await startOnPort((port) =>
    serverOf(tool, "own", String(port))
  );
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

/** The program on a port of its own, which gets the inherited socket instead. */
function preloaded(tool: Tool, command: string[]): string[] {
  const option = tool.runtime === "node" ? "--import" : "--preload";
  const file = new URL("../src/preload/mod.ts", import.meta.url).pathname;
  const index = command.findIndex((word) => word.endsWith(".ts"));
  return [
    ...["/usr/bin/env", "LISTENFDS_MAP=web=3000"],
    ...command.toSpliced(index, 0, `${option}=${file}`),
  ];
}

await runHost(main);
