/**
 * The signals that an activator passes on.
 *
 * @module
 */

import process from "node:process";

/** Those that ask for an end: the second one kills. */
const ENDING: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM"];
/** Those that mean what the command makes of them. */
const OTHERS: readonly NodeJS.Signals[] = [
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
];

/** Who gets the signals: nobody, before a command runs, and between two. */
export interface Receiver {
  /** Sends one; whether anybody was there. */
  signal(signal: NodeJS.Signals): boolean;
}

/** Signals that come in, from when it is made until it is closed. */
export class Signals {
  /** The first signal that asks for an end, when it comes. */
  readonly end: Promise<NodeJS.Signals>;
  readonly #passedOn = new Set<NodeJS.Signals>();
  readonly #receivers = new Set<Receiver>();
  readonly #listeners: (() => void)[] = [];
  #resolve!: (signal: NodeJS.Signals) => void;
  #endings = 0;

  /** Begins to listen. */
  constructor() {
    this.end = new Promise((resolve) => this.#resolve = resolve);
    for (const signal of [...ENDING, ...OTHERS]) {
      const listener = () => this.#receive(signal);
      process.on(signal, listener);
      this.#listeners.push(() => process.off(signal, listener));
    }
  }

  /** Whether an end was asked for. */
  get isEnding(): boolean {
    return this.#endings > 0;
  }

  /** Whether a signal came in: then it is no wonder that it ended a command. */
  wasPassedOn(signal: NodeJS.Signals | null): boolean {
    return signal !== null && this.#passedOn.has(signal);
  }

  /** Passes signals on to somebody. */
  add(receiver: Receiver): void {
    this.#receivers.add(receiver);
  }

  /** Ends that. */
  remove(receiver: Receiver): void {
    this.#receivers.delete(receiver);
  }

  /** Ends it all. */
  close(): void {
    for (const off of this.#listeners) off();
  }

  #receive(signal: NodeJS.Signals): void {
    this.#passedOn.add(signal);
    const isEnding = ENDING.includes(signal) ||
      // A terminal that is gone, with nobody to decide what that means.
      (this.#receivers.size === 0 && ["SIGHUP", "SIGQUIT"].includes(signal));
    if (isEnding) {
      this.#endings++;
      this.#resolve(signal);
    }
    for (const receiver of this.#receivers) {
      receiver.signal(isEnding && this.#endings > 1 ? "SIGKILL" : signal);
    }
  }
}
