/**
 * The parser of socket activation's four environment variables.
 *
 * The rules are those of `sd_listen_fds_with_names(3)`, checked in this order. A
 * malformed number is an error as soon as its rule is reached.
 *
 * 1. `LISTEN_PID` or `LISTEN_FDS` is unset: no activation.
 * 2. `LISTEN_PID` is another process's id: foreign. Nothing else is checked,
 *    because a child that inherited the variables must be able to start.
 * 3. `LISTEN_PIDFDID` (optional) is not the inode id of the own pidfd: foreign.
 *    The process id was reused then. Ignored where the own id is unknown.
 * 4. `LISTEN_FDS` is the number of descriptors, from 3 on.
 * 5. `LISTEN_FDNAMES` (optional) has the names, separated by colons, one for each
 *    descriptor. Empty and repeated names are valid.
 *
 * Tests compare the results with those of libsystemd. All differences are
 * intended:
 *
 * | Environment | libsystemd | Here, with the reason |
 * | ----------- | ---------- | --------------------- |
 * | a number such as ` 2`, `+2`, `02`, `0x2` or `0b10` | reads the number | an error, because service managers write plain decimal digits |
 * | a backslash in a name | removes it and takes the next character literally, also `:`; an error at the end of the text | an ordinary character, because systemd accepts it in `FileDescriptorName=` and doesn't escape it |
 * | `LISTEN_PIDFDID` set, libsystemd older than 258 | ignores the variable | rule 3, as libsystemd 258 and later |
 * | `LISTEN_FDS` unset, `LISTEN_PID` or `LISTEN_PIDFDID` malformed | an error | no activation, because nothing was passed |
 * | `LISTEN_FDS` exceeds the open descriptors | an error | only the use of such a descriptor is an error, because its kind is `closed` |
 *
 * @module
 */

import { ActivationError, quote } from "./errors.ts";

/** The number of the first descriptor: `SD_LISTEN_FDS_START`. */
export const LISTEN_FDS_START = 3;

/** The variables of the protocol, in the order of `sd_listen_fds(3)`. */
export const LISTEN_VARIABLES = [
  "LISTEN_PID",
  "LISTEN_PIDFDID",
  "LISTEN_FDS",
  "LISTEN_FDNAMES",
] as const;

/** The name of a variable of the protocol. */
export type ListenVariable = typeof LISTEN_VARIABLES[number];

/** The variables' values; an unset variable is absent or `undefined`. */
export type ListenVariables = {
  readonly [name in ListenVariable]?: string | undefined;
};

/** The process that reads the variables. */
export interface ProcessIdentity {
  /** The process id, compared with `LISTEN_PID`. */
  readonly pid: number;
  /**
   * The inode id of the process's own pidfd, compared with `LISTEN_PIDFDID`;
   * `undefined` if the kernel or the runtime can't report it. A getter is called
   * only if `LISTEN_PIDFDID` is compared.
   */
  readonly pidfdId?: bigint | undefined;
}

/** The meaning of the variables for this process, discriminated by `kind`. */
export type ListenEnvironment =
  | {
    /** Nothing was passed, because a required variable is unset. */
    readonly kind: "absent";
    /** The unset variable. */
    readonly missing: "LISTEN_PID" | "LISTEN_FDS";
  }
  | {
    /** The descriptors were passed to another process. */
    readonly kind: "foreign";
    /** The process id in `LISTEN_PID`. */
    readonly listenPid: number;
    /** This process's id; equals `listenPid` if only `LISTEN_PIDFDID` differs. */
    readonly pid: number;
    /** The inode id in `LISTEN_PIDFDID`; absent unless only this id differs. */
    readonly listenPidfdId?: bigint;
  }
  | {
    /** The descriptors were passed to this process. */
    readonly kind: "activated";
    /** The number of descriptors from {@linkcode LISTEN_FDS_START} on, at least 1. */
    readonly count: number;
    /** One name for each descriptor; `undefined` if `LISTEN_FDNAMES` is unset. */
    readonly names: readonly string[] | undefined;
  };

