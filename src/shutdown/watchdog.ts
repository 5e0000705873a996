/**
 * Showing the service manager that the event loop runs.
 *
 * @module
 */

import { parseWatchdog } from "../core/systemd/notify_socket.ts";
import { requestHook } from "../runtime/http/request_hook.ts";
import type { Manager } from "../runtime/manager/manager.ts";
import { managerState } from "../runtime/manager/state.ts";
import { readNotifyVariable } from "../runtime/manager/variables.ts";
import type { Platform } from "../runtime/platform.ts";
import { callLater } from "../runtime/timers.ts";

/** Reads the watchdog of the environment, with the time that the program has set. */
export function readWatchdog(
  platform: Platform,
): ReturnType<typeof parseWatchdog> {
  const setting = parseWatchdog(
    readNotifyVariable(platform, "WATCHDOG_USEC"),
    readNotifyVariable(platform, "WATCHDOG_PID"),
  );
  const { watchdogMs } = managerState();
  return watchdogMs === undefined
    ? setting
    : { pid: setting?.pid, timeoutMs: watchdogMs };
}

let activeWatchdog: { readonly timeoutMs: number } | undefined;

/**
 * Sends a message at half of the watchdog's timeout, from the event loop: if that
 * is blocked, the service manager ends the process, and starts it again. Does
 * nothing where the messages of another process are expected, and begins again
 * where the time has changed.
 *
 * @throws {SyntaxError | RangeError} If a variable is malformed.
 */
export function startWatchdog(
  platform: Platform,
  manager: Manager,
  warn: (error: unknown) => void,
): void {
  const setting = readWatchdog(platform);
  if (setting === undefined) return;
  // Without WATCHDOG_PID, any process may send them, sd_watchdog_enabled(3).
  const { timeoutMs, pid = platform.pid } = setting;
  if (pid !== platform.pid || activeWatchdog?.timeoutMs === timeoutMs) return;
  const current = activeWatchdog = { timeoutMs };
  const intervalMs = timeoutMs / 2;
  let dueMs = performance.now() + intervalMs;
  let isSending = false;
  const pingIfDue = () => {
    if (isSending || performance.now() < dueMs) return;
    isSending = true;
    // From now on, because systemd-notify takes a while.
    dueMs = performance.now() + intervalMs;
    manager.send("WATCHDOG=1", "Notifying the watchdog").catch(warn)
      .finally(() => {
        isSending = false;
      });
  };
  const onTimer = () => {
    if (activeWatchdog !== current) return;
    const { isAutomatic, explicit } = managerState();
    // With `notify: false`, a call of the program begins it.
    const isWanted = isAutomatic || explicit.has("ready") ||
      explicit.has("watchdogMs");
    // The program knows better whether it works.
    if (!isWanted || explicit.has("watchdog")) {
      activeWatchdog = undefined;
      requestHook.call = undefined;
      return;
    }
    pingIfDue();
    callLater(onTimer, Math.max(1, dueMs - performance.now()));
  };
  // A loop that accepts connections without a pause, as Bun's does, calls no timer
  // meanwhile, but answers requests.
  requestHook.call = pingIfDue;
  callLater(onTimer, intervalMs);
}
