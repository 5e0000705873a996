/**
 * Keeps a command running: starts it, forwards signals, and restarts it when
 * its files change, while the sockets stay open.
 *
 * @module
 */

import { setTimeout as sleep } from "node:timers/promises";
import {
  describeEnding,
  type RunningCommand,
  statusOf,
  statusOfSignal,
} from "../activator/running_command.ts";
import type { Signals } from "../activator/signals.ts";

/** Source of changes to files. */
export interface Changes {
  /** Resolves with the next change since the last {@linkcode Changes.clear}. */
  next(): Promise<string>;
  /** Forgets the changes so far. */
  clear(): void;
}

/** A command to supervise. */
export interface Supervision {
  /** Starts the command. */
  start(): RunningCommand;
  /** Signals that this process receives. */
  readonly signals: Signals;
  /** Time until the command is killed after SIGTERM. */
  readonly stopTimeoutMs: number;
  /** Prints a line for people. */
  report(text: string): void;
  /** Restarts the command on changes; without it, the command runs once. */
  readonly changes?: Changes;
  /** Delays each start until a client waits. */
  readonly lazy?: LazyStart;
}

/** Condition of a start. */
export interface LazyStart {
  /** Returns true if a client waits. */
  isWaiting(): boolean;
  /** The sockets, as in "on web (127.0.0.1:8080)". */
  readonly place: string;
}

/** Interval of checks for a waiting client. */
const WAITING_POLL_MS = 20;
/**
 * Shortest time from a start to a restart, so that clients are served although
 * files change all the time.
 */
export const MIN_RUN_MS = 1000;
/** A command that ends sooner has crashed. */
export const CRASH_MS = 2000;
/** Delay after the first crash, doubled with each further crash. */
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5000;

/** Supervises a command; returns its exit status. */
export async function supervise(supervision: Supervision): Promise<number> {
  const { signals, stopTimeoutMs, report, changes, lazy } = supervision;
  const terminated = signals.termination.then(() => undefined);
  let crashes = 0;
  for (let isFirst = true;; isFirst = false) {
    if (lazy !== undefined) await waitForClient(supervision, lazy, isFirst);
    if (signals.isTerminating) return statusOfSignal(await signals.termination);
    changes?.clear();
    const startTime = Date.now();
    let command: RunningCommand;
    try {
      command = supervision.start();
    } catch (error) {
      if (changes === undefined || isFirst) throw error;
      // The program may be missing while it is replaced: the next change retries.
      report((error as Error).message);
      if (await waitForChange(supervision, 0)) continue;
      return statusOfSignal(await signals.termination);
    }
    signals.addReceiver(command);
    const change = await Promise.race([
      command.exited.then(() => undefined),
      terminated,
      ...(changes === undefined ? [] : [changes.next()]),
    ]);
    if (change !== undefined) {
      const remainingMs = startTime + MIN_RUN_MS - Date.now();
      await Promise.race([
        command.exited,
        terminated,
        sleep(Math.max(0, remainingMs)),
      ]);
    }
    if (change !== undefined && !signals.isTerminating) {
      report(`${change} changed: restarting`);
      const ending = await command.stop(stopTimeoutMs);
      signals.removeReceiver(command);
      if (signals.isTerminating) return statusOf(ending);
      crashes = 0;
      continue;
    }
    const ending = await command.exited;
    await command.endGroup(stopTimeoutMs);
    signals.removeReceiver(command);
    if (
      changes === undefined || signals.isTerminating ||
      signals.hasReceived(ending.signal)
    ) {
      return statusOf(ending);
    }
    crashes = Date.now() - startTime < CRASH_MS ? crashes + 1 : 0;
    report(
      `the command ended ${describeEnding(ending)}: it is started again when ` +
        `files change`,
    );
    if (await waitForChange(supervision, backoffMs(crashes))) continue;
    return statusOfSignal(await signals.termination);
  }
}

/** Waits until a client waits, or a termination signal arrives. */
export async function waitForClient(
  { signals, report }: Pick<Supervision, "signals" | "report">,
  lazy: LazyStart,
  isFirst: boolean,
): Promise<void> {
  if (lazy.isWaiting()) return;
  report(`waiting for the ${isFirst ? "first" : "next"} ${lazy.place}`);
  while (!signals.isTerminating && !lazy.isWaiting()) {
    await sleep(WAITING_POLL_MS);
  }
}

/** Waits for a change and the delay; returns false after a termination signal. */
async function waitForChange(
  { signals, changes, report }: Supervision,
  delayMs: number,
): Promise<boolean> {
  const terminated = signals.termination.then(() => undefined);
  const delay = sleep(delayMs, true);
  const change = await Promise.race([terminated, changes!.next()]);
  const isOver = await Promise.race([terminated, delay]);
  if (change === undefined || isOver === undefined) return false;
  report(`${change} changed: starting`);
  return true;
}

/** Returns the delay after a number of crashes in a row. */
export function backoffMs(crashes: number): number {
  return crashes === 0
    ? 0
    : Math.min(FIRST_BACKOFF_MS * 2 ** (crashes - 1), MAX_BACKOFF_MS);
}
