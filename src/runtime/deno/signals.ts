/**
 * Counting listeners for signals without `process`, which Deno loads at the first
 * access: that takes longer than to begin to serve.
 *
 * @module
 */

import { processGlobal, signalNumber } from "../builtin.ts";

/**
 * Returns a function that counts the listeners for a signal. From its first call
 * on, it observes the functions of Deno, which `process.on()` calls, too. An
 * earlier listener of `Deno.addSignalListener` shows only in the mask of caught
 * signals, which takes `--allow-ffi` to read; without, it is not counted.
 *
 * @param readStatus Reads `/proc/self/status`; `undefined` without permission.
 */
export function signalListenerCounter(
  deno: Pick<typeof Deno, "addSignalListener" | "removeSignalListener">,
  readStatus: () => string | undefined,
): (signal: string) => number {
  const listeners = new Map<string, Set<unknown>>();
  const earlier = new Set<string>();
  /** Signals that had listeners of `process` before they were observed. */
  const counted = new Set<string>();
  const removed = new Set<string>();
  let isObserving = false;
  const listenersOf = (signal: string) => {
    const known = listeners.get(signal);
    if (known !== undefined) return known;
    const added = new Set<unknown>();
    listeners.set(signal, added);
    return added;
  };
  return (signal) => {
    if (!isObserving) {
      isObserving = true;
      observe(deno, listenersOf, earlier, removed);
    }
    if (!listeners.has(signal)) {
      listenersOf(signal);
      const status = readStatus();
      if (status === undefined || isCaught(signal, status)) {
        if (countOfProcess(signal) > 0) counted.add(signal);
        else if (status !== undefined) earlier.add(signal);
      }
    }
    return listenersOf(signal).size + Number(earlier.has(signal)) +
      Number(removed.has(signal)) +
      (counted.has(signal) ? countOfProcess(signal) : 0);
  };
}

function countOfProcess(signal: string): number {
  return processGlobal()!.listenerCount(signal);
}

function observe(
  deno: Pick<typeof Deno, "addSignalListener" | "removeSignalListener">,
  listenersOf: (signal: string) => Set<unknown>,
  earlier: Set<string>,
  removed: Set<string>,
): void {
  const { addSignalListener, removeSignalListener } = deno;
  deno.addSignalListener = (signal, listener) => {
    addSignalListener(signal, listener);
    listenersOf(signal).add(listener);
  };
  deno.removeSignalListener = (signal, listener) => {
    removeSignalListener(signal, listener);
    if (!listenersOf(signal).delete(listener)) earlier.delete(signal);
    // Deno calls listeners in the order of their registration. One that is called
    // once counts until all listeners of the same signal have been called.
    removed.add(signal);
    queueMicrotask(() => removed.delete(signal));
  };
}

/**
 * Signals that Deno itself catches at once, SIGTERM among them: when it waits for
 * the lock of its cache, say. A program that catches all of these is rare.
 */
const CAUGHT_BY_DENO = ["SIGHUP", "SIGINT", "SIGUSR1"] as const;

/**
 * Numbers of the usual signals on x86_64 and arm64, see signal(7): the module that
 * has all of them loads `process`.
 */
const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGUSR1: 10,
  SIGTERM: 15,
};

/** Whether the program catches a signal, see `SigCgt` in proc(5). */
function isCaught(signal: string, status: string): boolean {
  const [, mask] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  const has = (name: string) => {
    const number = SIGNAL_NUMBERS[name] ?? signalNumber(name);
    return mask !== undefined && number !== undefined &&
      ((BigInt(`0x${mask}`) >> BigInt(number - 1)) & 1n) === 1n;
  };
  return has(signal) && !CAUGHT_BY_DENO.every(has);
}
