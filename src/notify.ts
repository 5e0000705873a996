/**
 * Notifying the service manager: that a service is ready, works, reloads or
 * stops, see `sd_notify(3)`.
 *
 * A service whose sockets are served by this library needs no call of
 * {@linkcode notify} with `Type=notify` or `WatchdogSec=`: the process sends
 * `READY=1` when all inherited sockets are served, `WATCHDOG=1` at half of the
 * watchdog's time, and `STOPPING=1` when a signal ends it.
 *
 * @module
 */

import {
  describeValue,
  quote,
  requireBooleanOption,
  requireHandler,
  requireOptions,
} from "./core/errors.ts";
import {
  encodeNotification,
  type Notification,
  toStatus,
} from "./core/systemd/notify_message.ts";
import { processGlobal } from "./runtime/builtin.ts";
import { currentPlatform } from "./runtime/current.ts";
import { currentManager, type Manager } from "./runtime/manager/manager.ts";
import { managerState } from "./runtime/manager/state.ts";
import {
  peekPassed,
  removeNotifyVariables,
} from "./runtime/manager/variables.ts";
import { MAX_DELAY_MS } from "./runtime/timers.ts";
import { beginWatchdog, extendWhileDraining } from "./shutdown/notifier.ts";
import { readWatchdog } from "./shutdown/watchdog.ts";

export {
  removeStored,
  storeDescriptor,
  type StoreOptions,
} from "./service/store.ts";
export { type OpenedFile, openFile } from "./service/files.ts";
export { Descriptor } from "./core/descriptor.ts";
export type { Notification } from "./core/systemd/notify_message.ts";
export { ActivationError, type ActivationErrorCode } from "./core/errors.ts";

/** The options of {@linkcode notify}. */
export interface NotifyOptions {
  /**
   * Whether to remove `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` from the
   * environment, so that programs which this process starts don't notify the
   * service manager. This process goes on to do so.
   *
   * @default {false}
   */
  readonly removeEnvironment?: boolean;
}

/**
 * Sends a message to the service manager, through the C library where the runtime
 * can call it (Deno with `--allow-ffi`, Bun, Node from 26 on). On Node 22 and 24,
 * it is written to the descriptor of `OpenFile=/run/systemd/notify:notify`
 * (systemd 253), or else sent by `systemd-notify(1)`, which needs
 * `NotifyAccess=all` unless the service runs as root.
 *
 * A member that the program sends itself is not sent without a call any more:
 * `ready`, `stopping`, `status` and `watchdog`.
 *
 * @param notification The assignments of the message.
 * @param options Options for what happens with the environment.
 * @returns Resolves with `true` when the message is sent, and with `false` if no
 * service manager wants to be notified: `NOTIFY_SOCKET` is not set.
 * @throws {TypeError | RangeError} If a member has another type, is out of range, or
 * has a line break; if the message is empty, or longer than 4096 bytes.
 * @throws {SyntaxError} If `NOTIFY_SOCKET` is malformed.
 * @throws {ActivationError} With the code `permission` or `unsupported` if this
 * process has no way to send it; or `system` if the operating system refuses.
 *
 * @example
 * ```ts
 * import { notify } from "@listenfds/listenfds/notify";
 *
 * await notify({ status: "Loading the index" });
 * ```
 */
export async function notify(
  notification: Notification,
  options: NotifyOptions = {},
): Promise<boolean> {
  const action = "Notifying the service manager";
  requireOptions(options, action);
  const { removeEnvironment } = options;
  requireBooleanOption(removeEnvironment, "removeEnvironment", action);
  const platform = currentPlatform();
  const manager = currentManager(platform, action);
  // Also without a service manager, so that a mistake shows in development.
  const readTime = manager?.monotonicUsec ?? (() => 0n);
  const message = encodeNotification(notification, action, readTime);
  if (removeEnvironment) removeNotifyVariables(platform);
  if (manager === undefined) return false;
  const state = managerState();
  for (const [name, value] of Object.entries(notification)) {
    if (value !== undefined && value !== false) state.explicit.add(name);
  }
  if (notification.ready) state.isReady = true;
  const { watchdogMs } = notification;
  if (watchdogMs !== undefined) state.watchdogMs = watchdogMs;
  await manager.send(message, action);
  if (notification.ready || watchdogMs !== undefined && state.isReady) {
    beginWatchdog(platform, manager);
  }
  if (notification.stopping) extendWhileDraining(manager);
  return true;
}

/**
 * Waits until the service manager has processed all messages that were sent
 * before, see `sd_notify_barrier(3)`: by then, it has seen the status of a process
 * that ends, and keeps the descriptors that were stored.
 *
 * @param timeoutMs Milliseconds to wait at most.
 * @returns Resolves with `true` when the messages are processed, and with `false`
 * if no service manager wants to be notified.
 * @throws {TypeError | RangeError} If the time is not a number, or out of range.
 * @throws {ActivationError} With the code `system` and the `errno` of `ETIMEDOUT`
 * if the time is over; with the code `unsupported` where a descriptor can't be sent
 * (Node 22 and 24 with `OpenFile=`); or as {@linkcode notify}.
 *
 * @example
 * ```ts
 * import { notify, notifyBarrier } from "@listenfds/listenfds/notify";
 *
 * await notify({ stopping: true, status: "Saved 3 sessions" });
 * await notifyBarrier();
 * ```
 */
