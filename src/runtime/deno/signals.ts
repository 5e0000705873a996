/**
 * Listeners for signals without `process`, which Deno loads at the first access:
 * that takes longer than to begin to serve.
 *
 * @module
 */

import { processGlobal, signalNumber } from "../builtin.ts";
import type { Platform } from "../platform.ts";

/** The functions of Deno, which are observed. */
export type SignalFunctions = Pick<
  typeof Deno,
  "addSignalListener" | "removeSignalListener"
>;

/**
 * Adds listeners for signals, and counts those of the program. From the first
 * count on, it observes the functions of Deno, which `process.on()` calls, too. An
 * earlier listener of `Deno.addSignalListener` shows only in the mask of caught
 * signals, which takes `--allow-ffi` to read; without, it is not counted.
 */
export class SignalListeners implements
  Pick<
    Platform,
    "addSignalListener" | "removeSignalListener" | "countSignalListeners"
  > {
  readonly #deno: SignalFunctions;
  readonly #readStatus: () => string | undefined;
  readonly #isProcessLoaded: () => boolean;
  readonly #listeners: Map<string, Set<unknown>> = new Map();
  /** Signals with a listener before they were observed, of `process` or not. */
  readonly #earlierOfProcess: Set<string> = new Set();
  readonly #earlier: Set<string> = new Set();
  readonly #removed: Set<string> = new Set();
  /** The listeners of this library that `process` doesn't have. */
  readonly #hidden: Map<string, Set<() => void>> = new Map();
  #isObserving = false;

  /**
   * @param readStatus Reads `/proc/self/status`; `undefined` without permission.
   * @param isProcessLoaded Whether Deno has created `process`, as far as known.
   */
  constructor(
    deno: SignalFunctions,
    readStatus: () => string | undefined,
    isProcessLoaded: () => boolean,
  ) {
    this.#deno = deno;
    this.#readStatus = readStatus;
    this.#isProcessLoaded = isProcessLoaded;
  }

  /** Adds a listener; Deno calls listeners in the order of their registration. */
  readonly addSignalListener = (signal: string, listener: () => void): void => {
    if (this.#earlierOfProcess.has(signal) || this.#isProcessLoaded()) {
      processGlobal()!.prependListener(signal, listener);
      return;
    }
    this.#deno.addSignalListener(signal as Deno.Signal, listener);
    const hidden = this.#hidden.get(signal) ?? new Set();
    this.#hidden.set(signal, hidden.add(listener));
  };

  readonly removeSignalListener = (
    signal: string,
    listener: () => void,
  ): void => {
    if (this.#hidden.get(signal)?.delete(listener)) {
      this.#deno.removeSignalListener(signal as Deno.Signal, listener);
    } else processGlobal()!.off(signal, listener);
  };

  readonly countSignalListeners = (signal: string): number => {
    if (!this.#isObserving) {
      this.#isObserving = true;
      this.#observe();
    }
    if (!this.#listeners.has(signal)) {
      this.#listenersOf(signal);
      const status = this.#readStatus();
      if (status === undefined || isCaught(signal, status)) {
        if (processGlobal()!.listenerCount(signal) > 0) {
          this.#earlierOfProcess.add(signal);
        } else if (status !== undefined) this.#earlier.add(signal);
      }
    }
    return this.#listenersOf(signal).size + Number(this.#earlier.has(signal)) +
      Number(this.#removed.has(signal)) +
      (this.#earlierOfProcess.has(signal)
        ? processGlobal()!.listenerCount(signal)
        : 0);
  };

  #listenersOf(signal: string): Set<unknown> {
    const known = this.#listeners.get(signal) ?? new Set();
    this.#listeners.set(signal, known);
    return known;
  }

  #observe(): void {
    const { addSignalListener, removeSignalListener } = this.#deno;
    this.#deno.addSignalListener = (signal, listener) => {
      addSignalListener(signal, listener);
      this.#listenersOf(signal).add(listener);
      this.#show(signal);
    };
    this.#deno.removeSignalListener = (signal, listener) => {
      removeSignalListener(signal, listener);
      if (!this.#listenersOf(signal).delete(listener)) {
        this.#earlier.delete(signal);
      }
      // Deno calls listeners in the order of their registration. One that is called
      // once counts until all listeners of the same signal have been called.
      this.#removed.add(signal);
      queueMicrotask(() => this.#removed.delete(signal));
    };
  }

  /**
   * Makes `process` show the listeners of this library when the program adds one:
   * signal-exit ends the process where it finds only its own. Deno calls a listener
   * that is added twice once, and in the first order.
   */
  #show(signal: string): void {
    const hidden = [...this.#hidden.get(signal) ?? []];
    this.#hidden.delete(signal);
    for (const listener of hidden) {
      processGlobal()!.prependListener(signal, listener);
    }
  }
}

/** What Deno's own code knows of `process`. */
interface DenoInternals {
  readonly internal?: symbol;
  readonly [internal: symbol]: { __nodeProcessBootstrapped?: boolean };
}

/**
 * Whether Deno has created `process`, as far as known. Deno 2.9 does so when it is
 * imported, or at the first access to the global; before, at the start.
 */
export function isProcessLoaded(deno: object): boolean {
  const global = Object.getOwnPropertyDescriptor(globalThis, "process");
  if (global?.get === undefined) return true;
  const internals = deno as DenoInternals;
  const { internal } = internals;
  return internal !== undefined &&
    internals[internal]?.__nodeProcessBootstrapped === true;
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
