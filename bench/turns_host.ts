/**
 * Measures servers that are alive at the same time in turns, and prints what each
 * showed as a line of JSON. It runs on Node, where sockets can be handed over.
 */

import { keepCoresAwake } from "./awake.ts";
import { echoLoad } from "./echo_load.ts";
import { type LoadName, LOADS } from "./loads.ts";
import {
  HOSTNAME,
  orderOf,
  runHost,
  startActivated,
  startOnPort,
  stopServers,
} from "./servers.ts";
import { wrk } from "./wrk.ts";

/** What to measure. */
export interface TurnsPlan {
  readonly load: LoadName;
  readonly servers: readonly {
    readonly way: string;
    /** The command line; a port is appended if it listens on one of its own. */
    readonly command: readonly string[];
    readonly isOnPort: boolean;
  }[];
  /** How often, with new servers each time. */
  readonly rounds: number;
  /** How often each server of a round has its turn. */
  readonly turns: number;
}

/** What one server showed in one turn. */
export interface Turn {
  readonly way: string;
  /** Requests or messages that were answered in a second. */
  readonly perSecond: number;
  /** Requests that failed. */
  readonly errors: number;
}

/** Node compiles and grows its heap for that long. */
const WARMUP_SECONDS = 3;
const TURN_SECONDS = 1;

async function main(plan: TurnsPlan): Promise<void> {
  keepCoresAwake();
  for (let round = 0; round < plan.rounds; round++) {
    const ports: { way: string; port: number }[] = [];
    for (const { way, command, isOnPort } of orderOf(plan.servers, round)) {
      const { port } = isOnPort
        ? await startOnPort((port) => [...command, String(port)])
        : await startActivated(command);
      ports.push({ way, port });
    }
    for (const { port } of ports) {
      await measure(plan.load, port, WARMUP_SECONDS);
    }
    for (let turn = 0; turn < plan.turns; turn++) {
      for (const { way, port } of orderOf(ports, round * plan.turns + turn)) {
        const found = await measure(plan.load, port, TURN_SECONDS);
        console.log(JSON.stringify({ way, ...found } satisfies Turn));
      }
    }
    await stopServers();
  }
}

async function measure(
  name: LoadName,
  port: number,
  seconds: number,
): Promise<Omit<Turn, "way">> {
  const load = LOADS[name];
  if (load.kind === "echo") {
    const { protocol } = load;
    const perSecond = await echoLoad(port, HOSTNAME, protocol, seconds);
    return { perSecond, errors: 0 };
  }
  const script = load.script &&
    new URL(`requests/${load.script}`, import.meta.url).pathname;
  const url = `http://${HOSTNAME}:${port}${load.path}`;
  const { requestsPerSecond, errors } = await wrk(url, seconds, script);
  return { perSecond: requestsPerSecond, errors };
}

await runHost(main);
