/**
 * What is wrong with an environment and the descriptors that it counts, and what
 * is to be known of them.
 *
 * @module
 */

import { MAX_COUNT } from "../../activation.ts";
import {
  LISTEN_FDS_START,
  type ListenEnvironment,
  type ListenNumber,
  type ListenVariables,
  parseListenNumber,
} from "../../core/environment.ts";
import { quote } from "../../core/errors.ts";
import type { Examined, State, Subject } from "./examine.ts";
import { TITLES } from "../shared/use.ts";

/** Which finding this is; the codes are stable. */
export type FindingCode =
  | "missing"
  | "malformed"
  | "foreign"
  | "name-count"
  | "name-form"
  | "no-names"
  | "closed"
  | "not-passed"
  | "uncounted"
  | "omitted"
  | "unknown-kind"
  | "flag-of-runtime";

/** Something that is wrong, or that is to be known. */
export interface Finding {
  /** Whether it is wrong; a note is not. */
  readonly isProblem: boolean;
  readonly code: FindingCode;
  /** The descriptors that it is about. */
  readonly fds: readonly number[];
  /** What was read, what was found, and what to do. */
  readonly message: string;
}

/** Something that is wrong. */
const problem = (
  code: FindingCode,
  message: string,
  fds: readonly number[] = [],
): Finding => ({ isProblem: true, code, fds, message });

/** Something that is to be known. */
export const note = (
  code: FindingCode,
  message: string,
  fds: readonly number[] = [],
): Finding => ({ isProblem: false, code, fds, message });

/**
 * What is wrong with the variables that must be there.
 *
 * @param variables The variables.
 * @param environment What they say.
 * @param inactive Why they hand nothing to this process, if they don't.
 * @returns The findings, in order of the variables.
 */
export function variableFindings(
  variables: ListenVariables,
  environment: ListenEnvironment | { kind: "malformed" },
  inactive: string | undefined,
): Finding[] {
  const { LISTEN_PID, LISTEN_FDS } = variables;
  const findings: Finding[] = [];
  if (LISTEN_PID === undefined && LISTEN_FDS === undefined) {
    findings.push(problem("missing", inactive!));
  } else {
    for (const name of ["LISTEN_PID", "LISTEN_FDS"] as const) {
      if (variables[name] !== undefined) continue;
      const other = name === "LISTEN_PID" ? "LISTEN_FDS" : "LISTEN_PID";
      findings.push(problem(
        "missing",
        `Reading ${name}: it is not set, although ${other} is: whatever ` +
          `stands between removed it: let the service manager start this ` +
          `process itself`,
      ));
    }
  }
  for (const name of ["LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS"] as const) {
    const message = numberError(name, variables[name]);
    if (message !== undefined) findings.push(problem("malformed", message));
  }
  if (environment.kind === "foreign") {
    findings.push(problem("foreign", inactive!));
  }
  return findings;
}

