/**
 * Draining the servers before the program's own listeners for a signal are
 * called: one that exits at once, or closes idle connections, would lose requests.
 *
 * @module
 */

import type { EventEmitter } from "node:events";
import { builtin, processGlobal, signalNumber } from "../runtime/builtin.ts";
import {
  drainingServers,
  runningServers,
} from "../shutdown/server_lifetime.ts";
import { exitLater } from "../shutdown/signals.ts";
import { shutdownTimes } from "../shutdown/times.ts";

/** The signal that a service manager stops services with. */
const STOP_SIGNAL = "SIGTERM";
/** Deferred, too, if the program listens for it. */
const INTERRUPT_SIGNAL = "SIGINT";
const SIGNALS: readonly unknown[] = [STOP_SIGNAL, INTERRUPT_SIGNAL];

/** The methods of `process` that are replaced. */
const CHANGES = [
  "on",
  "addListener",
  "once",
  "prependListener",
  "prependOnceListener",
  "off",
  "removeListener",
] as const;
const QUERIES = ["listeners", "rawListeners", "listenerCount"] as const;
const REPLACED = [...CHANGES, ...QUERIES, "removeAllListeners"] as const;

type Method = (...args: unknown[]) => unknown;

/** A listener, or what an emitter wraps one in that is called once. */
type SignalListener = ((...args: unknown[]) => unknown) & {
  readonly listener?: (...args: unknown[]) => unknown;
};

/** What a drain has beside the servers. */
interface DrainSteps {
  /** Precedes the end of the servers. */
  readonly before?: () => Promise<void>;
  /** Ends what else serves, beside the servers. */
  readonly beside?: () => Promise<void>;
  /** Follows the end of the servers, unless the program decides about its own. */
  readonly after?: () => void;
  /** Deno's own function that adds a listener. */
  readonly addToDeno?: (signal: string, listener: () => void) => void;
}

