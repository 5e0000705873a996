/**
 * The text of messages for the service manager, see `sd_notify(3)`.
 *
 * @module
 */

import { describeValue, isRecord, quote, quoteAll } from "../errors.ts";

/**
 * A message for the service manager: each member is an assignment of
 * `sd_notify(3)`. Members that are `undefined` or `false` are left out.
 */
export interface Notification {
  /** `READY=1`: the service is started, or has finished to reload. */
  readonly ready?: boolean | undefined;
  /**
   * `RELOADING=1`, with the time (`MONOTONIC_USEC=`) that `Type=notify-reload`
   * requires: the service reloads, until it is `ready`.
   */
  readonly reloading?: boolean | undefined;
  /** `STOPPING=1`: the process is going to end. `TimeoutStopSec=` begins. */
  readonly stopping?: boolean | undefined;
  /**
   * `STATUS=`: what the service does, as `systemctl status` shows it. One line;
   * an empty string removes the status.
   */
  readonly status?: string | undefined;
  /** `ERRNO=`: the error number of a failure, such as 2 for `ENOENT`. */
  readonly errno?: number | undefined;
  /** `BUSERROR=`: the D-Bus error name of a failure. */
  readonly busError?: string | undefined;
  /** `EXIT_STATUS=`: the exit status of a container's payload, 0 to 255. */
  readonly exitStatus?: number | undefined;
  /** `MAINPID=`: the main process of the service, if it is another one. */
  readonly mainPid?: number | undefined;
  /**
   * `WATCHDOG=1`: the service works. `"trigger"` reports that it doesn't: the
   * service manager acts as after a timeout.
   */
  readonly watchdog?: boolean | "trigger" | undefined;
  /** `WATCHDOG_USEC=`: the watchdog's timeout from now on, in milliseconds. */
  readonly watchdogMs?: number | undefined;
  /**
   * `EXTEND_TIMEOUT_USEC=`: the milliseconds that starting, stopping or running
   * take at least from now on.
   */
  readonly extendTimeoutMs?: number | undefined;
  /** Further assignments, such as `{ X_STATE: "idle" }`. */
  readonly variables?: Readonly<Record<string, string>> | undefined;
}

/**
 * The longest message in bytes. systemd ignores a longer one as a whole:
 * `NOTIFY_BUFFER_MAX` is `PIPE_BUF`.
 */
export const MAX_MESSAGE_BYTES = 4096;

/** Assignments that come with a descriptor, and the functions that send them. */
const WITH_DESCRIPTOR: Readonly<Record<string, string>> = {
  BARRIER: "notifyBarrier()",
  FDSTORE: "storeDescriptor()",
  FDSTOREREMOVE: "removeStored()",
  FDNAME: "storeDescriptor()",
  FDPOLL: "storeDescriptor()",
};

/**
 * Encodes a message.
 *
 * @param action The beginning of an error's message.
 * @param monotonicUsec Reads `CLOCK_MONOTONIC` in microseconds.
 * @throws {TypeError | RangeError} If a member has another type, a value that the
 * format can't hold, or if the message is empty or too long.
 */
export function encodeNotification(
  notification: Notification,
  action: string,
  monotonicUsec: () => bigint,
): string {
  if (!isRecord(notification)) {
    throw new TypeError(
      `${action}: expected an object such as { ready: true }, found ` +
        describeValue(notification),
    );
  }
  const { reloading, variables, ...members } = notification;
  for (const name of Object.keys(members)) {
    if (Object.hasOwn(ENCODERS, name)) continue;
    throw new TypeError(
      `${action}: expected the members ${
        quoteAll([...Object.keys(ENCODERS), "reloading", "variables"])
      }, found ${quote(name)}: correct it, or use variables`,
    );
  }
  const lines = Object.entries(ENCODERS).flatMap(([name, encode]) => {
    const value = members[name as keyof typeof members];
    return value === undefined || value === false
      ? []
      : [encode(value, name, action)];
  });
  if (requireBoolean(reloading, "reloading", action)) {
    lines.push("RELOADING=1", `MONOTONIC_USEC=${monotonicUsec()}`);
  }
  lines.push(...encodeVariables(variables ?? {}, action));
  return joinAssignments(lines, action);
}

/**
 * Joins assignments to a message.
 *
 * @throws {RangeError} If the message is empty or too long.
 */
export function joinAssignments(
  lines: readonly string[],
  action: string,
): string {
  if (lines.length === 0) {
    throw new RangeError(
      `${action}: the message is empty: set a member such as ready`,
    );
  }
  const message = lines.map(escapeBackslashes).join("\n");
  const { length } = new TextEncoder().encode(message);
  if (length > MAX_MESSAGE_BYTES) {
    throw new RangeError(
      `${action}: expected a message of at most ${MAX_MESSAGE_BYTES} bytes, ` +
        `found ${length}: shorten the status`,
    );
  }
  return message;
}

