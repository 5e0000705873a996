/**
 * Checks how a process can notify the service manager.
 *
 * @module
 */

import { quote } from "../../core/errors.ts";
import {
  parseNotifySocket,
  parseWatchdog,
} from "../../core/systemd/notify_socket.ts";
import { NOTIFY_DESCRIPTOR } from "../../runtime/manager/variables.ts";
import { TITLES } from "../shared/use.ts";
import { note, problem } from "./findings.ts";
import type {
  ExaminedDescriptor,
  Finding,
  ServiceVariables,
  Subject,
} from "./report.ts";

/** Returns the findings about the variables of `sd_notify(3)` and its store. */
export function serviceFindings(
  service: ServiceVariables | null,
  descriptors: readonly ExaminedDescriptor[],
  subject: Subject,
): Finding[] {
  if (service === null) {
    return [note(
      "notify",
      `Reading NOTIFY_SOCKET: missing permission, so that the service manager is ` +
        `not notified: run with ` +
        `--allow-env=NOTIFY_SOCKET,WATCHDOG_USEC,WATCHDOG_PID`,
    )];
  }
  const { NOTIFY_SOCKET } = service;
  return [
    ...NOTIFY_SOCKET ? socketFindings(NOTIFY_SOCKET, descriptors, subject) : [],
    ...watchdogFindings(service, subject),
    ...storeFindings(service, subject),
  ];
}

function socketFindings(
  address: string,
  descriptors: readonly ExaminedDescriptor[],
  { runtime, version, source }: Subject,
): Finding[] {
  const message = errorOf(() => parseNotifySocket(address));
  if (message !== undefined) return [problem("notify", message)];
  if (source === "libc") return [];
  const action = "Notifying the service manager";
  const title = `${TITLES[runtime]} ${version}`;
  if (runtime === "deno") {
    return [problem(
      "notify",
      `${action}: missing permission to call the C library: run with ` +
        `--allow-ffi`,
    )];
  }
  if (descriptors.some(({ name }) => name === NOTIFY_DESCRIPTOR)) return [];
  return [note(
    "notify",
    `${action}: ${title} can't send to ${
      quote(address)
    } and runs systemd-notify: set ` +
      `OpenFile=/run/systemd/notify:notify (systemd 253), or NotifyAccess=all`,
  )];
}

function watchdogFindings(
  { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID }: ServiceVariables,
  { pid }: Subject,
): Finding[] {
  let watchdog: ReturnType<typeof parseWatchdog>;
  const message = errorOf(() => {
    watchdog = parseWatchdog(WATCHDOG_USEC, WATCHDOG_PID);
  });
  if (message !== undefined) return [problem("watchdog", message)];
  if (watchdog === undefined) return [];
  if (!NOTIFY_SOCKET) {
    return [problem(
      "watchdog",
      `Reading NOTIFY_SOCKET: it is not set, although WATCHDOG_USEC is: the ` +
        `service manager will end the process: don't remove the variable`,
    )];
  }
  if (watchdog.pid === undefined || watchdog.pid === pid) return [];
  return [problem(
    "watchdog",
    `Reading WATCHDOG_PID: process ${watchdog.pid} is to report that it works, ` +
      `and this is ${pid}: let the service manager start this process itself`,
  )];
}

function storeFindings(
  { FDSTORE }: ServiceVariables,
  { runtime, version, source }: Subject,
): Finding[] {
  if (FDSTORE === undefined || source === "libc") return [];
  return [note(
    "store",
    `Storing descriptors: the unit has FileDescriptorStoreMax=, but ` +
      `${
        TITLES[runtime]
      } ${version} can't send descriptors here: use Node 26 or ` +
      `later, Deno with --allow-ffi, or Bun`,
  )];
}

function errorOf(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