/** The name of a variable that is a number. */
export type ListenNumber = Exclude<ListenVariable, "LISTEN_FDNAMES">;

const INT_MAX = 2 ** 31 - 1;

/** The valid values: of a `pid_t`, an inode id, a number of `int` fds. */
const RANGES: Readonly<Record<ListenNumber, readonly [bigint, bigint]>> = {
  LISTEN_PID: [1n, BigInt(INT_MAX)],
  // No pidfd has the id 0, but libsystemd compares it.
  LISTEN_PIDFDID: [0n, 2n ** 64n - 1n],
  LISTEN_FDS: [1n, BigInt(INT_MAX - LISTEN_FDS_START)],
};

const VARIABLES_REMEDY = "let the service manager alone set the variables";

/**
 * Parses a variable that is a number in plain decimal digits.
 *
 * @throws {SyntaxError} If the text isn't a plain decimal number.
 * @throws {RangeError} If the number is out of the variable's range.
 */
export function parseListenNumber(
  variable: ListenNumber,
  text: string,
): bigint {
  if (!/^(?:0|[1-9][0-9]*)$/.test(text)) {
    throw new SyntaxError(
      `Parsing ${variable}: expected a plain decimal number, found ${
        quote(text)
      }: ${VARIABLES_REMEDY}`,
    );
  }
  const [min, max] = RANGES[variable];
  // The length is checked first, because BigInt() is slow for a megabyte of digits.
  if (text.length <= 20) {
    const value = BigInt(text);
    if (value >= min && value <= max) return value;
  }
  throw new RangeError(
    `Parsing ${variable}: expected a number from ${min} to ${max}, found ${
      quote(text)
    }: ${VARIABLES_REMEDY}`,
  );
}

/**
 * Parses the variables of socket activation, see `sd_listen_fds(3)`.
 *
 * @param variables The values of the variables.
 * @param self The process that reads them.
 * @returns `absent`, `foreign`, or `activated` with the count and the names.
 * @throws {SyntaxError} If a number isn't in plain decimal digits.
 * @throws {RangeError} If a number is out of range: `LISTEN_PID` 1 to 2^31-1,
 * `LISTEN_PIDFDID` 0 to 2^64-1, `LISTEN_FDS` 1 to 2^31-4.
 * @throws {ActivationError} With the code `name-count` if there isn't exactly one
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
  const { pid } = self;
  // Rule 1.
  if (LISTEN_PID === undefined) {
    return { kind: "absent", missing: "LISTEN_PID" };
  }
  if (LISTEN_FDS === undefined) {
    return { kind: "absent", missing: "LISTEN_FDS" };
  }

  // Rule 2.
  const listenPid = Number(parseListenNumber("LISTEN_PID", LISTEN_PID));
  if (listenPid !== pid) return { kind: "foreign", listenPid, pid };

  // Rule 3.
  if (LISTEN_PIDFDID !== undefined) {
    const listenPidfdId = parseListenNumber("LISTEN_PIDFDID", LISTEN_PIDFDID);
    const ownPidfdId = self.pidfdId;
    if (ownPidfdId !== undefined && listenPidfdId !== ownPidfdId) {
      return { kind: "foreign", listenPid, pid, listenPidfdId };
    }
  }

  // Rule 4.
  const count = Number(parseListenNumber("LISTEN_FDS", LISTEN_FDS));

  // Rule 5.
  const names = LISTEN_FDNAMES?.split(":");
  if (names !== undefined && names.length !== count) {
    throw new ActivationError(
      "name-count",
      `Parsing LISTEN_FDNAMES: expected ${count} names, as many as LISTEN_FDS ` +
        `counts, found ${names.length} in ${
          quote(LISTEN_FDNAMES!)
        }: ${VARIABLES_REMEDY}`,
    );
  }
  return { kind: "activated", count, names };
}
