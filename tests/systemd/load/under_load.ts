/** Services under load in a machine. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import {
  type Counts,
  failed,
  type Group,
  type Load,
  type Report,
} from "./load.ts";
import { eventually } from "../../harness/eventually.ts";
import type { Machine } from "../machine/machine.ts";
import { serviceUnit, socketUnit, type UnitHost } from "../machine/units.ts";

const GENERATOR = path.join(import.meta.dirname!, "load.ts");
const PORT = 8080;

/** The way in which a service ends. */
export type Stop =
  /** The library's way. */
  | "graceful"
  /** The runtime's own: `shutdown()`, `stop()` or `close()`. */
  | "naive"
  /** At once, on SIGTERM. */
  | "exit";

/** Clients with fast handlers, slow ones, and uploads in progress. */
export function groups(keepAlive: boolean): readonly Group[] {
  const common = { keepAlive, pauseMs: 20 };
  return [
    { ...common, name: "fast", clients: 16, handlerMs: 0 },
    { ...common, name: "200 ms", clients: 16, handlerMs: 200 },
    {
      ...common,
      name: "uploads",
      clients: 4,
      handlerMs: 200,
      content: "upload",
    },
  ];
}

/** All of them, with connections that are kept and with new ones. */
export const ALL_GROUPS: readonly Group[] = [false, true].flatMap((keepAlive) =>
  groups(keepAlive).map((group) => ({
    ...group,
    name: `${group.name} ${keepAlive ? "kept" : "new"}`,
  }))
);

/** Clients of the first program of README.md. */
export const HELLO_GROUPS: readonly Group[] = fastGroups("hello");
/** Clients of a program whose health alone can be asked for. */
export const HEALTH_GROUPS: readonly Group[] = fastGroups("health");

function fastGroups(content: "hello" | "health"): Group[] {
  return [false, true].map((keepAlive) => ({
    name: keepAlive ? "keep-alive" : "new connections",
    clients: 16,
    keepAlive,
    handlerMs: 0,
    content,
    pauseMs: 20,
  }));
}

/** A load to start, and where. */
interface LoadStart {
  readonly groups: readonly Group[];
  readonly port: number;
  /** What comes before the command, such as what enters another network. */
  readonly enter?: readonly string[];
}

/** A load generator in a process of its own. */
export class RunningLoad {
  readonly #child: ChildProcess;
  #printed = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout!.setEncoding("utf8").on("data", (text) => {
      this.#printed += text;
    });
  }

  /** Starts one; it ends with the test. */
  static start(
    t: TestContext,
    { groups, port, enter = [] }: LoadStart,
  ): RunningLoad {
    const load: Load = { port, groups, timeoutMs: 30_000 };
    const [program, ...args] = [
      ...enter,
      ...[process.execPath, GENERATOR, JSON.stringify(load)],
    ];
    const child = spawn(program!, args, {
      stdio: ["pipe", "pipe", "inherit"],
    });
    t.after(() => child.kill("SIGKILL"));
    return new RunningLoad(child);
  }

  /** The counts so far. */
  async report(): Promise<Report> {
    this.#printed = "";
    this.#child.stdin!.write("\n");
    return JSON.parse(
      await eventually(
        "the counts",
        () => this.#printed,
        (printed) => printed.endsWith("\n"),
      ),
    );
  }

  /** Waits until each group has more requests that were answered or lost. */
  async progress(requests: number): Promise<void> {
    await this.#progress(
      requests,
      (counts) => counts.answered + failed(counts),
    );
  }

  /** Waits until each group has more answers. */
  async answers(requests: number): Promise<void> {
    await this.#progress(requests, ({ answered }) => answered);
  }

  async #progress(
    requests: number,
    count: (counts: Counts) => number,
  ): Promise<void> {
    const counts = async () => Object.values(await this.report()).map(count);
    const before = await counts();
    await eventually(
      `${requests} more answers in each group than ${before}`,
      counts,
      (now) => now.every((count, index) => count >= before[index]! + requests),
    );
  }

  /** Ends it, and gives the counts. */
  async stop(): Promise<Report> {
    this.#printed = "";
    this.#child.stdin!.end();
    await once(this.#child, "close");
    return JSON.parse(this.#printed);
  }
}

/** Starts a load in the network of a machine. */
export function startLoad(
  t: TestContext,
  machine: Machine,
  groups: readonly Group[],
): RunningLoad {
  return RunningLoad.start(t, {
    groups,
    port: PORT,
    enter: machine.enter("net"),
  });
}

/** Installs a service that is to be loaded, and starts its socket. */
export async function installLoaded(
  t: TestContext,
  machine: Machine,
  host: UnitHost,
  stop: Stop,
): Promise<void> {
  const way = stop === "naive" ? "naive" : host.http;
  const flag = stop === "exit" ? "--exit " : "";
  await machine.install(t, {
    "loaded.socket": socketUnit({
      FileDescriptorName: "web",
      ListenStream: `127.0.0.1:${PORT}`,
    }),
    "loaded.service": serviceUnit(host, `${flag}${way}=web`, {
      // Node's close() waits for clients that go on as long as it does. Graceful
      // shutdown has the time that a loaded machine needs.
      TimeoutStopSec: stop === "naive" ? 3 : 60,
    }, {
      // Restarts are what this is about.
      StartLimitIntervalSec: 0,
    }),
  });
  await machine.systemctl("start", "loaded.socket");
}

/** Returns the number of answered requests of all groups. */
export function answered(report: Report): number {
  return Object.values(report).reduce(
    (sum, counts) => sum + counts.answered,
    0,
  );
}

/** Returns the number of failed requests of each group. */
export function lost(report: Report): number[] {
  return Object.values(report).map(failed);
}

/** Restarts `loaded.service` under load, and reports the results. */
export async function measureRestarts(
  t: TestContext,
  machine: Machine,
  groups: readonly Group[],
  restarts: number,
  /** Answers that each group gets from each process. */
  answers = 8,
): Promise<Report> {
  const load = startLoad(t, machine, groups);
  for (let round = 0; round < restarts; round++) {
    await load.progress(answers);
    await machine.systemctl("restart", "loaded.service");
  }
  await load.progress(answers);
  return await load.stop();
}
