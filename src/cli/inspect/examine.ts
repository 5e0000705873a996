/**
 * What a process was handed, and whether its environment is in order: all that
 * can be told, also where the library would stop at the first error.
 *
 * @module
 */

import { explainInactive, MAX_COUNT } from "../../activation.ts";
import type { DescriptorInfo, Inspector } from "../../core/info.ts";
import {
  LISTEN_FDS_START,
  type ListenEnvironment,
  type ListenVariables,
  parseListenEnvironment,
  parseListenNumber,
} from "../../core/environment.ts";
import type { TcpAcceptQueue } from "../../ffi/libc.ts";
import { isClosable } from "../../runtime/descriptors.ts";
import type { MissingLibc } from "../../runtime/platform.ts";
import type { RuntimeName } from "../../runtime/versions.ts";
import {
  descriptorFindings,
  type Finding,
  nameFindings,
  note,
  variableFindings,
} from "./findings.ts";
import { judgeUse, RUNTIMES, type Use } from "../shared/use.ts";

/** The process that is examined, and what it can read; injected for tests. */
export interface Subject {
  readonly runtime: RuntimeName;
  /** The version of the runtime. */
  readonly version: string;
  readonly platform: string;
  readonly pid: number;
  pidfdId(): bigint | undefined;
  commandLine(pid: number): string[] | undefined;
  readonly inspector: Inspector;
  /** Where the inspector reads. */
  readonly source: Source;
  /** The queue of a listening TCP socket, where it can be read. */
  acceptQueue(fd: number): TcpAcceptQueue | undefined;
  /** Why the runtime's own servers can't use descriptors, if they can't. */
  readonly noAdopter: MissingLibc | undefined;
  /** See the runtimes' shims. */
  readonly marksInherited: boolean;
}

/** Where metadata are read: the C library, `/proc`, `fstat(2)`, or nowhere. */
export type Source = "libc" | "proc" | "fstat" | "none";

/** A descriptor that was handed over, or counted. */
export interface Examined {
  readonly fd: number;
  /** Its name; `undefined` where no name can be meant for it. */
  readonly name: string | undefined;
  /** Whether `LISTEN_FDS` counts it. */
  readonly isCounted: boolean;
  readonly info: DescriptorInfo;
  readonly queue: TcpAcceptQueue | undefined;
  /** What each runtime can do with it. */
  readonly use: Readonly<Record<RuntimeName, Use>>;
}

/** What the environment says, or that it says nothing that can be read. */
export type State = ListenEnvironment["kind"] | "malformed";

/** All that was found. */
export interface Report {
  readonly subject: Subject;
  readonly variables: ListenVariables;
  readonly state: State;
  /** The process that the descriptors are meant for, if it is another one. */
  readonly listenPid: number | undefined;
  /** The wrapper that is this process, if it is a known one. */
  readonly wrapper: string | undefined;
  readonly descriptors: readonly Examined[];
  /** In order of the variables, then of the descriptors. */
  readonly findings: readonly Finding[];
}

/** Whether nothing is wrong. */
export function isInOrder({ findings }: Report): boolean {
  return !findings.some(({ isProblem }) => isProblem);
}

/**
 * Examines a process.
 *
 * @param variables The variables, as they were handed over.
 * @param subject The process.
 * @returns All that was found; never throws for what is wrong.
 */
export function examine(
  variables: ListenVariables,
  subject: Subject,
): Report {
  const environment = readEnvironment(variables, subject);
  const inactive = environment.kind === "foreign" ||
      environment.kind === "absent"
    ? explainInactive(subject, environment)
    : undefined;
  const count = countOf(variables);
  const names = variables.LISTEN_FDNAMES?.split(":");
  const { descriptors, omitted } = readDescriptors(subject, count, names);
  return {
    subject,
    variables,
    state: environment.kind,
    listenPid: inactive?.listenPid,
    wrapper: inactive?.wrapper,
    descriptors,
    findings: [
      ...variableFindings(variables, environment, inactive?.message),
      ...nameFindings(variables, count),
      ...descriptorFindings(descriptors, subject, environment.kind),
      ...omitted === undefined ? [] : [omitted],
    ],
  };
}

function readEnvironment(
  variables: ListenVariables,
  subject: Subject,
): ListenEnvironment | { kind: "malformed" } {
  try {
    const environment = parseListenEnvironment(variables, {
      pid: subject.pid,
      get pidfdId() {
        return subject.pidfdId();
      },
    });
    return environment.kind === "activated" && environment.count > MAX_COUNT
      ? { kind: "malformed" }
      : environment;
  } catch {
    // What it is, each variable is asked for in turn.
    return { kind: "malformed" };
  }
}

/** How many descriptors there are, if that can be read. */
function countOf({ LISTEN_FDS }: ListenVariables): number | undefined {
  if (LISTEN_FDS === undefined) return undefined;
  try {
    const count = Number(parseListenNumber("LISTEN_FDS", LISTEN_FDS));
    return count <= MAX_COUNT ? count : undefined;
  } catch {
    return undefined;
  }
}

/** How many descriptors are read at once. */
const BLOCK = 256;

function readDescriptors(
  subject: Subject,
  count: number | undefined,
  names: readonly string[] | undefined,
): { descriptors: Examined[]; omitted: Finding | undefined } {
  const end = LISTEN_FDS_START + (count ?? 0);
  const descriptors: Examined[] = [];
  const read = (from: number, to: number) => {
    const fds = Array.from({ length: to - from }, (_, at) => from + at);
    const infos = subject.inspector.inspect(fds);
    return fds.map((fd, at) => {
      const isCounted = fd < end;
      const name = names === undefined
        ? "unknown"
        : names[fd - LISTEN_FDS_START];
      return examineOne(subject, fd, isCounted ? name : undefined, {
        isCounted,
        info: infos[at]!,
      });
    });
  };
  let fd = LISTEN_FDS_START;
  while (fd < end) {
    const block = read(fd, Math.min(end, fd + BLOCK));
    descriptors.push(...block);
    fd += block.length;
    // A number that can't be true is no reason to look a million times.
    if (!block.some(({ info }) => isOpen(info))) break;
  }
  if (fd < end) {
    return {
      descriptors,
      omitted: note(
        "omitted",
        `Reading the descriptors: none of the ${BLOCK} before ${fd} is open: ` +
          `those from there to ${end - 1} were not looked at`,
      ),
    };
  }
  // Bun duplicates those.
  const standard = subject.inspector.inspect([0, 1, 2]).map(({ inode }) =>
    inode
  );
  for (const one of read(end, end + BLOCK)) {
    if (!looksPassed(one.info, subject)) break;
    if (standard.includes(one.info.inode)) break;
    descriptors.push(one);
  }
  return { descriptors, omitted: undefined };
}

function examineOne(
  subject: Subject,
  fd: number,
  name: string | undefined,
  { isCounted, info }: Pick<Examined, "isCounted" | "info">,
): Examined {
  const uses = RUNTIMES.map((each) => [each, judgeUse(each, info)]);
  return {
    fd,
    name,
    isCounted,
    info,
    queue: info.kind === "stream-listener"
      ? subject.acceptQueue(fd)
      : undefined,
    use: Object.fromEntries(uses),
  };
}

function isOpen({ kind }: DescriptorInfo): boolean {
  return kind !== "closed" && kind !== "unknown";
}

/** Whether a descriptor can only be one that this process inherited. */
function looksPassed(
  info: DescriptorInfo,
  { marksInherited }: Subject,
): boolean {
  if (!isOpen(info)) return false;
  return marksInherited ? isClosable(info) : info.closeOnExec === false;
}
