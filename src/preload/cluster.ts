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
import { Deadline, delay, waitAtMost } from "../runtime/timers.ts";
import {
  ignoreSendError,
  type ServerHandle,
  SHUTDOWN,
  STOPPING,
  type WithHandle,
} from "./cluster_worker.ts";
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

/** Time in which a signal that was sent to all processes reaches the primary, too. */
const SIGNAL_MS = 100;
/** Time in which a worker that has loaded the preload answers its primary. */
const ANSWER_MS = 1000;
/**
 * Time without progress after which connections count as lost that were there when a
 * worker ended: Node never closes those that were on their way to it.
 */
const STUCK_MS = 1000;

/** The sockets that this process, as a primary, accepts on for its workers. */
export class ClusterPrimary {
  /** What closes the handles. */
  readonly #closers = new Set<() => void>();
  /** The handles that no worker uses, by their descriptors. */
  readonly #parked = new Map<number, ParkedHandle>();
  /** The connections that no worker has taken yet. */
  readonly #waiting = new WaitingConnections();
  /** The workers that stop. */
  readonly #answered = new WeakSet<Worker>();
  readonly #timeoutMs: number;
  #hasWorkers = false;
  #isStopping = false;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Makes a server of `node:cluster`, which takes the socket from the server soon,
   * listen on a descriptor.
   *
   * @param listen Calls the server's own `listen()`.
   */
  listen(server: net.Server, fd: number, listen: () => void): void {
    this.#answerWorkers();
    const parked = this.#parked.get(fd);
    if (parked !== undefined) {
      this.#parked.delete(fd);
      return parked.listen(server, this.#waiting);
    }
    server.prependOnceListener("listening", () => {
      const { _handle: handle } = server as WithHandle;
      if (!handle) return;
      this.#keepOpen(fd, handle);
      // A listener of node:cluster takes the handle from the server meanwhile.
      queueMicrotask(() => this.#waiting.follow(handle));
    });
    listen();
  }

  /** Answers the workers that a signal has reached, now and later ones. */
  #answerWorkers(): void {
    if (this.#hasWorkers) return;
    this.#hasWorkers = true;
    const answer = (worker: Worker) => {
      worker.once("exit", () => this.#waiting.doubt());
      worker.process.on("internalMessage", ({ cmd }: { cmd?: string }) => {
        if (cmd === STOPPING) void this.#answer(worker);
      });
    };
    for (const worker of livingWorkers()) answer(worker);
    builtin("node:cluster").on("fork", answer);
  }

  /** Lets a worker end at once that the signal was meant for alone. */
  async #answer(worker: Worker): Promise<void> {
    this.#answered.add(worker);
    await delay(SIGNAL_MS);
    if (!this.#isStopping && worker.isConnected()) sendShutdown(worker);
  }

  /**
   * Keeps a socket open when the last worker that uses it has ended: its number
   * could become that of another file before the next worker asks for it.
   */
  #keepOpen(fd: number, handle: ServerHandle): void {
    const close = handle.close.bind(handle);
    this.#closers.add(close);
    handle.close = () => void this.#parked.set(fd, new ParkedHandle(handle));
  }

  /**
   * Stops accepting, so that no connection is taken that no worker serves, and
   * waits until the workers have ended.
   */
  async shutdown(): Promise<void> {
    this.#isStopping = true;
    for (const close of this.#closers) close();
    this.#answerWorkers();
    const cluster = builtin("node:cluster");
    // A program that replaces workers that end would replace these, and then the
    // replacements, without an end.
    cluster.on("fork", (worker) => {
      const { id, process } = worker;
      process.removeAllListeners("exit").removeAllListeners("disconnect");
      worker.on("error", ignoreSendError);
      process.kill("SIGKILL");
      // The removed listeners would do this; `cluster.disconnect()` waits for all.
      delete cluster.workers![id];
    });
    const workers = livingWorkers();
    // Node answers those that ask for a socket just now, also when they have ended.
    for (const worker of workers) worker.on("error", ignoreSendError);
    if (workers.length === 0) return;
    // One may end before all has been handed over.
    const ended = Promise.all(workers.map((worker) => untilExit(worker)));
    const limit = new Deadline(this.#timeoutMs);
    await Promise.race([this.#waiting.taken(), ended, limit.reached]);
    for (const worker of workers) sendShutdown(worker);
    void this.#endStarting(workers);
    await Promise.race([ended, limit.reached]);
    limit.cancel();
  }

  /** Ends workers that can't answer, because they have only just been started. */
  async #endStarting(workers: readonly Worker[]): Promise<void> {
    await delay(ANSWER_MS);
    for (const worker of workers) {
      // Undocumented: "none", "online", then "listening".
      const { state } = worker as { readonly state?: unknown };
      const isStarting = state === "none" || state === "online";
      if (!isStarting || this.#answered.has(worker) || worker.isDead()) {
        continue;
      }
      worker.process.kill("SIGTERM");
    }
  }
}

/** The workers that have not ended. */
function livingWorkers(): Worker[] {
  return Object.values(builtin("node:cluster").workers ?? {})
    .filter((worker) => worker !== undefined)
    .filter((worker) => !worker.isDead());
}

/** A connection that a primary has accepted. */
interface ClientHandle {
  /** Called when a worker has taken the connection. */
  close(...args: unknown[]): void;
}

/** The connections of a primary that no worker has taken yet. */
class WaitingConnections {
  readonly #clients = new Set<ClientHandle>();
  /** Those that may have been on their way to a worker that has ended. */
  readonly #doubtful = new WeakSet<ClientHandle>();
  #onTaken: (() => void) | undefined;

  /** Follows what is accepted on a handle. */
  follow(handle: ServerHandle): void {
    const distribute = handle.onconnection;
    handle.onconnection = (status, client) => {
      if (client) this.#add(client as ClientHandle);
      distribute.call(handle, status, client);
    };
  }

  #add(client: ClientHandle): void {
    this.#clients.add(client);
    const { close } = client;
    client.close = (...args) => {
      this.#clients.delete(client);
      close.apply(client, args);
      if (this.#clients.size === 0) this.#onTaken?.();
    };
  }

  /** A worker has ended, to which some of them may have been on their way. */
  doubt(): void {
    for (const client of this.#clients) this.#doubtful.add(client);
  }

  /** Waits until workers have taken all of them that they can take. */
  async taken(): Promise<void> {
    const clients = this.#clients;
    let before = Infinity;
    while (clients.size > 0) {
      const areDoubtful = [...clients].every((each) =>
        this.#doubtful.has(each)
      );
      if (areDoubtful && clients.size >= before) return;
      before = clients.size;
      const taken = new Promise<void>((resolve) => this.#onTaken = resolve);
      await waitAtMost(STUCK_MS, taken);
    }
  }
}

/** A handle without a worker, which keeps what arrives for the next one. */
class ParkedHandle {
  readonly #handle: ServerHandle;
  readonly #arrived: [status: number, client: unknown][] = [];

  constructor(handle: ServerHandle) {
    this.#handle = handle;
    handle.unref();
    handle.onconnection = (...args) => void this.#arrived.push(args);
  }

  listen(server: net.Server, waiting: WaitingConnections): void {
    const handle = this.#handle;
    handle.ref();
    const listening = server as WithHandle;
    listening._handle = handle;
    // A listener of node:cluster takes the handle from the server meanwhile.
    server.prependOnceListener("listening", () =>
      queueMicrotask(() => {
        waiting.follow(handle);
        for (const args of this.#arrived) handle.onconnection(...args);
      }));
    listening._listen2(null, -1, -1);
  }
}

function untilExit(worker: Worker): Promise<void> {
  return new Promise((resolve) => worker.once("exit", () => resolve()));
}

/** Asks a worker to end, whom the signal may not have reached. */
function sendShutdown(worker: Worker): void {
  worker.send({ cmd: SHUTDOWN }, ignoreSendError);
}
