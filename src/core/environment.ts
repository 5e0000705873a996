/**
 * The four environment variables of socket activation, parsed.
 *
 * The reference is `sd_listen_fds_with_names(3)`. All that differs from
 * libsystemd, which a test compares with on thousands of environments:
 *
 * | environment                | libsystemd            | here, and why          |
 * | -------------------------- | --------------------- | ---------------------- |
 * | a number in another form: ` 2`, `+2`, `02`, `0x2`, `0b10` | reads it | an error: a service manager writes plain digits, so whatever else is there, it is not what was meant |
 * | a backslash in a name      | drops it and takes the next character, also `:`, as part of the name; an error at the end | is a character like others: systemd allows it in `FileDescriptorName=` and doesn't escape it |
 * | no `LISTEN_FDS`, and a `LISTEN_PID` that is none | an error | not activated: nothing was handed over |
 * | more than are open         | an error              | each is known to be closed, and only its use is an error |
 *
 * @module
 */

import { ActivationError, quote } from "./errors.ts";

/** The first descriptor that a service manager passes: `SD_LISTEN_FDS_START`. */
export const LISTEN_FDS_START = 3;

/** The variables of the protocol, in the order of `sd_listen_fds(3)`. */
export const LISTEN_VARIABLES = [
  "LISTEN_PID",
  "LISTEN_PIDFDID",
  "LISTEN_FDS",
  "LISTEN_FDNAMES",
] as const;

/** The name of one variable of the protocol. */
export type ListenVariable = typeof LISTEN_VARIABLES[number];

/** The variables' values; a variable that is not set is absent. */
export type ListenVariables = {
  readonly [name in ListenVariable]?: string | undefined;
};

/** Who is reading the variables. */
export interface ProcessIdentity {
  /** The process's own id. */
  readonly pid: number;
  /**
   * The inode id of the process's own pidfd, where the kernel and the runtime
   * can tell (`LISTEN_PIDFDID` is not compared otherwise). A getter is asked
   * only if it is needed.
   */
  readonly pidfdId?: bigint | undefined;
}

/** What the variables say to this process. */
export type ListenEnvironment =
  | {
    /** Nothing was handed over: a variable that must be there is not. */
    readonly kind: "absent";
    /** The variable that is not set. */
    readonly missing: "LISTEN_PID" | "LISTEN_FDS";
  }
  | {
    /** Descriptors were handed over, but to another process. */
    readonly kind: "foreign";
    /** The process id in `LISTEN_PID`. */
    readonly listenPid: number;
    /** This process's own id; the same one if only `LISTEN_PIDFDID` differs. */
    readonly pid: number;
    /** The pidfd inode id in `LISTEN_PIDFDID`, if that is what differs. */
    readonly listenPidfdId?: bigint;
  }
  | {
    /** Descriptors were handed to this process. */
    readonly kind: "activated";
    /** How many, counted from {@linkcode LISTEN_FDS_START} on; at least 1. */
    readonly count: number;
    /**
     * The name of each, or `undefined` where the service manager gave none
     * (systemd before 227, or no `LISTEN_FDNAMES`).
     */
    readonly names: readonly string[] | undefined;
  };

const INT_MAX = 2 ** 31 - 1;
const UINT64_MAX = 2n ** 64n - 1n;

/** The name of a variable that is a number. */
export type ListenNumber = Exclude<ListenVariable, "LISTEN_FDNAMES">;

/** The largest that each number can be. */
const MAXIMA: Readonly<Record<ListenNumber, bigint>> = {
  LISTEN_PID: BigInt(INT_MAX),
  LISTEN_PIDFDID: UINT64_MAX,
  LISTEN_FDS: BigInt(INT_MAX - LISTEN_FDS_START),
};

/**
 * Reads a variable that is a number as a service manager writes it: decimal
 * digits, no more.
 *
 * @param variable The variable.
 * @param text Its value.
 * @returns The number, at least 1.
 * @throws {SyntaxError} If it isn't a plain decimal number.
 * @throws {RangeError} If it is out of range.
 */
export function parseListenNumber(
  variable: ListenNumber,
  text: string,
): bigint {
  const max = MAXIMA[variable];
  if (!/^(?:0|[1-9][0-9]*)$/.test(text)) {
    throw new SyntaxError(
      `Parsing ${variable}: expected a plain decimal number, found ${
        quote(text)
      }: the variables are to be set by the service manager alone`,
    );
  }
  // Cut before BigInt(): a megabyte of digits is no reason to compute with it.
  if (text.length <= 20) {
    const value = BigInt(text);
    if (value >= 1n && value <= max) return value;
  }
  throw new RangeError(
    `Parsing ${variable}: expected a number from 1 to ${max}, found ${
      quote(text)
    }: the variables are to be set by the service manager alone`,
  );
}

/**
 * Parses the variables of socket activation.
 *
 * @param variables The variables' values.
 * @param self Who is reading them.
 * @returns What they say: nothing, something for another process, or how many
 * descriptors there are and their names.
 * @throws {SyntaxError} If a variable isn't a plain decimal number.
 * @throws {RangeError} If a number is out of range.
 * @throws {ActivationError} With the code `names` if there isn't exactly one
 * name for each descriptor.
 *
 * @example
 * ```ts
 * import { parseListenEnvironment } from "@listenfds/listenfds/core";
 *
 * const environment = parseListenEnvironment(
 *   { LISTEN_PID: "42", LISTEN_FDS: "2", LISTEN_FDNAMES: "web:admin" },
 *   { pid: 42 },
 * );
 * // { kind: "activated", count: 2, names: ["web", "admin"] }
 * ```
 */
export function parseListenEnvironment(
  variables: ListenVariables,
  self: ProcessIdentity,
): ListenEnvironment {
  const { LISTEN_PID, LISTEN_PIDFDID, LISTEN_FDS, LISTEN_FDNAMES } = variables;
  if (LISTEN_PID === undefined) {
    return { kind: "absent", missing: "LISTEN_PID" };
  }
  if (LISTEN_FDS === undefined) {
    return { kind: "absent", missing: "LISTEN_FDS" };
  }

  const listenPid = Number(parseListenNumber("LISTEN_PID", LISTEN_PID));
  // A child that inherited the variables must still start: not for us is no
  // error, and what is not for us is not judged any further.
  if (listenPid !== self.pid) {
    return { kind: "foreign", listenPid, pid: self.pid };
  }
  if (LISTEN_PIDFDID !== undefined) {
    const pidfdId = parseListenNumber("LISTEN_PIDFDID", LISTEN_PIDFDID);
    const own = self.pidfdId;
    if (own !== undefined && pidfdId !== own) {
      return {
        kind: "foreign",
        listenPid,
        pid: self.pid,
        listenPidfdId: pidfdId,
      };
    }
  }

  const count = Number(parseListenNumber("LISTEN_FDS", LISTEN_FDS));
  if (LISTEN_FDNAMES === undefined) {
    return { kind: "activated", count, names: undefined };
  }
  const names = LISTEN_FDNAMES.split(":");
  if (names.length !== count) {
    throw new ActivationError(
      "names",
      `Parsing LISTEN_FDNAMES: expected ${count} names, as many as LISTEN_FDS ` +
        `counts, found ${names.length} in ${quote(LISTEN_FDNAMES)}: ` +
        `no descriptor can be told from another: let the service manager ` +
        `alone set the variables`,
    );
  }
  return { kind: "activated", count, names };
}
