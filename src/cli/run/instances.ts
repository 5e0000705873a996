/**
 * Keeps several instances of a command running on the same sockets, and restarts
 * them one after another when files change.
 *
 * @module
 */

import { setTimeout as sleep } from "node:timers/promises";
import {
  describeEnding,
  type Ending,
  type RunningCommand,
  statusOf,
  statusOfSignal,
} from "../activator/running_command.ts";
import type { Serving } from "../activator/proc_serving.ts";
import {
  CRASH_MS,
  MIN_RUN_MS,
  type Supervision,
  waitForClient,
} from "./supervisor.ts";

/** An instance that was started. */
export interface StartedInstance {
  readonly command: RunningCommand;
  /** Returns how many of the sockets the instance waits on. */
  serving(): Serving;
}

/** Instances to supervise. */
export interface InstancesSupervision extends Omit<Supervision, "start"> {
  readonly count: number;
  /** Starts an instance, the first being 1. */
  start(instance: number): StartedInstance;
}

const SERVING_POLL_MS = 20;
/** Longest wait for an instance that serves in a way that can't be seen. */
const SERVING_LIMIT_MS = 5000;
/** Longest wait for further sockets, which the program may not use. */
const FURTHER_SOCKETS_MS = 500;

/** Supervises instances; returns the exit status of the first that failed. */
export async function superviseInstances(
  supervision: InstancesSupervision,
): Promise<number> {
  const instances = new Instances(supervision);
  try {
    return await instances.run();
  } finally {
    await instances.stopAll();
  }
}

/** How long a restart waits for an instance to serve. */
interface ServingLimit {
  readonly limitMs: number;
  /** Returns true if the wait has no use any more. */
  isOver(): boolean;
  /** Called once if the instance is late. */
  onLate(): void;
}

/** An instance that has ended by itself. */
interface EndedInstance {
  readonly instance: number;
  readonly ending: Ending;
}

class Instances {
  readonly #supervision: InstancesSupervision;
  /** The running ones, by number. */
  readonly #running = new Map<number, StartedInstance>();
  readonly #terminated: Promise<undefined>;

  constructor(supervision: InstancesSupervision) {
    this.#supervision = supervision;
    const { signals } = supervision;
    this.#terminated = signals.termination.then(() => undefined);
  }