export async function notifyBarrier(
  timeoutMs: number = 5000,
): Promise<boolean> {
  const action = "Waiting for the service manager";
  if (typeof timeoutMs !== "number") {
    throw new TypeError(
      `${action}: expected a number of milliseconds, found ` +
        describeValue(timeoutMs),
    );
  }
  if (!(timeoutMs >= 0 && timeoutMs <= MAX_DELAY_MS)) {
    throw new RangeError(
      `${action}: expected 0 to ${MAX_DELAY_MS} milliseconds, found ` +
        timeoutMs,
    );
  }
  const manager = currentManager(currentPlatform(), action);
  if (manager === undefined) return false;
  await manager.barrier(timeoutMs, action);
  return true;
}

/** The watchdog of this process. */
export interface Watchdog {
  /** The milliseconds within which a message is expected: `WatchdogSec=`. */
  readonly timeoutMs: number;
  /** Whether it is expected of this process (`WATCHDOG_PID`). */
  readonly isOurs: boolean;
}

/**
 * Reads the watchdog that the service manager has set, see
 * `sd_watchdog_enabled(3)`. Messages for it are sent by themselves from `READY=1`
 * on, unless the program sends some with `notify({ watchdog: true })`.
 *
 * @returns The watchdog; `undefined` if there is none.
 * @throws {SyntaxError | RangeError} If `WATCHDOG_USEC` or `WATCHDOG_PID` is
 * malformed.
 * @throws {ActivationError} With the code `permission` if Deno denies access to the
 * variables.
 *
 * @example
 * ```ts
 * import { watchdog } from "@listenfds/listenfds/notify";
 *
 * console.log(watchdog()?.timeoutMs ?? "no watchdog");
 * ```
 */
export function watchdog(): Watchdog | undefined {
  const platform = currentPlatform();
  const setting = readWatchdog(platform);
  if (setting === undefined) return undefined;
  const { timeoutMs, pid = platform.pid } = setting;
  return { timeoutMs, isOurs: pid === platform.pid };
}

const RELOAD_ACTION = "Notifying the service manager of a reload";

/** The reloads of this process: one handler, one at a time. */
class Reloads {
  readonly #handlers = new Set<() => unknown>();
  #isRunning = false;
  #isPending = false;

  /** Begins to listen for the signal with the first handler. */
  add(handler: () => unknown): void {
    if (this.#handlers.size === 0) {
      currentPlatform().addSignalListener("SIGHUP", this.#onSignal);
    }
    this.#handlers.add(handler);
  }

  remove(handler: () => unknown): void {
    if (!this.#handlers.delete(handler) || this.#handlers.size > 0) return;
    currentPlatform().removeSignalListener("SIGHUP", this.#onSignal);
  }

  readonly #onSignal = async (): Promise<void> => {
    // systemd waits for a message that is newer than its request.
    this.#isPending = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      while (this.#isPending) {
        this.#isPending = false;
        await this.#reload();
      }
    } finally {
      this.#isRunning = false;
    }
  };

  async #reload(): Promise<void> {
    // READY=1 of a service that starts comes later, when all sockets are served.
    const manager = isStarting() ? undefined : readManager();
    await send(manager, { reloading: true });
    const failures: unknown[] = [];
    for (const handler of [...this.#handlers]) {
      try {
        await handler();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === 0) return await send(manager, { ready: true });
    // The service goes on with what it had, so it is ready again.
    const problem = failures.map((error) =>
      error instanceof Error ? error.message : String(error)
    ).join("; ");
    const status = toStatus(`Reloading failed: ${problem}`);
    processGlobal()!.emitWarning(status, { code: "LISTENFDS_RELOAD" });
    await send(manager, { ready: true, status });
  }
}

/** Whether this process is still to tell by itself that the service is ready. */
function isStarting(): boolean {
  const { isReady, isAutomatic, isWaiting } = managerState();
  if (isReady || !isAutomatic) return false;
  return isWaiting === true || peekPassed(currentPlatform()) !== undefined;
}

function readManager(): Manager | undefined {
  try {
    return currentManager(currentPlatform(), RELOAD_ACTION);
  } catch (error) {
    warn(error);
    return undefined;
  }
}

/** Sends a message; a failure is a warning, because no call awaits it. */
async function send(
  manager: Manager | undefined,
  notification: Notification,
): Promise<void> {
  if (manager === undefined) return;
  try {
    const message = encodeNotification(
      notification,
      RELOAD_ACTION,
      manager.monotonicUsec,
    );
    await manager.send(message, RELOAD_ACTION);
  } catch (error) {
    warn(error);
  }
}

function warn(error: unknown): void {
  const message = error instanceof Error ? error.message : quote(String(error));
  processGlobal()!.emitWarning(message, { code: "LISTENFDS_NOTIFY" });
}

let reloads: Reloads | undefined;

/**
 * Calls a handler when the service is to reload its configuration: on `SIGHUP`.
 * The service manager is notified before (`RELOADING=1`) and afterwards (`READY=1`),
 * so that `systemctl reload` returns after the handler: with `Type=notify-reload`
 * (systemd 253), or with `Type=notify` and `ExecReload=` (`listenfds unit --reload` writes the line).
 *
 * If a handler throws, the service is ready with a status that says why. Another
 * signal meanwhile calls the handlers again.
 *
 * @param handler Reloads the configuration; a promise is awaited.
 * @returns A function that removes the handler. Without handlers, `SIGHUP` ends
 * the process again.
 * @throws {TypeError} If the handler is not a function.
 *
 * @example
 * ```ts
 * import { onReload } from "@listenfds/listenfds/notify";
 *
 * onReload(async () => {
 *   console.log("reloading");
 *   await fetch("http://127.0.0.1:8081/reload");
 * });
 * ```
 */
export function onReload(handler: () => unknown): () => void {
  requireHandler(handler, "Handling reloads");
  // A function of its own, so that one handler can be added twice.
  const call = () => handler();
  reloads ??= new Reloads();
  reloads.add(call);
  return () => reloads!.remove(call);
}
