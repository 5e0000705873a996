/**
 * Measures one process and several on the same socket in turns, and how requests
 * and accepts are shared. It runs on Node, and prints each result as a line of
 * JSON.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import {
  parseSocketSpec,
  spawnActivated,
} from "../src/cli/activator/activator.ts";
import { bindSockets, type HeldSockets } from "../src/cli/activator/bind.ts";
import { cpuTimeOf, HOSTNAME, orderOf } from "./servers.ts";
import { wrk } from "./wrk.ts";

/** What to measure. */
export interface InstancesPlan {
  /** The command line of the server, without the time of its work. */
  readonly command: readonly string[];
  /** How often, with new processes each time. */
  readonly rounds: number;
  /** How often each set of a round has its turn. */
  readonly turns: number;
}

/** What one set of processes showed in one turn. */
export interface InstancesTurn {
  readonly kind: "turn";
  readonly set: "one" | "again" | "two";
  readonly perSecond: number;
  readonly errors: number;
}

/** How requests were shared, in a situation. */
export interface InstancesShare {
  readonly kind: "share";
  readonly way: "shared" | "ReusePort=yes";
  readonly situation: string;
  /** The requests that each process answered, the most first. */
  readonly counts: readonly number[];
}

/** Calls of accept(2) for short connections. */
export interface InstancesAccepts {
  readonly kind: "accepts";
  readonly instances: number;
  readonly connections: number;
  readonly calls: number;
  readonly failed: number;
}

/** Processor time of processes without a client. */
export interface InstancesIdle {
  readonly kind: "idle";
  readonly instances: number;
  readonly msPerSecond: number;
}

export type InstancesResult =
  | InstancesTurn
  | InstancesShare
  | InstancesAccepts
  | InstancesIdle;

const WORK_MICROSECONDS = 300;
const TURN_SECONDS = 1;
const CONNECTIONS = 1000;
const KEPT = 50;
const KEPT_SECONDS = 2;
const IDLE_SECONDS = 5;
const running = new Set<ChildProcess>();

/** Processes on the same port. */
class InstanceSet {
  readonly #held: readonly HeldSockets[];
  readonly children: readonly ChildProcess[];
  readonly port: number;

  private constructor(
    held: readonly HeldSockets[],
    children: readonly ChildProcess[],
  ) {
    this.#held = held;
    this.children = children;
    this.port = held[0]!.ports[0]!;
  }

  /** Starts processes, and waits until all serve. */
  static async start(
    command: readonly string[],
    count: number,
    work: number,
    way: InstancesShare["way"] = "shared",
  ): Promise<InstanceSet> {
    const held: HeldSockets[] = [];
    const children: ChildProcess[] = [];
    for (let index = 0; index < count; index++) {
      if (index === 0 || way !== "shared") {
        const port = held[0]?.ports[0] ?? 0;
        const spec = parseSocketSpec(`web=tcp:${HOSTNAME}:${port}`);
        const settings = way === "shared"
          ? {}
          : { settings: { numbers: { reusePort: 1 } } };
        const bound = await bindSockets([{ ...spec, ...settings }]);
        bound.makeNonBlocking();
        held.push(bound);
      }
      const fd = held.at(-1)!.fds[0]!;
      const child = spawnActivated([...command, String(work)], [
        { name: "web", fd },
      ], { stdio: ["ignore", "pipe", "inherit"] });
      running.add(child);
      children.push(child);
    }
    await Promise.all(children.map((child) => once(child.stdout!, "data")));
    return new InstanceSet(held, children);
  }

