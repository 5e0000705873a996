/**
 * Checks the variables and descriptors of a process for problems.
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
import type { DescriptorInfo } from "../../core/info.ts";
import { isOwnLink } from "../../runtime/descriptors.ts";
import { TITLES } from "../shared/use.ts";
import type {
  EnvironmentState,
  ExaminedDescriptor,
  Finding,
  FindingCode,
  Subject,
} from "./report.ts";

/** Creates a problem. */
export const problem = (
  code: FindingCode,
  message: string,
  fds: readonly number[] = [],
): Finding => ({ isProblem: true, code, fds, message });

/** Creates a note. */
export const note = (
  code: FindingCode,
  message: string,
  fds: readonly number[] = [],
): Finding => ({ isProblem: false, code, fds, message });

/**
 * Returns the findings about the required variables, in their order.
 *
 * @param inactive Reason why this process isn't activated, if it isn't.
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
        `Reading ${name}: it is not set, although ${other} is: a program on ` +
          `the way removed it: let the service manager start this process ` +
          `itself`,
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
        `hold (${MAX_COUNT}), found ${value}: let only the service manager set ` +
        `the variables`
      : undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A name that systemd accepts: printable ASCII, at most 255 characters. */
const SYSTEMD_NAME = /^[ -9;-~]{0,255}$/;

/** Returns the findings about names; `count` is the valid LISTEN_FDS. */
export function nameFindings(
  { LISTEN_FDS, LISTEN_FDNAMES }: ListenVariables,
  count: number | undefined,
): Finding[] {
  if (LISTEN_FDNAMES === undefined) {
    if (LISTEN_FDS === undefined) return [];
    return [note(
      "no-names",
      `Reading LISTEN_FDNAMES: it is not set: every descriptor is named ` +
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
        `counts, found ${names.length} in ${quote(LISTEN_FDNAMES)}: let only ` +
        `the service manager set the variables`,
    ));
  }
  names.forEach((name, index) => {
    if (SYSTEMD_NAME.test(name)) return;
    findings.push(problem(
      "name-form",
      `Reading LISTEN_FDNAMES: expected names of at most 255 printable ASCII ` +
        `characters, found ${quote(name)}: systemd gives no such name: set ` +
        `another FileDescriptorName=`,
      [LISTEN_FDS_START + index],
    ));
  });
  return findings;
}

/** A finding that concerns all descriptors to which it applies. */
interface DescriptorRule {
  readonly isProblem: boolean;
  readonly code: FindingCode;
  applies(
    descriptor: ExaminedDescriptor,
    subject: Subject,
    state: EnvironmentState,
  ): boolean;
  /** Returns the message after the descriptors. */
  explain(subject: Subject, state: EnvironmentState): string;
}

/** Kinds that several processes can wait on. */
const SHARED_KINDS: readonly DescriptorInfo["kind"][] = [
  "stream-listener",
  "seqpacket-listener",
  "datagram",
];

const DESCRIPTOR_RULES: readonly DescriptorRule[] = [
  {
    isProblem: true,
    code: "closed",
    applies: ({ info }) => info.kind === "closed",
    explain: (_, state) =>
      "not open: " +
      (state === "foreign"
        ? "a program between the service manager and this process closed it: " +
          "let the service manager start this process itself"
        : "LISTEN_FDS counts more than were passed, or a program on the way " +
          "closed it, as npm, npx and every program on Node do: let the " +
          "service manager start this process itself"),
  },
  {
    isProblem: true,
    code: "not-passed",
    applies: (descriptor, subject) =>
      descriptor.isCounted && isOwnedByRuntime(descriptor, subject),
    explain: ({ runtime, setsCloseOnExecAtStart }) =>
      `${setsCloseOnExecAtStart ? "probably " : ""}opened by ` +
      `${TITLES[runtime]} for itself: LISTEN_FDS counts more than were ` +
      `passed, or a program on the way closed it: let only the service ` +
      `manager set the variables`,
  },
  {
    isProblem: false,
    code: "uncounted",
    applies: ({ isCounted }) => !isCounted,
    explain: (_, state) =>
      "inherited, but " +
      (state === "absent"
        ? "no variable counts it: the program that started this process left " +
          "it open"
        : "LISTEN_FDS doesn't count it: if it is a socket of the service, let " +
          "only the service manager set the variables"),
  },
  {
    isProblem: false,
    code: "unknown-kind",
    applies: ({ info }) =>
      info.kind === "unknown" ||
      (info.kind === "socket" && !("family" in info)),
    explain: ({ noAdopter }) =>
      "unknown kind: " +
      (noAdopter?.isDenied
        ? "run with --allow-ffi"
        : "use Linux on x86_64 or arm64, and Bun or Node 26, which can call " +
          "the C library"),
  },
  {
    isProblem: false,
    code: "blocking",
    // Elsewhere, the program that was started instead may have changed the flag.
    applies: ({ info, isCounted }, _, state) =>
      state === "activated" && isCounted && info.nonBlocking === false &&
      SHARED_KINDS.includes(info.kind),
    explain: () =>
      "blocking: harmless while one process uses the socket, but where several " +
      "services or instances share it, each start of one makes the others " +
      "hang: set NonBlocking=yes in every service of the socket",
  },
  {
    isProblem: false,
    code: "flag-of-runtime",
    applies: ({ info }, { setsCloseOnExecAtStart }) =>
      setsCloseOnExecAtStart && info.closeOnExec === true,
    explain: ({ runtime }) =>
      `${TITLES[runtime]} set close-on-exec when it started: an inherited ` +
      `descriptor can't have had the flag, because it would be closed`,
  },
];

/** Returns the findings about descriptors: problems first, then notes. */
export function descriptorFindings(
  descriptors: readonly ExaminedDescriptor[],
  subject: Subject,
  state: EnvironmentState,
): Finding[] {
  return DESCRIPTOR_RULES.flatMap(({ isProblem, code, applies, explain }) => {
    const fds = descriptors
      .filter((descriptor) => applies(descriptor, subject, state))
      .map(({ fd }) => fd);
    if (fds.length === 0) return [];
    const plural = fds.length > 1 ? "s" : "";
    const message = `Reading descriptor${plural} ${formatFds(fds)}: ` +
      explain(subject, state);
    return [{ isProblem, code, fds, message }];
  });
}

/** Returns true if the runtime opened a descriptor, such as its event loop's. */
function isOwnedByRuntime(
  { info, name }: ExaminedDescriptor,
  { setsCloseOnExecAtStart }: Subject,
): boolean {
  if (!setsCloseOnExecAtStart) return info.closeOnExec === true;
  // A service can store pipes and event descriptors in systemd's FD store.
  return name !== "stored" &&
    isOwnLink(info.link);
}

/** Formats ascending numbers as ranges, such as `3, 5-7`. */
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
