/**
 * Examines the variables and descriptors of a process. Every mismatch is
 * reported, while the library stops at the first error.
 *
 * @module
 */

import { MAX_COUNT } from "../../activation.ts";
import { explainInactive } from "../../inactive.ts";
import {
  LISTEN_FDS_START,
  type ListenEnvironment,
  type ListenVariables,
  parseListenEnvironment,
  parseListenNumber,
} from "../../core/environment.ts";
import { type DescriptorInfo, isInspected } from "../../core/info.ts";
import { isClosable } from "../../runtime/descriptors.ts";
import { judgeUse, RUNTIMES } from "../shared/use.ts";
import {
  descriptorFindings,
  nameFindings,
  note,
  variableFindings,
} from "./findings.ts";
import type {
  ExaminedDescriptor,
  Finding,
  Report,
  ServiceVariables,
  Subject,
} from "./report.ts";
import { serviceFindings } from "./service_findings.ts";

/**
 * Examines a process and its unmodified variables; never throws.
 *
 * @param service Variables of notifications; `null` if they can't be read.
 */
export function examine(
  variables: ListenVariables,
  subject: Subject,
  service: ServiceVariables | null = {},
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
    service,
    findings: [
      ...variableFindings(variables, environment, inactive?.message),
      ...nameFindings(variables, count),
      ...descriptorFindings(descriptors, subject, environment.kind),
      ...omitted === undefined ? [] : [omitted],
      ...serviceFindings(service, descriptors, subject),
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
    // variableFindings() and nameFindings() report the reason.
    return { kind: "malformed" };
  }
}

/** Returns the number of descriptors, if it is valid. */
function countOf({ LISTEN_FDS }: ListenVariables): number | undefined {
  if (LISTEN_FDS === undefined) return undefined;
  try {
    const count = Number(parseListenNumber("LISTEN_FDS", LISTEN_FDS));
    return count <= MAX_COUNT ? count : undefined;
  } catch {
    return undefined;
  }
}

/** Number of descriptors that are read at once. */
const BLOCK_SIZE = 256;

function readDescriptors(
  subject: Subject,
  count: number | undefined,
  names: readonly string[] | undefined,
): { descriptors: ExaminedDescriptor[]; omitted: Finding | undefined } {
  const end = LISTEN_FDS_START + (count ?? 0);
  const descriptors: ExaminedDescriptor[] = [];
  const read = (from: number, to: number) => {
    const fds = Array.from({ length: to - from }, (_, index) => from + index);
    const infos = subject.inspector.inspect(fds);
    return fds.map((fd, index) => {
      const isCounted = fd < end;
      const name = names === undefined
        ? "unknown"
        : names[fd - LISTEN_FDS_START];
      return examineDescriptor(
        subject,
        fd,
        isCounted ? name : undefined,
        isCounted,
        infos[index]!,
      );
    });
  };
  let fd = LISTEN_FDS_START;
  while (fd < end) {
    const block = read(fd, Math.min(end, fd + BLOCK_SIZE));
    descriptors.push(...block);
    fd += block.length;
    // Stops early, because a wrong LISTEN_FDS may count a million descriptors.
    if (!block.some(({ info }) => isInspected(info))) break;
  }
  if (fd < end) {
    return {
      descriptors,
      omitted: note(
        "omitted",
        `Reading the descriptors: none of the ${BLOCK_SIZE} before ${fd} is ` +
          `open: those from there to ${end - 1} were not read`,
      ),
    };
  }
  // Bun duplicates the standard streams.
  const standardInodes = subject.inspector.inspect([0, 1, 2])
    .map(({ inode }) => inode);
  for (const descriptor of read(end, end + BLOCK_SIZE)) {
    const { info } = descriptor;
    if (!isInherited(info, subject) || standardInodes.includes(info.inode)) {
      break;
    }
    descriptors.push(descriptor);
  }
  return { descriptors, omitted: undefined };
}

function examineDescriptor(
  subject: Subject,
  fd: number,
  name: string | undefined,
  isCounted: boolean,
  info: DescriptorInfo,
): ExaminedDescriptor {
  const uses = RUNTIMES.map((runtime) => [runtime, judgeUse(runtime, info)]);
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

/** Returns true if this process can't have opened a descriptor itself. */
function isInherited(
  info: DescriptorInfo,
  { setsCloseOnExecAtStart }: Subject,
): boolean {
  if (!isInspected(info)) return false;
  return setsCloseOnExecAtStart ? isClosable(info) : info.closeOnExec === false;
}