  async stop(): Promise<void> {
    await Promise.all(this.children.map(async (child) => {
      running.delete(child);
      child.kill("SIGKILL");
      await once(child, "exit");
    }));
    for (const each of this.#held) await each.close();
  }

  get cpuTime(): number {
    return this.children.reduce((sum, { pid }) => sum + cpuTimeOf(pid!), 0);
  }
}

function print(result: InstancesResult): void {
  console.log(JSON.stringify(result));
}

async function measureThroughput(plan: InstancesPlan): Promise<void> {
  const { command, rounds, turns } = plan;
  for (let round = 0; round < rounds; round++) {
    const names = ["one", "again", "two"] as const;
    const sets = [];
    for (const name of orderOf(names, round)) {
      const count = name === "two" ? 2 : 1;
      const set = await InstanceSet.start(command, count, WORK_MICROSECONDS);
      sets.push({ name, set });
      await wrk(`http://${HOSTNAME}:${set.port}/`, 1);
    }
    for (let turn = 0; turn < turns; turn++) {
      for (const { name, set } of orderOf(sets, round * turns + turn)) {
        const url = `http://${HOSTNAME}:${set.port}/`;
        const { requestsPerSecond, errors } = await wrk(url, TURN_SECONDS);
        const perSecond = requestsPerSecond;
        print({ kind: "turn", set: name, perSecond, errors });
      }
    }
    for (const { set } of sets) await set.stop();
  }
}

/** Sends a request, and returns the process that answered. */
async function ask(port: number, agent?: http.Agent): Promise<string> {
  const options = { host: HOSTNAME, port, agent: agent ?? false };
  const request = http.get(options);
  const [response] = await once(request, "response");
  let body = "";
  for await (const part of response) body += part;
  return body;
}

/** Lets clients ask, each again and again until it returns false. */
async function countAnswers(
  clients: number,
  ask: (client: number, index: number) => Promise<string> | undefined,
): Promise<number[]> {
  const counts = new Map<string, number>();
  await Promise.all(Array.from({ length: clients }, async (_, client) => {
    for (let index = 0;; index++) {
      const answer = await ask(client, index);
      if (answer === undefined) return;
      counts.set(answer, (counts.get(answer) ?? 0) + 1);
    }
  }));
  return [...counts.values()].sort((a, b) => b - a);
}

/** Asks with new connections: 50 at the same time, or one after another. */
function askShort(port: number, isBusy: boolean): Promise<number[]> {
  const clients = isBusy ? KEPT : 1;
  return countAnswers(clients, (_client, index) => {
    if (index >= CONNECTIONS / clients) return undefined;
    return isBusy ? ask(port) : sleep(2).then(() => ask(port));
  });
}

/** Asks on connections that are kept, with pauses or without. */
async function askKept(port: number, isBusy: boolean): Promise<number[]> {
  const agents = Array.from(
    { length: KEPT },
    () => new http.Agent({ keepAlive: true, maxSockets: 1 }),
  );
  const end = performance.now() + KEPT_SECONDS * 1000;
  const counts = await countAnswers(KEPT, (client, index) => {
    if (performance.now() > end) return undefined;
    const pause = isBusy ? 0 : index === 0 ? client * 10 : 100;
    const asked = () => ask(port, agents[client]);
    return pause === 0 ? asked() : sleep(pause).then(asked);
  });
  for (const agent of agents) agent.destroy();
  return counts;
}

async function measureShares({ command }: InstancesPlan): Promise<void> {
  for (const way of ["shared", "ReusePort=yes"] as const) {
    for (const isBusy of [true, false]) {
      const set = await InstanceSet.start(command, 2, WORK_MICROSECONDS, way);
      const state = isBusy ? "busy" : "idle";
      const short = await askShort(set.port, isBusy);
      const name = `${CONNECTIONS} short connections`;
      print({
        kind: "share",
        way,
        situation: `${name}, ${state}`,
        counts: short,
      });
      const counts = await askKept(set.port, isBusy);
      const situation = `${KEPT} kept connections, ${state}`;
      print({ kind: "share", way, situation, counts });
      await set.stop();
    }
  }
}

async function measureAccepts({ command }: InstancesPlan): Promise<void> {
  for (const instances of [1, 2, 4]) {
    const set = await InstanceSet.start(command, instances, WORK_MICROSECONDS);
    const before = set.cpuTime;
    await sleep(IDLE_SECONDS * 1000);
    const msPerSecond = (set.cpuTime - before) / IDLE_SECONDS;
    print({ kind: "idle", instances, msPerSecond });
    const { calls, failed } = await countCalls(
      set.children.map(({ pid }) => pid!),
      () => askShort(set.port, true),
    );
    const connections = CONNECTIONS;
    print({ kind: "accepts", instances, connections, calls, failed });
    await set.stop();
  }
}

/** Counts calls of accept(2) of processes, with `strace`. */
async function countCalls(
  pids: readonly number[],
  during: () => Promise<unknown>,
): Promise<{ calls: number; failed: number }> {
  const directory = mkdtempSync(join(tmpdir(), "listenfds-bench-"));
  const file = join(directory, "calls");
  try {
    const args = ["-f", "-qq", "-e", "trace=accept,accept4", "-o", file];
    const strace = spawn("strace", [
      ...args,
      ...pids.flatMap((pid) => ["-p", String(pid)]),
    ], { stdio: "ignore" });
    running.add(strace);
    while (!pids.every(isTraced)) await sleep(10);
    await during();
    const ended = once(strace, "exit");
    strace.kill("SIGINT");
    await ended;
    running.delete(strace);
    const lines = readFileSync(file, "utf8").match(/ = -?\d+.*$/gm) ?? [];
    const failed = lines.filter((line) => line.startsWith(" = -")).length;
    return { calls: lines.length, failed };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function isTraced(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return !/^TracerPid:\t0$/m.test(status);
}

process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
process.stdin.resume().once("end", () => process.exit(1));
const plan: InstancesPlan = JSON.parse(process.env["LISTENFDS_PLAN"]!);
await measureThroughput(plan);
await measureShares(plan);
await measureAccepts(plan);
process.exit();