  async run(): Promise<number> {
    const { signals, changes, lazy, count } = this.#supervision;
    if (lazy !== undefined) await waitForClient(this.#supervision, lazy, true);
    changes?.clear();
    let startTime = Date.now();
    if (!signals.isTerminating) {
      for (let instance = 1; instance <= count; instance++) {
        this.#start(instance);
      }
    }
    for (;;) {
      const event = await Promise.race([
        this.#terminated,
        ...this.#endings(),
        ...changes === undefined ? [] : [changes.next()],
      ]);
      if (event === undefined) return await this.#awaitAll();
      if (typeof event !== "string") {
        const status = await this.#handleEnding(event);
        if (status !== undefined) return status;
        continue;
      }
      const remainingMs = Math.max(0, startTime + MIN_RUN_MS - Date.now());
      await Promise.race([this.#terminated, sleep(remainingMs)]);
      startTime = Date.now();
      await this.#restartAll(event);
    }
  }

  /** Stops all instances at the same time. */
  async stopAll(): Promise<void> {
    await Promise.all(
      [...this.#running.keys()].map((instance) => this.#stop(instance)),
    );
  }

  #start(instance: number): StartedInstance {
    const started = this.#supervision.start(instance);
    this.#running.set(instance, started);
    this.#supervision.signals.addReceiver(started.command);
    return started;
  }

  async #stop(instance: number): Promise<void> {
    const { stopTimeoutMs, signals } = this.#supervision;
    const { command } = this.#running.get(instance)!;
    this.#running.delete(instance);
    await command.stop(stopTimeoutMs);
    signals.removeReceiver(command);
  }

  #endings(): Promise<EndedInstance>[] {
    return [...this.#running].map(async ([instance, { command }]) => ({
      instance,
      ending: await command.exited,
    }));
  }

  /** Ends what an ended instance has left. */
  async #remove(instance: number): Promise<void> {
    const { stopTimeoutMs, signals } = this.#supervision;
    const { command } = this.#running.get(instance)!;
    this.#running.delete(instance);
    await command.endGroup(stopTimeoutMs);
    signals.removeReceiver(command);
  }

  /** Waits for instances that were asked to end. */
  async #awaitAll(earlier: readonly number[] = []): Promise<number> {
    const ended = await Promise.all(this.#endings());
    await Promise.all(ended.map(({ instance }) => this.#remove(instance)));
    const statuses = [
      ...earlier,
      ...ended.map(({ ending }) => statusOf(ending)),
    ];
    if (statuses.length > 0) return statuses.find((each) => each !== 0) ?? 0;
    return statusOfSignal(await this.#supervision.signals.termination);
  }

  /** Returns the exit status if an ending ends everything. */
  async #handleEnding(
    { instance, ending }: EndedInstance,
  ): Promise<number | undefined> {
    const { changes, signals, report } = this.#supervision;
    await this.#remove(instance);
    const status = statusOf(ending);
    if (signals.isTerminating) return await this.#awaitAll([status]);
    const isOver = changes === undefined
      ? status !== 0 || this.#running.size === 0
      : signals.hasReceived(ending.signal);
    const what = `instance ${instance} ended ${describeEnding(ending)}`;
    if (changes !== undefined && !isOver) {
      report(`${what}: it is started again when files change`);
    } else if (isOver && this.#running.size > 0) {
      report(`${what}: ending the others`);
    } else if (!isOver) {
      report(what);
    }
    return isOver ? status : undefined;
  }

  /** Restarts one after another, until one fails or files change again. */
  async #restartAll(change: string): Promise<void> {
    const { signals, changes, report, count } = this.#supervision;
    if (signals.isTerminating) return;
    report(`${change} changed: restarting one instance after another`);
    changes!.clear();
    let hasChanged = false;
    changes!.next().then(() => hasChanged = true);
    for (let instance = 1; instance <= count; instance++) {
      const earlier = this.#running.get(instance);
      const limit: ServingLimit = {
        // A program that was seen to serve will be seen again.
        limitMs: earlier === undefined || earlier.serving() === "none"
          ? SERVING_LIMIT_MS
          : Infinity,
        isOver: () => hasChanged,
        onLate: () =>
          report(
            `instance ${instance} doesn't serve yet: the others run on as ` +
              `before until it does`,
          ),
      };
      if (earlier !== undefined) await this.#stop(instance);
      if (signals.isTerminating) return;
      try {
        if (!await this.#becomesServing(this.#start(instance), limit)) {
          if (instance < count) {
            report(
              `instance ${instance} ended at once: the others run on as before`,
            );
          }
          return;
        }
      } catch (error) {
        // The program may be missing while it is replaced.
        report((error as Error).message);
        return;
      }
      if (hasChanged) return;
    }
  }

  /** Waits until an instance serves; returns false if it ends before. */
  async #becomesServing(
    { command, serving }: StartedInstance,
    { limitMs, isOver, onLate }: ServingLimit,
  ): Promise<boolean> {
    const { signals } = this.#supervision;
    const begun = Date.now();
    let hasEnded = false;
    let isLate = false;
    command.exited.then(() => hasEnded = true, () => hasEnded = true);
    while (!hasEnded && !signals.isTerminating) {
      const elapsedMs = Date.now() - begun;
      const state = serving();
      if (
        state === "all" || elapsedMs >= limitMs ||
        (state === "some" && elapsedMs >= FURTHER_SOCKETS_MS)
      ) return true;
      if (elapsedMs >= SERVING_LIMIT_MS) {
        if (isOver()) return true;
        if (!isLate) onLate();
        isLate = true;
      }
      await Promise.race([command.exited, sleep(SERVING_POLL_MS)]);
    }
    return !hasEnded || Date.now() - begun >= CRASH_MS;
  }
}