function numberError(
  name: ListenNumber,
  text: string | undefined,
): string | undefined {
  if (text === undefined) return undefined;
  try {
    const value = parseListenNumber(name, text);
    return name === "LISTEN_FDS" && value > MAX_COUNT
      ? `Reading LISTEN_FDS: expected no more descriptors than a process can ` +
        `hold (${MAX_COUNT}), found ${value}: the variables are to be set by ` +
        `the service manager alone`
      : undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A name as systemd has it: printable ASCII, at most 255 characters. */
const SYSTEMD_NAME = /^[ -9;-~]{0,255}$/;

/**
 * What is wrong with the names.
 *
 * @param variables The variables.
 * @param count How many descriptors there are, if that can be read.
 * @returns The findings, in order of the names.
 */
export function nameFindings(
  { LISTEN_FDS, LISTEN_FDNAMES }: ListenVariables,
  count: number | undefined,
): Finding[] {
  if (LISTEN_FDNAMES === undefined) {
    if (LISTEN_FDS === undefined) return [];
    return [note(
      "no-names",
      `Reading LISTEN_FDNAMES: it is not set: every descriptor is called ` +
        `"unknown": use systemd 227 or later, systemd-socket-activate with ` +
        `--fdname=, or a map in the program`,
    )];
  }
  const names = LISTEN_FDNAMES.split(":");
  const findings: Finding[] = [];
  if (count !== undefined && count !== names.length) {
    findings.push(problem(
      "name-count",
      `Reading LISTEN_FDNAMES: expected ${count} names, as many as LISTEN_FDS ` +
        `counts, found ${names.length} in ${quote(LISTEN_FDNAMES)}: no ` +
        `descriptor can be told from another: let the service manager alone ` +
        `set the variables`,
    ));
  }
  names.forEach((name, at) => {
    if (SYSTEMD_NAME.test(name)) return;
    findings.push(problem(
      "name-form",
      `Reading LISTEN_FDNAMES: expected names of at most 255 printable ASCII ` +
        `characters, found ${quote(name)}: systemd gives no such name: set ` +
        `another FileDescriptorName=`,
      [LISTEN_FDS_START + at],
    ));
  });
  return findings;
}

/** Whether the runtime opened a descriptor itself, for its event loop mostly. */
function isOwn(
  { info, name }: Examined,
  { marksInherited }: Subject,
): boolean {
  if (!marksInherited) return info.closeOnExec === true;
  // A service can keep nearly everything in the descriptor store.
  return name !== "stored" &&
    /^(?:pipe:|anon_inode:\[(?:eventpoll|eventfd|timerfd|io_uring)\])/
      .test(info.link ?? "");
}

/**
 * What is wrong with the descriptors.
 *
 * @param descriptors The descriptors.
 * @param subject The process that has them.
 * @param state What the environment says.
 * @returns The findings, problems first.
 */
export function descriptorFindings(
  descriptors: readonly Examined[],
  subject: Subject,
  state: State,
): Finding[] {
  const { runtime, marksInherited, noAdopter } = subject;
  const title = TITLES[runtime];
  const fdsOf = (has: (one: Examined) => boolean) =>
    descriptors.filter(has).map(({ fd }) => fd);
  const findings: Finding[] = [];
  const closed = fdsOf(({ info }) => info.kind === "closed");
  if (closed.length > 0) {
    findings.push(problem(
      "closed",
      `Reading ${describeFds(closed)}: not open: ` +
        (state === "foreign"
          ? `whatever stands between the service manager and this process ` +
            `closed it: let the service manager start this process itself`
          : `LISTEN_FDS counts more than were passed, or something on the way ` +
            `closed it: npm, npx and every program on Node do: let the ` +
            `service manager start this process itself`),
      closed,
    ));
  }
  const own = fdsOf((one) => one.isCounted && isOwn(one, subject));
  if (own.length > 0) {
    findings.push(problem(
      "not-passed",
      `Reading ${describeFds(own)}: ${title} opened it for itself` +
        `${marksInherited ? ", by the looks of it" : ""}: LISTEN_FDS counts ` +
        `more than were passed, or something on the way closed it: let the ` +
        `service manager alone set the variables`,
      own,
    ));
  }
  const uncounted = fdsOf(({ isCounted }) => !isCounted);
  if (uncounted.length > 0) {
    findings.push(note(
      "uncounted",
      `Reading ${describeFds(uncounted)}: inherited, but ` +
        (state === "absent"
          ? `no variable counts it: whatever started this process left it open`
          : `LISTEN_FDS doesn't count it: if it is a socket of the service, ` +
            `let the service manager alone set the variables`),
      uncounted,
    ));
  }
  const unknown = fdsOf(({ info }) =>
    info.kind === "unknown" || (info.kind === "socket" && !("family" in info))
  );
  if (unknown.length > 0) {
    findings.push(note(
      "unknown-kind",
      `Reading ${describeFds(unknown)}: what it is can't be told here: ` +
        (noAdopter?.isDenied
          ? `run with --allow-ffi`
          : `use Linux, on x86_64 or arm64, and Bun or Node 26, which can ask ` +
            `the C library`),
      unknown,
    ));
  }
  const marked = fdsOf((one) => one.info.closeOnExec === true);
  if (marksInherited && marked.length > 0) {
    findings.push(note(
      "flag-of-runtime",
      `Reading ${
        describeFds(marked)
      }: close-on-exec was set by ${title} when ` +
        `it started: what was handed over can't have had it, or it would be ` +
        `closed`,
      marked,
    ));
  }
  return findings;
}

/** Numbers of descriptors in words: `descriptors 3, 5 to 7`. */
function describeFds(fds: readonly number[]): string {
  return `descriptor${fds.length > 1 ? "s" : ""} ${formatFds(fds)}`;
}

/** Numbers in ascending order, as ranges: `3, 5-7`. */
export function formatFds(fds: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const fd of fds) {
    const last = ranges.at(-1);
    if (last?.[1] === fd - 1) last[1] = fd;
    else ranges.push([fd, fd]);
  }
  return ranges.map(([from, to]) => from === to ? `${from}` : `${from}-${to}`)
    .join(", ");
}
