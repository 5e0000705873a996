/**
 * Reading the options of how and when a server ends.
 *
 * @module
 */

import {
  describeValue,
  isRecord,
  quote,
  requireBooleanOption,
} from "../core/errors.ts";
import type { EndOptions, ShutdownOptions } from "../core/types.ts";
import { processGlobal, signalNumber } from "../runtime/builtin.ts";

/** Shorter than the 90 seconds of `TimeoutStopSec=`, and than clients wait. */
const DEFAULT_TIMEOUT_MS = 10_000;

/** The signal that systemd and container engines stop services with. */
const DEFAULT_SIGNALS = ["SIGTERM"] as const;

/** The settings of how and when a server ends. */
export interface EndSettings {
  /** `undefined`: graceful if the sockets are inherited. */
  readonly isGraceful: boolean | undefined;
  readonly signals: readonly string[];
  readonly timeoutMs: number;
  /** Whether the program has set the timeout itself. */
  readonly hasOwnTimeout: boolean;
  readonly webSockets: NonNullable<ShutdownOptions["webSockets"]>;
  readonly exitWhenIdleMs: number | undefined;
  /** `false` if the program notifies the service manager itself. */
  readonly notifies: boolean;
}

/**
 * Checks options, and fills in the defaults.
 *
 * @throws {TypeError | RangeError} If an option has another form.
 */
export function readEndOptions(
  { gracefulShutdown, exitWhenIdle, notify = true }: EndOptions,
  action: string,
): EndSettings {
  if (exitWhenIdle !== undefined) {
    requireTime("exitWhenIdle", exitWhenIdle, action);
  }
  requireBooleanOption(notify, "notify", action);
  const isGraceful = gracefulShutdown === undefined
    ? undefined
    : gracefulShutdown !== false;
  const options = typeof gracefulShutdown === "boolean" ||
      gracefulShutdown === undefined
    ? {}
    : gracefulShutdown;
  return {
    isGraceful,
    ...readShutdownOptions(options, "gracefulShutdown", action),
    exitWhenIdleMs: exitWhenIdle,
    notifies: notify,
  };
}

/**
 * Checks the options of one shutdown, and fills in the defaults.
 *
 * @param name The option in messages.
 * @throws {TypeError | RangeError} If an option has another form.
 */
export function readShutdownOptions(
  options: ShutdownOptions,
  name: string,
  action: string,
): Pick<
  EndSettings,
  "signals" | "timeoutMs" | "hasOwnTimeout" | "webSockets"
> {
  if (!isRecord(options)) {
    throw new TypeError(
      `${action}: expected the option ${name} to be a boolean or an object, ` +
        `found ${describeValue(options)}`,
    );
  }
  const {
    signals = DEFAULT_SIGNALS,
    timeout = DEFAULT_TIMEOUT_MS,
    webSockets = [],
  } = options;
  if (!Array.isArray(signals)) {
    throw new TypeError(
      `${action}: expected ${name}.signals to be an array such as ["SIGTERM"], ` +
        `found ${describeValue(signals)}`,
    );
  }
  for (const signal of signals) requireSignal(signal, name, action);
  requireTime(`${name}.timeout`, timeout, action);
  if (typeof Object(webSockets)[Symbol.iterator] !== "function") {
    throw new TypeError(
      `${action}: expected ${name}.webSockets to be a Set or another iterable, ` +
        `found ${describeValue(webSockets)}`,
    );
  }
  const hasOwnTimeout = options.timeout !== undefined;
  return { signals, timeoutMs: timeout, hasOwnTimeout, webSockets };
}

function requireSignal(signal: unknown, name: string, action: string): void {
  if (typeof signal !== "string") {
    throw new TypeError(
      `${action}: expected the names of signals in ${name}.signals, found ` +
        describeValue(signal),
    );
  }
  // Known without the module of signals, which takes a while to load.
  if (signal === DEFAULT_SIGNALS[0]) return;
  if (
    signalNumber(signal) === undefined || signal === "SIGKILL" ||
    signal === "SIGSTOP" || !canBeHandled(signal)
  ) {
    throw new RangeError(
      `${action}: expected signals that can be handled in ${name}.signals, such ` +
        `as "SIGTERM", found ${quote(signal)}`,
    );
  }
}

/** Tries a signal early: Deno would refuse it when the sockets are in use. */
function canBeHandled(signal: string): boolean {
  const ignore = () => {};
  try {
    processGlobal()!.on(signal, ignore);
    processGlobal()!.off(signal, ignore);
    return true;
  } catch {
    return false;
  }
}

function requireTime(name: string, value: unknown, action: string): void {
  if (typeof value !== "number") {
    throw new TypeError(
      `${action}: expected ${name} to be a number of milliseconds, found ` +
        describeValue(value),
    );
  }
  if (!(value >= 0)) {
    throw new RangeError(
      `${action}: expected ${name} to be 0 milliseconds or more, found ${value}`,
    );
  }
}
