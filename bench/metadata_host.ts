/**
 * Times reading metadata on every runtime, alone and among other sockets, and
 * prints each measurement as a line of JSON. It runs on Node, where listeners
 * can be handed over, in the network namespace that it is started in.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import process from "node:process";
import { text } from "node:stream/consumers";
import type { Tool } from "../scripts/toolchain.ts";
import {
  parseSocketSpec,
  spawnActivated,
  withSockets,
} from "../src/cli/activator/activator.ts";
import { commandOf } from "./command.ts";
import type { Reading } from "./metadata_worker.ts";

/** What one process measured. */
export interface Measurement {
  /** Which round: everything is measured several times, as machines drift. */
  readonly round: number;
  /** What other sockets there were meanwhile. */
  readonly others: Others;
  /** How many connected sockets the kernel listed. */
  readonly connected: number;
  /** The runtime's label. */
  readonly runtime: string;
  /** The address family of the listeners. */
  readonly listeners: Family;
  /** The times. */
  readonly readings: readonly Reading[];
}

/** An address family that there can be listeners of. */
export type Family = "ipv4" | "ipv6" | "unix";

/** No other sockets, or connections of this family. */
export type Others = "none" | "ipv4" | "ipv6";

const ROUNDS = 3;
const LISTENERS = 1000;
/** Each is two sockets: 20,000 others. */
const CONNECTIONS = 10_000;
/** With both ends in one process, it fits the lowest usual limit, 4,096. */
const CONNECTIONS_PER_PROCESS = 2000;

/** Where to bind: for Unix, names that leave nothing to be removed. */
const PREFIXES: Readonly<Record<Family, string>> = {
  ipv4: "127.0.0.1:",
  ipv6: "[::1]:",
  unix: `@listenfds-bench-${process.pid}-`,
};

const tools: readonly Tool[] = JSON.parse(process.env["LISTENFDS_TOOLS"]!);
/** The process that is measuring. */
let worker: ChildProcess | undefined;

async function main(): Promise<void> {
  const hasIpv6 = Object.values(os.networkInterfaces()).flat()
    .some((each) => each?.address === "::1");
  const families = (["ipv4", "ipv6", "unix"] as const)
    .filter((family) => hasIpv6 || family !== "ipv6");
  const situations = (["none", "ipv4", "ipv6"] as const)
    .filter((others) => hasIpv6 || others !== "ipv6");
  for (let round = 1; round <= ROUNDS; round++) {
    for (const others of situations) {
      await using _connections = await connect(others);
      const connected = countConnected();
      for (const listeners of families) {
        // Nothing is claimed of these among TCP connections.
        if (listeners === "unix" && others !== "none") continue;
        for (const tool of tools) {
          const readings = await measure(tool, listeners);
          const runtime = tool.label;
          const measurement: Measurement = {
            round,
            others,
            connected,
            runtime,
            listeners,
            readings,
          };
          console.log(JSON.stringify(measurement));
        }
      }
    }
  }
}

/** Opens connections, which are held until this is disposed of. */
async function connect(others: Others): Promise<AsyncDisposable> {
  const [program, ...args] = commandOf(
    { runtime: "node", path: process.execPath },
    "connections.ts",
    others === "ipv6" ? "::1" : "127.0.0.1",
    String(CONNECTIONS_PER_PROCESS),
  );
  const length = others === "none" ? 0 : CONNECTIONS / CONNECTIONS_PER_PROCESS;
  // Each ends when its input does: also if this process is killed.
  const holders = Array.from({ length }, () => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    return { child, exited: once(child, "exit") };
  });
  await Promise.all(holders.map(({ child, exited }) =>
    Promise.race([
      once(child.stdout, "data"),
      exited.then(() => {
        throw new Error("Opening connections failed, see above");
      }),
    ])
  ));
  return {
    async [Symbol.asyncDispose]() {
      for (const { child } of holders) child.stdin.end();
      await Promise.all(holders.map(({ exited }) => exited));
    },
  };
}

/** How many connected sockets the kernel lists. */
function countConnected(): number {
  return ["tcp", "tcp6"].map((file) => `/proc/self/net/${file}`)
    .filter((path) => fs.existsSync(path))
    .flatMap((path) =>
      // Number, local address, remote address, state: 01 is ESTABLISHED.
      fs.readFileSync(path, "utf8").match(/^ *\d+: \S+ \S+ 01 /gm) ?? []
    ).length;
}

/** Starts a worker with listeners, and waits for what it measured. */
async function measure(tool: Tool, family: Family): Promise<Reading[]> {
  const prefix = PREFIXES[family];
  const specs = Array.from({ length: LISTENERS }, (_, at) =>
    parseSocketSpec(
      family === "unix"
        ? `${at}=unix:${prefix}${at}`
        // The kernel chooses the port.
        : `${at}=tcp:${prefix}0`,
    ));
  const command = commandOf(tool, "metadata_worker.ts", prefix);
  const child = await withSockets(specs, (sockets) =>
    spawnActivated(
      command,
      sockets.map(({ name, fd, port }) => ({ name: `${port ?? name}`, fd })),
      { stdio: ["ignore", "pipe", "inherit"] },
    ));
  worker = child;
  const [output, [status]] = await Promise.all([
    text(child.stdout!),
    once(child, "exit"),
  ]);
  worker = undefined;
  if (status === 0) return JSON.parse(output);
  throw new Error(`Measuring on ${tool.label} failed, see above`);
}

process.once("exit", () => worker?.kill("SIGKILL"));
// Ends with the program that started it, however that one ends.
process.stdin.resume().once("end", () => process.exit(1));
try {
  await main();
  process.exit();
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exit(1);
}