/**
 * Doubles backslashes, because systemd takes each for an escape of the next
 * character, and ignores a message that ends with one (seen with 252, 257, 262).
 */
export function escapeBackslashes(text: string): string {
  return text.replaceAll("\\", "\\\\");
}

/** Encodes an assignment whose value is text. */
export function encodeAssignment(
  variable: string,
  value: unknown,
  action: string,
): string {
  if (typeof value !== "string") {
    throw new TypeError(
      `${action}: expected the value of ${variable}= to be a string, found ` +
        describeValue(value),
    );
  }
  // systemd splits messages at carriage returns, too (NEWLINE in its sources),
  // and ignores a message with a NUL byte, or a value that isn't UTF-8.
  if (/[\0\n\r]/.test(value) || /\p{Surrogate}/u.test(value)) {
    throw new RangeError(
      `${action}: expected the value of ${variable}= without line breaks, NUL ` +
        `characters and lone surrogates, found ${quote(value)}`,
    );
  }
  return `${variable}=${value}`;
}

/** Makes any text a status: one line of a moderate length. */
export function toStatus(text: string): string {
  const line = text.toWellFormed()
    // deno-lint-ignore no-control-regex
    .replace(/[\0-\x1f\x7f]+/g, " ");
  return line.length > MAX_STATUS_LENGTH
    ? `${line.slice(0, MAX_STATUS_LENGTH - 1).toWellFormed()}…`
    : line;
}

/** The length of a status in UTF-16 units, each of which has at most 3 bytes. */
const MAX_STATUS_LENGTH = 1000;

type Encode = (value: unknown, name: string, action: string) => string;

/** The encoder of each member that is one assignment. */
const ENCODERS: Readonly<Record<string, Encode>> = {
  ready: flag("READY"),
  stopping: flag("STOPPING"),
  status: text("STATUS"),
  errno: integer("ERRNO", 1, 4095),
  busError: text("BUSERROR"),
  exitStatus: integer("EXIT_STATUS", 0, 255),
  mainPid: integer("MAINPID", 1, 2 ** 31 - 1),
  watchdog: (value, name, action) =>
    value === "trigger"
      ? "WATCHDOG=trigger"
      : flag("WATCHDOG")(value, name, action),
  watchdogMs: microseconds("WATCHDOG_USEC"),
  extendTimeoutMs: microseconds("EXTEND_TIMEOUT_USEC"),
};

function flag(variable: string): Encode {
  return (value, name, action) => {
    requireBoolean(value, name, action);
    return `${variable}=1`;
  };
}

function text(variable: string): Encode {
  return (value, _name, action) => encodeAssignment(variable, value, action);
}

function integer(variable: string, minimum: number, maximum: number): Encode {
  return (value, name, action) => {
    requireNumber(value, name, action);
    if (Number.isInteger(value) && value >= minimum && value <= maximum) {
      return `${variable}=${value}`;
    }
    throw new RangeError(
      `${action}: expected ${name} to be an integer from ${minimum} to ` +
        `${maximum}, found ${value}`,
    );
  };
}

function microseconds(variable: string): Encode {
  return (value, name, action) => {
    requireNumber(value, name, action);
    const usec = Math.round(value * 1000);
    if (usec >= 1 && Number.isSafeInteger(usec)) return `${variable}=${usec}`;
    throw new RangeError(
      `${action}: expected ${name} to be more than 0 milliseconds, and finite, ` +
        `found ${value}`,
    );
  };
}

function requireBoolean(
  value: unknown,
  name: string,
  action: string,
): boolean {
  if (value === undefined || typeof value === "boolean") return value === true;
  throw new TypeError(
    `${action}: expected ${name} to be a boolean, found ${
      describeValue(value)
    }`,
  );
}

function requireNumber(
  value: unknown,
  name: string,
  action: string,
): asserts value is number {
  if (typeof value === "number") return;
  throw new TypeError(
    `${action}: expected ${name} to be a number, found ${describeValue(value)}`,
  );
}

function encodeVariables(
  variables: Readonly<Record<string, string>>,
  action: string,
): string[] {
  if (!isRecord(variables)) {
    throw new TypeError(
      `${action}: expected variables to be an object such as ` +
        `{ X_STATE: "idle" }, found ${describeValue(variables)}`,
    );
  }
  return Object.entries(variables).map(([name, value]) => {
    if (!/^[A-Z_][A-Z0-9_]*$/.test(name)) {
      throw new RangeError(
        `${action}: expected names of variables in capital letters, found ` +
          quote(name),
      );
    }
    if (Object.hasOwn(WITH_DESCRIPTOR, name)) {
      throw new RangeError(
        `${action}: ${name}= comes with a descriptor: call ` +
          WITH_DESCRIPTOR[name],
      );
    }
    return encodeAssignment(name, value, action);
  });
}
