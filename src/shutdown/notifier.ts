/**
 * Notifying the service manager without a call of the program: that the service
 * is ready, that the event loop runs, and that the process is going to end.
 *
 * Loaded only where a service manager wants to be notified.
 *
 * @module
 */

import { ActivationError } from "../core/errors.ts";
import { escapeBackslashes, toStatus } from "../core/systemd/notify_message.ts";
import {
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  ETIMEDOUT,
} from "../ffi/constants.ts";
import { processGlobal } from "../runtime/builtin.ts";
import { currentManager, type Manager } from "../runtime/manager/manager.ts";
import { managerState } from "../runtime/manager/state.ts";
import type { Platform } from "../runtime/platform.ts";
import { repeatCheck } from "../runtime/repeat.ts";
import { callLater } from "../runtime/timers.ts";
import { isProcessEnding, onProcessEnd } from "./process_end.ts";
import { drainingServers } from "./server_lifetime.ts";
import { shutdownTimes } from "./times.ts";
import { startWatchdog } from "./watchdog.ts";

const NOTIFY_ACTION = "Notifying the service manager";

/** Time after which a status names what the service manager waits for. */
const WAITING_MS = 5000;
/** Errors that pass: no room, no free descriptor, no memory. */
const TRANSIENT_ERRORS: readonly number[] = [
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  ETIMEDOUT,
];
const READY_RETRY_MS = 1000;
/** The extension of each message while servers drain, and its interval. */
const EXTENSION_MS = 10_000;
const EXTEND_INTERVAL_MS = 2000;
/** The interval of looking for servers that drain. */
const DRAIN_CHECK_MS = 250;

/**
 * Returns what is not served yet, as the end of "Waiting for"; an empty string
 * if the service is ready, and `undefined` while a call is opening a server.
 */
export type ReadMissing = () => string | undefined;

let checkReady: (() => void) | undefined;

/**
 * Notifies the service manager when nothing is missing any more, and checks that
 * at once when it is called again.
 */
export function notifyWhenReady(
  platform: Platform,
  readMissing: ReadMissing,
): void {
  if (checkReady !== undefined) return checkReady();
  let manager: Manager | undefined;
  try {
    manager = currentManager(platform, NOTIFY_ACTION);
  } catch (error) {
    warnOnce(error);
  }
  if (manager === undefined) return;
  const notifier = new Notifier(platform, manager, readMissing);
  checkReady = () => void notifier.check();
  notifier.start();
}

/** Notifies the service manager of one process. */
class Notifier {
  readonly #platform: Platform;
  readonly #manager: Manager;
  readonly #readMissing: ReadMissing;
  /** Whether this object has set the status. */
  #hasStatus = false;

  constructor(
    platform: Platform,
    manager: Manager,
    readMissing: ReadMissing,
  ) {
    this.#platform = platform;
    this.#manager = manager;
    this.#readMissing = readMissing;
  }

  start(): void {
    if (this.check() === false) {
      managerState().isWaiting = true;
      repeatCheck(() => this.check());
      callLater(() => this.#reportMissing(), WAITING_MS);
    }
    onProcessEnd(() => {
      const { explicit, isAutomatic } = managerState();
      if (!isAutomatic) return;
      extendWhileDraining(
        this.#manager,
        explicit.has("stopping") ? [] : ["STOPPING=1"],
      );
    });
  }

  /** Whether the service is ready; `undefined` if that doesn't matter any more. */
  check(): false | undefined {
    const state = managerState();
    if (state.isReady || !state.isAutomatic || isProcessEnding()) {
      return undefined;
    }
    if (state.explicit.has("ready") || this.#readMissing() !== "") return false;
    state.isReady = true;
    const hidesStatus = this.#hasStatus && !state.explicit.has("status");
    this.#manager.send(
      `READY=1${hidesStatus ? "\nSTATUS=" : ""}`,
      NOTIFY_ACTION,
    ).catch((error) => this.#retryReady(error));
    beginWatchdog(this.#platform, this.#manager);
    return undefined;
  }

  /** Without the message, the service manager would end the service. */
  #retryReady(error: unknown): void {
    warnOnce(error);
    const { errno } = error as ActivationError;
    if (errno === undefined || !TRANSIENT_ERRORS.includes(errno)) return;
    const state = managerState();
    // The program has sent it meanwhile.
    if (state.explicit.has("ready")) return;
    state.isReady = false;
    callLater(() => {
      if (this.check() === false) repeatCheck(() => this.check());
    }, READY_RETRY_MS);
  }

  #reportMissing(): void {
    const { explicit, isReady, isAutomatic } = managerState();
    const missing = this.#readMissing();
    if (
      isReady || !isAutomatic || explicit.has("ready") ||
      explicit.has("status") || !missing
    ) return;
    this.#hasStatus = true;
    this.#send(
      `STATUS=${escapeBackslashes(toStatus(`Waiting for ${missing}`))}`,
    );
  }

  #send(message: string): void {
    this.#manager.send(message, NOTIFY_ACTION).catch(warnOnce);
  }
}

/** Starts the watchdog of a service that is ready. */
export function beginWatchdog(platform: Platform, manager: Manager): void {
  try {
    startWatchdog(platform, manager, warnOnce);
  } catch (error) {
    warnOnce(error);
  }
}

/**
 * Extends `TimeoutStopSec=` while servers drain whose timeout the program has
 * set. Without one, the setting of the unit holds.
 *
 * @param lines What the first message says, too.
 */
export function extendWhileDraining(
  manager: Manager,
  lines: readonly string[] = [],
): void {
  const start = performance.now();
  let lastMs = -Infinity;
  const send = (...more: string[]) => {
    const message = [...more, ...extension(start)].join("\n");
    if (message === "") return;
    lastMs = performance.now();
    manager.send(message, NOTIFY_ACTION).catch(warnOnce);
  };
  const look = () => {
    if (performance.now() - lastMs >= EXTEND_INTERVAL_MS) send();
    callLater(look, DRAIN_CHECK_MS);
  };
  if (isExtending) {
    if (lines.length > 0) send(...lines);
    return;
  }
  isExtending = true;
  send(...lines);
  callLater(look, DRAIN_CHECK_MS);
}

let isExtending = false;

/** Returns the assignment for the servers that drain now, if there are any. */
function extension(start: number): string[] {
  const timeouts = [...drainingServers]
    .filter(({ hasOwnTimeout }) => hasOwnTimeout)
    .map(({ timeoutMs }) => timeoutMs);
  if (timeouts.length === 0) return [];
  // Not longer than the program itself would take, so that a blocked event loop
  // doesn't delay the end.
  const endMs = start + Math.max(...timeouts) + shutdownTimes.exitMs;
  const leftMs = Math.max(1000, endMs - performance.now());
  const usec = Math.round(Math.min(EXTENSION_MS, leftMs) * 1000);
  return [`EXTEND_TIMEOUT_USEC=${usec}`];
}

let hasWarned = false;

/**
 * Warns of a notification that was not sent, because the service manager would
 * end the service after a time, and give no reason.
 */
function warnOnce(error: unknown): void {
  if (hasWarned) return;
  hasWarned = true;
  const { message } = error as Error;
  processGlobal()!.emitWarning(
    error instanceof ActivationError ? message : `${NOTIFY_ACTION}: ${message}`,
    { code: "LISTENFDS_NOTIFY" },
  );
}
