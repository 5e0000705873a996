/**
 * Keeps a command running: starts it, passes signals on, and starts it again
 * when its files change, while the sockets stay open.
 *
 * @module
 */

import {
  describeEnding,
  type RunningCommand,
  statusOf,
  statusOfSignal,
} from "../activator/running_command.ts";
import type { Signals } from "../activator/signals.ts";

/** Changes to files. */
export interface Changes {
  /** The next change since the last {@linkcode Changes.clear}. */
  next(): Promise<string>;
  /** Forgets what changed so far. */
  clear(): void;
}

/** What is kept running, and how. */
export interface Supervision {
  /** Starts the command. */
  start(): RunningCommand;
  /** The signals that come in. */
  readonly signals: Signals;
  /** How long the command may take to end, in milliseconds. */
  readonly stopTimeout: number;
  /** Tells a person something. */
  report(text: string): void;
  /** When to start it again; else it is started once. */
  readonly changes?: Changes;
  /** Whether somebody waits to be served; else it is started at once. */
  readonly isWaiting?: () => boolean;
}

/** How often it is looked whether somebody waits. */
const WAITING_MILLISECONDS = 20;
/** Who ends sooner than this has crashed. */
const SOON_MILLISECONDS = 2000;
/** How long to wait after the first crash, doubled with each, and at most. */
const BACKOFF_MILLISECONDS = { first: 100, last: 5000 };

type Event =
  | { readonly kind: "ended" }
  | { readonly kind: "stop"; readonly signal: NodeJS.Signals }
  | { readonly kind: "changed"; readonly what: string };

/**
 * Keeps a command running.
 *
 * @param supervision What, and how.
 * @returns The exit status: that of the command.
 */
export async function supervise(supervision: Supervision): Promise<number> {
  const { signals, stopTimeout, report, changes, isWaiting } = supervision;
  const stop = signals.end
    .then((signal): Event => ({ kind: "stop", signal }));
  const changed = async (): Promise<Event> => ({
    kind: "changed",
    what: await changes!.next(),
  });
  /** Waits for a change, and for some time; gives the status if it is over. */
  const afterChange = async (delay: number): Promise<number | undefined> => {
    const time = sleep(delay);
    const next = await Promise.race([stop, changed()]);
    const late = await Promise.race([stop, time]);
    if (next.kind === "changed" && late === undefined) {
      report(`${next.what} changed: starting the command`);
      return undefined;
    }
    return statusOfSignal(await signals.end);
  };
  let isFirst = true;
  for (let crashes = 0;;) {
    if (isWaiting !== undefined) {
      await until(() => signals.isEnding || isWaiting());
    }
    if (signals.isEnding) return statusOfSignal(await signals.end);
    changes?.clear();
    const started = Date.now();
    let command: RunningCommand;
    try {
      command = supervision.start();
    } catch (error) {
      if (changes === undefined || isFirst) throw error;
      // A file that is being replaced, maybe: it comes back as a change.
      report((error as Error).message);
      const status = await afterChange(0);
      if (status !== undefined) return status;
      continue;
    }
    isFirst = false;
    signals.add(command);
    const ended = command.exited.then((): Event => ({ kind: "ended" }));
    const event = await Promise.race([
      ended,
      stop,
      ...(changes === undefined ? [] : [changed()]),
    ]);
    if (event.kind === "changed") {
      report(`${event.what} changed: starting the command again`);
      const ending = await command.stop(stopTimeout);
      signals.remove(command);
      if (signals.isEnding) return statusOf(ending);
      crashes = 0;
      continue;
    }
    const ending = await command.exited;
    await command.settle(stopTimeout);
    signals.remove(command);
    if (
      changes === undefined || signals.isEnding ||
      signals.wasPassedOn(ending.signal)
    ) {
      return statusOf(ending);
    }
    crashes = Date.now() - started < SOON_MILLISECONDS ? crashes + 1 : 0;
    report(
      `the command ended ${describeEnding(ending)}: it is started again when ` +
        `its files change`,
    );
    const status = await afterChange(backoff(crashes));
    if (status !== undefined) return status;
  }
}

/** How long to wait after so many crashes in a row. */
export function backoff(crashes: number): number {
  const { first, last } = BACKOFF_MILLISECONDS;
  return crashes === 0 ? 0 : Math.min(first * 2 ** (crashes - 1), last);
}

async function until(isTrue: () => boolean): Promise<undefined> {
  while (!isTrue()) await sleep(WAITING_MILLISECONDS);
}

function sleep(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) =>
    setTimeout(() => resolve(undefined), milliseconds)
  );
}
