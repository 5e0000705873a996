/**
 * `node:cluster`: the workers take the inherited sockets of their primary, which
 * accepts for all of them.
 *
 * A worker asks its primary for a descriptor by its number. So the primary passes
 * its sockets on to the workers in a variable of the environment.
 *
 * @module
 */

import type { Worker } from "node:cluster";
import type * as net from "node:net";
import { Descriptor } from "../core/descriptor.ts";
import type { DescriptorInfo } from "../core/info.ts";
import { builtin, isClusterWorker, processGlobal } from "../runtime/builtin.ts";
import { Deadline, delay } from "../runtime/timers.ts";
import type { HandedSockets } from "./handed_sockets.ts";

/** The variable, with JSON of {@linkcode Shared}. */
const VARIABLE = "LISTENFDS_CLUSTER";

/** The sockets of a primary, for its workers. */
interface Shared {
  /** Children of a worker get the variable, too. */
  readonly primaryPid: number;
  readonly sockets: readonly {
    readonly fd: number;
    readonly name: string;
    readonly info: DescriptorInfo;
  }[];
}

/** Passes the sockets of this process on to its workers, which are started later. */
export function shareWithWorkers({ all }: HandedSockets): void {
  const process = processGlobal()!;
  const shared: Shared = {
    primaryPid: process.pid,
    sockets: all.map(({ descriptor: { fd }, name, info }) => ({
      fd,
      name,
      info,
    })),
  };
  process.env[VARIABLE] = JSON.stringify(shared, withoutBigints);
}

/** The inode of a socket has no form in JSON, and is of no use in a worker. */
function withoutBigints(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? undefined : value;
}

/** Reads the sockets of the primary, in a worker of it. */
export function sharedDescriptors(): Descriptor[] | undefined {
  const process = processGlobal()!;
  const text = process.env[VARIABLE];
  if (text === undefined || !isClusterWorker()) return undefined;
  const { primaryPid, sockets } = JSON.parse(text) as Shared;
  if (process.ppid !== primaryPid) return undefined;
  return sockets.map(({ fd, name, info }) =>
    new Descriptor(fd, name, {
      inspect: (fds) => fds.map(() => info),
      inspectPath: () => undefined,
    })
  );
}

/** What has the handle of a listening socket. */
type WithHandle = net.Server & {
  readonly _handle?: { close(): void } | null;
};

/** Time in which a primary hands over what it has accepted. */
const HAND_OVER_MS = 500;
/** Longest time that a worker waits for its primary to stop. */
const PRIMARY_MS = 3000;

/** The sockets that this process, as a primary, accepts on for its workers. */
export class ClusterPrimary {
  readonly #handles = new Set<{ close(): void }>();
  readonly #timeoutMs: number;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Remembers the socket of a server that `node:cluster` makes listen, which takes
   * it from the server soon.
   */
  watch(server: net.Server): void {
    server.prependOnceListener("listening", () => {
      const { _handle: handle } = server as WithHandle;
      if (handle) this.#handles.add(handle);
    });
  }

  /**
   * Stops accepting, so that no connection is taken that no worker serves, and
   * waits until the workers have ended.
   */
  async shutdown(): Promise<void> {
    for (const handle of this.#handles) handle.close();
    const cluster = builtin("node:cluster");
    const workers = Object.values(cluster.workers ?? {})
      .filter((worker) => worker !== undefined);
    if (workers.length === 0) return;
    // A program that replaces workers that end would replace these.
    cluster.on("fork", (worker) => worker.process.kill("SIGKILL"));
    await delay(HAND_OVER_MS);
    const limit = new Deadline(this.#timeoutMs);
    await Promise.race([Promise.all(workers.map(ended)), limit.reached]);
    limit.cancel();
  }
}

/** Asks a worker to end, whom the signal may not have reached, and waits. */
function ended(worker: Worker): Promise<void> {
  worker.send({ cmd: SHUTDOWN }, () => {});
  return new Promise((resolve) => worker.once("exit", () => resolve()));
}

/** Node passes messages with this prefix past the program's own listeners. */
const SHUTDOWN = "NODE_LISTENFDS_SHUTDOWN";

/** What a worker knows of its primary. */
export class ClusterWorker {
  readonly #stopped: PromiseWithResolvers<void> = Promise.withResolvers();

  /** @param stop Called when the primary asks this worker to end. */
  constructor(stop: () => void) {
    const process = processGlobal() as unknown as {
      on(event: string, listener: (message: { cmd?: string }) => void): void;
    };
    process.on("internalMessage", ({ cmd }) => {
      if (cmd !== SHUTDOWN) return;
      this.#stopped.resolve();
      stop();
    });
  }

  /**
   * Waits until the primary has handed over all that it has accepted: this worker
   * may be the last that takes it.
   */
  async primaryStopped(): Promise<void> {
    const limit = new Deadline(PRIMARY_MS);
    await Promise.race([this.#stopped.promise, limit.reached]);
    limit.cancel();
  }
}
