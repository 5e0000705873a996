/**
 * How a service tells systemd of its state: readiness, the watchdog, reloads, and
 * the store.
 *
 * @module
 */

import { quote } from "../../core/errors.ts";
import type { ShellContext } from "../shared/disk.ts";
import { argumentError } from "../shared/options.ts";
import type { ServiceCommand } from "./command.ts";

/** The settings of a service that notifies systemd. */
export interface NotifyPlan {
  /**
   * How messages are sent: by the process itself, on a descriptor that systemd has
   * connected, or by `systemd-notify(1)`.
   */
  readonly way: "direct" | "descriptor" | "command";
  /** How the service reloads: not, by `ExecReload=`, or by `Type=notify-reload`. */
  readonly reload: "none" | "command" | "type";
  /** Seconds; `undefined` for no watchdog. */
  readonly watchdogSec: number | undefined;
  /** Number of descriptors in the store; `undefined` for none. */
  readonly storeMax: number | undefined;
}

/** The options of `unit` that are read here. */
export const NOTIFY_OPTIONS = {
  "no-notify": "flag",
  "reload": "flag",
  "watchdog": "value",
  "store": "value",
} as const;

/** The flags with which Deno may call the C library. */
const FFI_FLAGS = /^(?:--allow-ffi|--allow-all|-A)(?:=|$)/;

type NotifyOption = keyof typeof NOTIFY_OPTIONS;

/** The first version with FFI, of Node. */
const NODE_FFI_VERSION = 26;
/** The first version with `OpenFile=` and `Type=notify-reload`, of systemd. */
const SYSTEMD_VERSION = 253;
/** Longer than any pause of a healthy event loop. */
const DEFAULT_WATCHDOG_SEC = 30;

/**
 * Plans how a service notifies systemd.
 *
 * @param accept Whether a process is started for each connection.
 * @returns `undefined` if it doesn't: the runtime is unknown, or can't.
 */
export function planNotify(
  values: {
    has(option: NotifyOption): boolean;
    get(option: NotifyOption): readonly string[] | undefined;
  },
  { runtime, words, paths }: ServiceCommand,
  accept: boolean,
  { readVersion = () => undefined }: Pick<ShellContext, "readVersion">,
): NotifyPlan | undefined {
  const reason = values.has("no-notify")
    ? "--no-notify"
    : accept
    ? "--accept"
    : runtime === undefined
    ? "a program that isn't run by Deno, Bun or Node"
    : runtime === "deno" && !words.some((word) => FFI_FLAGS.test(word))
    ? "Deno without --native"
    : undefined;
  if (reason !== undefined) {
    for (const option of ["reload", "watchdog", "store"] as const) {
      if (!values.has(option)) continue;
      throw argumentError(
        `--${option} is for services that notify systemd, which ${
          quote(reason)
        } excludes: leave one of them out`,
      );
    }
    return undefined;
  }
  const systemd = readVersion("systemctl") ?? 0;
  const isNew = systemd >= SYSTEMD_VERSION;
  const isDirect = runtime !== "node" ||
    (readVersion(paths[0]!) ?? 0) >= NODE_FFI_VERSION;
  const storeMax = parseCount("store", values.get("store")?.[0], 1);
  if (storeMax !== undefined && !isDirect) {
    throw argumentError(
      `--store needs Node 26 or later: name another program, or leave it out`,
    );
  }
  const watchdogSec = parseCount("watchdog", values.get("watchdog")?.[0], 0) ??
    DEFAULT_WATCHDOG_SEC;
  return {
    way: isDirect ? "direct" : isNew ? "descriptor" : "command",
    reload: !values.has("reload") ? "none" : isNew ? "type" : "command",
    watchdogSec: watchdogSec === 0 ? undefined : watchdogSec,
    storeMax,
  };
}

function parseCount(
  option: NotifyOption,
  text: string | undefined,
  minimum: number,
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value >= minimum) return value;
  throw argumentError(
    `expected --${option} to be a number of ${minimum} or more, found ` +
      quote(text),
  );
}

/**
 * Returns the lines of the service.
 *
 * @param restarts True if other lines say when the service restarts.
 */
export function notifyLines(
  plan: NotifyPlan | undefined,
  restarts: boolean,
): string[] {
  if (plan === undefined) {
    return [
      "# The start fails if the program can't be executed (Type=simple doesn't wait).",
      "Type=exec",
    ];
  }
  return [
    "# The start waits until the program serves all sockets, and fails if it ends",
    "# before. With --no-notify, systemd doesn't wait.",
    ...RELOAD_LINES[plan.reload],
    ...WAY_LINES[plan.way],
    ...plan.watchdogSec === undefined ? [] : [
      "# A process whose event loop is blocked for so many seconds is ended, and",
      "# started again: the program reports every half of it.",
      `WatchdogSec=${plan.watchdogSec}`,
      ...restarts ? [] : ["Restart=on-watchdog"],
    ],
    ...plan.storeMax === undefined ? [] : [
      "# Descriptors that the program stores come back to it after a restart.",
      `FileDescriptorStoreMax=${plan.storeMax}`,
    ],
  ];
}

const RELOAD_LINES: Readonly<Record<NotifyPlan["reload"], readonly string[]>> =
  {
    none: ["Type=notify"],
    type: [
      "# systemctl reload sends SIGHUP, and waits for the handler of onReload().",
      "Type=notify-reload",
    ],
    command: [
      "Type=notify",
      "# systemctl reload waits for the handler of onReload() if the message that it",
      "# has begun comes before the last of these commands ends.",
      "ExecReload=/bin/kill -HUP $MAINPID",
      "ExecReload=/bin/sleep 1",
    ],
  };

const WAY_LINES: Readonly<Record<NotifyPlan["way"], readonly string[]>> = {
  direct: [],
  descriptor: [
    "# Node before 26 can't send to systemd's socket: systemd connects one for it.",
    "OpenFile=/run/systemd/notify:notify",
  ],
  command: [
    "# Node before 26 can't send to systemd's socket, and systemd before 253 can't",
    "# connect one for it: systemd-notify sends, which is another process.",
    "NotifyAccess=all",
  ],
};
