/**
 * Reading the options of how a server ends.
 *
 * @module
 */

import { describeValue, quote } from "../core/errors.ts";
import { builtin, processGlobal } from "../runtime/builtin.ts";
import type { DrainOptions } from "../core/types.ts";

/** Below the 90 seconds that systemd waits before it kills. */
const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * Checks options, and fills in the defaults.
 *
 * @throws {TypeError | RangeError} If an option has another form.
 */
export function readDrainOptions(
  options: DrainOptions | undefined,
  action: string,
):
  & Required<Pick<DrainOptions, "signals" | "timeout">>
  & Pick<DrainOptions, "idleTimeout" | "webSockets"> {
  const actual: unknown = options ?? {};
  if (typeof actual !== "object" || actual === null || Array.isArray(actual)) {
    throw new TypeError(
      `${action}: expected the option drain to be an object, found ` +
        describeValue(actual),
    );
  }
  const { signals = [], timeout = DEFAULT_TIMEOUT_MS, idleTimeout } =
    actual as DrainOptions;
  const { webSockets } = actual as DrainOptions;
  if (!Array.isArray(signals)) {
    throw new TypeError(
      `${action}: expected drain.signals to be an array such as ["SIGTERM"], ` +
        `found ${describeValue(signals)}`,
    );
  }
  for (const signal of signals) checkSignal(signal, action);
  checkTime("timeout", timeout, action);
  if (idleTimeout !== undefined) {
    checkTime("idleTimeout", idleTimeout, action);
  }
  if (
    webSockets !== undefined &&
    typeof Object(webSockets)[Symbol.iterator] !== "function"
  ) {
    throw new TypeError(
      `${action}: expected drain.webSockets to be a Set or another iterable, ` +
        `found ${describeValue(webSockets)}`,
    );
  }
  return {
    signals,
    timeout,
    ...(idleTimeout !== undefined && { idleTimeout }),
    ...(webSockets !== undefined && { webSockets }),
  };
}

function checkSignal(signal: unknown, action: string): void {
  if (typeof signal !== "string") {
    throw new TypeError(
      `${action}: expected the names of signals in drain.signals, found ` +
        describeValue(signal),
    );
  }
  const { signals } = builtin("node:os").constants;
  if (
    !Object.hasOwn(signals, signal) || signal === "SIGKILL" ||
    signal === "SIGSTOP" || !canBeHandled(signal)
  ) {
    throw new RangeError(
      `${action}: expected signals that can be handled in drain.signals, such ` +
        `as "SIGTERM", found ${quote(signal)}`,
    );
  }
}

/** Deno refuses some, and would do so only when the sockets are in use. */
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

function checkTime(name: string, value: unknown, action: string): void {
  if (typeof value !== "number") {
    throw new TypeError(
      `${action}: expected drain.${name} to be a number of milliseconds, found ` +
        describeValue(value),
    );
  }
  if (!(value >= 0)) {
    throw new RangeError(
      `${action}: expected drain.${name} to be 0 milliseconds or more, found ` +
        value,
    );
  }
}
