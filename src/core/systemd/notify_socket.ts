/**
 * The variables of the service manager for a service that notifies it:
 * `NOTIFY_SOCKET`, see `sd_notify(3)`, and `WATCHDOG_USEC` and `WATCHDOG_PID`, see
 * `sd_watchdog_enabled(3)`.
 *
 * @module
 */

import { quote } from "../errors.ts";

/** The names of the variables. */
export const NOTIFY_VARIABLES = [
  "NOTIFY_SOCKET",
  "WATCHDOG_USEC",
  "WATCHDOG_PID",
] as const;

/** Where the service manager receives messages. */
export type NotifySocket =
  | {
    /** A path, or with `@` in front an abstract name. */
    readonly kind: "unix";
    readonly path: string;
  }
  | {
    readonly kind: "vsock";
    readonly contextId: number;
    readonly port: number;
    /** The only type of socket to try; by default, each of them in this order. */
    readonly type?: VsockType;
  };

/** The types of sockets of the family `AF_VSOCK`. */
export type VsockType = "dgram" | "seqpacket" | "stream";

/** The most bytes of a path, which a NUL byte follows in `sun_path`. */
const MAX_SOCKET_PATH_BYTES = 107;

/** The end of an error's message: no program has a reason to set the variables. */
const SET_REMEDY = "let the service manager alone set the variable";

/**
 * Parses the value of `NOTIFY_SOCKET`.
 *
 * @param action The beginning of an error's message, if it is for something.
 * @throws {SyntaxError} If it is neither a path, an abstract name nor a vsock.
 * @throws {RangeError} If it is too long, or a number is out of range.
 */
export function parseNotifySocket(
  text: string,
  action?: string,
): NotifySocket {
  const reading = action === undefined
    ? "Reading NOTIFY_SOCKET"
    : `${action}: reading NOTIFY_SOCKET`;
  const vsock = /^vsock(?:-(dgram|seqpacket|stream))?:(.*)$/s.exec(text);
  if (vsock !== null) return parseVsock(text, vsock, reading);
  if (!/^(?:\/|@.)/s.test(text)) {
    throw new SyntaxError(
      `${reading}: expected a path such as "/run/systemd/notify", "@NAME" or ` +
        `"vsock:CID:PORT", found ${quote(text)}: ${SET_REMEDY}`,
    );
  }
  // An abstract name needs no NUL byte after it.
  const limit = text.startsWith("@")
    ? MAX_SOCKET_PATH_BYTES + 1
    : MAX_SOCKET_PATH_BYTES;
  const { length } = new TextEncoder().encode(text);
  if (length > limit) {
    throw new RangeError(
      `${reading}: expected at most ${limit} bytes, found ${length}, ` +
        `${quote(text)}: ${SET_REMEDY}`,
    );
  }
  return { kind: "unix", path: text };
}

function parseVsock(
  text: string,
  [, type, rest]: RegExpExecArray,
  reading: string,
): NotifySocket {
  const [, contextId, port] = /^(\d+):(\d+)$/.exec(rest!) ?? [];
  if (contextId === undefined || port === undefined) {
    throw new SyntaxError(
      `${reading}: expected "vsock:CID:PORT" with decimal numbers, found ` +
        `${quote(text)}: ${SET_REMEDY}`,
    );
  }
  const numbers = [contextId, port].map(Number) as [number, number];
  // The highest number stands for any context or port, vsock(7).
  if (numbers.some((each) => each >= 2 ** 32 - 1)) {
    throw new RangeError(
      `${reading}: expected numbers of a vsock below 4294967295, found ` +
        `${quote(text)}: ${SET_REMEDY}`,
    );
  }
  return {
    kind: "vsock",
    contextId: numbers[0],
    port: numbers[1],
    ...type !== undefined && { type: type as VsockType },
  };
}

/** The watchdog as the service manager has set it. */
export interface WatchdogSetting {
  /** Time within which the service manager expects a message, in milliseconds. */
  readonly timeoutMs: number;
  /** The process that has to send them; `undefined` for any. */
  readonly pid: number | undefined;
}

/**
 * Parses the values of `WATCHDOG_USEC` and `WATCHDOG_PID`.
 *
 * @returns `undefined` if the variables are not set.
 * @throws {SyntaxError | RangeError} If a value is not a number, or out of range.
 */
export function parseWatchdog(
  usecText: string | undefined,
  pidText: string | undefined,
): WatchdogSetting | undefined {
  if (usecText === undefined) return undefined;
  const usec = parseSetNumber("WATCHDOG_USEC", usecText, 2n ** 64n - 2n);
  const pid = pidText === undefined
    ? undefined
    : Number(parseSetNumber("WATCHDOG_PID", pidText, 2n ** 31n - 1n));
  return { timeoutMs: Number(usec) / 1000, pid };
}

function parseSetNumber(name: string, text: string, maximum: bigint): bigint {
  if (!/^[0-9]+$/.test(text)) {
    throw new SyntaxError(
      `Reading ${name}: expected a decimal number, found ${quote(text)}: ` +
        SET_REMEDY,
    );
  }
  const number = text.length > 20 ? maximum + 1n : BigInt(text);
  if (number < 1n || number > maximum) {
    throw new RangeError(
      `Reading ${name}: expected a number from 1 to ${maximum}, found ` +
        `${quote(text)}: ${SET_REMEDY}`,
    );
  }
  return number;
}
