/**
 * Forwards signals from an activator to its commands.
 *
 * @module
 */

import process from "node:process";

/** Signals that terminate a command; the second one becomes SIGKILL. */
const TERMINATION_SIGNALS: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM"];
/** Other signals, which the command interprets. */
const FORWARDED_SIGNALS: readonly NodeJS.Signals[] = [
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
];

/** A receiver of signals, such as a running command. */
export interface SignalReceiver {
  /** Sends a signal; returns true if a process received it. */
  signal(signal: NodeJS.Signals): boolean;
}

/** Handles signals from its creation until it is closed. */
export class Signals {
  /** Resolves with the first signal that terminates. */
  readonly termination: Promise<NodeJS.Signals>;
  readonly #received = new Set<NodeJS.Signals>();
  readonly #receivers = new Set<SignalReceiver>();
  readonly #listeners: (() => void)[] = [];
  #resolve!: (signal: NodeJS.Signals) => void;
  #terminations = 0;

  /** Starts to listen. */
  constructor() {
    this.termination = new Promise((resolve) => this.#resolve = resolve);
    for (const signal of [...TERMINATION_SIGNALS, ...FORWARDED_SIGNALS]) {
      const listener = () => this.#receive(signal);
      process.on(signal, listener);
      this.#listeners.push(() => process.off(signal, listener));
    }
  }

  /** True after a signal that terminates. */
  get isTerminating(): boolean {
    return this.#terminations > 0;
  }

  /** Returns true if this process received a signal. */
  hasReceived(signal: NodeJS.Signals | null): boolean {
    return signal !== null && this.#received.has(signal);
  }

  /** Adds a receiver for signals. */
  addReceiver(receiver: SignalReceiver): void {
    this.#receivers.add(receiver);
  }

  /** Removes a receiver. */
  removeReceiver(receiver: SignalReceiver): void {
    this.#receivers.delete(receiver);
  }

  /** Stops listening. */
  close(): void {
    for (const removeListener of this.#listeners) removeListener();
  }

  #receive(signal: NodeJS.Signals): void {
    this.#received.add(signal);
    const isTermination = TERMINATION_SIGNALS.includes(signal) ||
      // Between two commands, no other process interprets a terminal that closes.
      (this.#receivers.size === 0 && ["SIGHUP", "SIGQUIT"].includes(signal));
    if (isTermination) {
      this.#terminations++;
      this.#resolve(signal);
    }
    for (const receiver of this.#receivers) {
      receiver.signal(
        isTermination && this.#terminations > 1 ? "SIGKILL" : signal,
      );
    }
  }
}