/** Defers the program's listeners for the signals that stop it. */
export class ProgramSignals {
  readonly #process = processGlobal() as unknown as EventEmitter & {
    readonly pid: number;
    exit(status: number): never;
  };
  /** The program's listeners. */
  readonly #program: EventEmitter = new (builtin("node:events").EventEmitter)();
  /** The methods of `process` for the listeners that are called at once. */
  readonly #own: Readonly<Record<string, Method>>;
  /** Our listeners, by their signals. */
  readonly #registered = new Map<string, () => void>();
  readonly #arrived = new Set<string>();
  #isStopping = false;
  /** Whether one of our calls adds or removes a listener. */
  #isOwnCall = false;
  /** Those of `Deno.addSignalListener`. */
  readonly #denoListeners = new Set<unknown>();
  readonly #timeoutMs: number;
  readonly #steps: DrainSteps;

  /** @param timeoutMs Time that the program's listeners have. */
  constructor(timeoutMs: number, steps: DrainSteps) {
    this.#timeoutMs = timeoutMs;
    this.#steps = steps;
    this.#own = Object.fromEntries(REPLACED.map((name) => [
      name,
      (this.#process[name] as Method).bind(this.#process),
    ]));
    for (const name of REPLACED) this.#replace(name);
    this.#register(STOP_SIGNAL);
  }

  /**
   * Adds a listener of the program, unless listeners for the signal are called at
   * once.
   *
   * @returns Whether it was added.
   */
  defer(signal: string, listener: () => void): boolean {
    if (!this.#isDeferred(signal)) return false;
    // The listeners of Deno get no arguments, and are called once each.
    const isKnown = this.#program.listeners(signal).includes(listener);
    if (!isKnown) this.#program.on(signal, listener);
    this.#denoListeners.add(listener);
    this.#followProgram();
    return true;
  }

  /** Removes a listener that {@linkcode defer} has added; returns whether it did. */
  undefer(signal: string, listener: () => void): boolean {
    if (!this.#isDeferred(signal)) return false;
    this.#program.off(signal, listener);
    this.#followProgram();
    return true;
  }

  #replace(name: typeof REPLACED[number]): void {
    const own = this.#own[name]!;
    const program = (this.#program[name] as Method).bind(this.#program);
    const isQuery = (QUERIES as readonly string[]).includes(name);
    Object.defineProperty(this.#process, name, {
      configurable: true,
      writable: true,
      value: (...args: unknown[]) => {
        const [event] = args;
        if (name === "removeAllListeners" && args.length === 0) {
          program();
          own();
          this.#registerAgain();
          return this.#process;
        }
        if (this.#isDeferred(event)) {
          const result = program(...args);
          this.#followProgram();
          return isQuery ? result : this.#process;
        }
        return own(...args);
      },
    });
  }

  #isDeferred(event: unknown): boolean {
    return !this.#isOwnCall && SIGNALS.includes(event) &&
      !this.#arrived.has(event as string);
  }

  /** Defers interrupts while the program listens for them. */
  #followProgram(): void {
    const listens = this.#program.listenerCount(INTERRUPT_SIGNAL) > 0;
    if (listens) this.#register(INTERRUPT_SIGNAL);
    else this.#unregister(INTERRUPT_SIGNAL);
  }

  /** After all listeners of the process were removed, ours among them. */
  #registerAgain(): void {
    for (const [signal, listener] of this.#registered) {
      this.#call("on", signal, listener);
    }
    this.#followProgram();
  }

  #register(signal: string): void {
    if (this.#registered.has(signal)) return;
    const listener = () => void this.#onSignal(signal);
    this.#registered.set(signal, listener);
    this.#call("on", signal, listener);
  }

  #unregister(signal: string): void {
    const listener = this.#registered.get(signal);
    if (listener === undefined) return;
    this.#registered.delete(signal);
    this.#call("off", signal, listener);
  }

  /** Calls a method of `process` as it was; Deno's calls functions of `Deno`. */
  #call(
    name: "on" | "once" | "off",
    signal: string,
    listener: (...args: never[]) => unknown,
  ): void {
    this.#isOwnCall = true;
    try {
      this.#own[name]!(signal, listener);
    } finally {
      this.#isOwnCall = false;
    }
  }

  /** Whether a signal to stop has arrived. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Does what the signal that stops services does, unless it has arrived. */
  stop(): void {
    if (this.isStopping) return;
    // The signal itself is likely to follow, and would be a second one. It may come
    // at any time, also while our own listener is removed.
    const ignore = () => this.#call("off", STOP_SIGNAL, ignore);
    this.#call("on", STOP_SIGNAL, ignore);
    void this.#onSignal(STOP_SIGNAL);
  }

  async #onSignal(signal: string): Promise<void> {
    this.#isStopping = true;
    // A second signal has its usual effect, which is none for the process 1 of a
    // container, see pid_namespaces(7).
    const exit = () => this.#process.exit(128 + signalNumber(signal)!);
    const isInit = this.#process.pid === 1;
    if (isInit) this.#call("on", signal, exit);
    this.#unregister(signal);
    await this.#steps.before?.();
    const servers = [...runningServers, ...drainingServers];
    await Promise.allSettled([
      ...servers.map((each) => each.shutdown()),
      this.#steps.beside?.(),
    ]);
    this.#arrived.add(signal);
    const listeners = this.#program.rawListeners(signal) as SignalListener[];
    if (listeners.length === 0) {
      this.#steps.after?.();
      return exitLater(shutdownTimes.exitMs);
    }
    exitLater(this.#timeoutMs);
    if (isInit) this.#call("off", signal, exit);
    // As if they had been the process's own from the start: one may remove itself
    // and send the signal again.
    for (const listener of listeners) this.#moveToProcess(signal, listener);
    this.#process.emit(signal, signal, signalNumber(signal));
    for (const listener of listeners) {
      if (this.#denoListeners.has(listener)) listener();
    }
  }

  #moveToProcess(signal: string, listener: SignalListener): void {
    if (this.#denoListeners.has(listener)) {
      this.#steps.addToDeno?.(signal, listener as () => void);
    } else if (listener.listener !== undefined) {
      this.#call("once", signal, listener.listener);
    } else this.#call("on", signal, listener);
  }
}
