/**
 * Types of an inspection: the process, its descriptors and the findings.
 *
 * @module
 */

import type {
  ListenEnvironment,
  ListenVariables,
} from "../../core/environment.ts";
import type { DescriptorInfo, Inspector } from "../../core/info.ts";
import type { Libc } from "../../ffi/libc.ts";
import type { MissingLibc } from "../../runtime/platform.ts";
import type { RuntimeName } from "../../core/types.ts";
import type { Use } from "../shared/use.ts";

/** The inspected process and its sources; injected for tests. */
export interface Subject {
  readonly runtime: RuntimeName;
  /** Version of the runtime. */
  readonly version: string;
  readonly platform: string;
  readonly pid: number;
  pidfdId(): bigint | undefined;
  commandLine(pid: number): string[] | undefined;
  readonly inspector: Inspector;
  readonly source: MetadataSource;
  /** Returns the queue of a TCP listener; `undefined` if it can't be read. */
  readonly acceptQueue: Libc["acceptQueue"];
  /** Reason why the runtime's own servers can't use descriptors. */
  readonly noAdopter: MissingLibc | undefined;
  /** True if the runtime sets close-on-exec on inherited descriptors at start. */
  readonly setsCloseOnExecAtStart: boolean;
}

/** Source of metadata: the C library, `/proc`, `fstat(2)`, or none. */
export type MetadataSource = "libc" | "proc" | "fstat" | "none";

/** A descriptor that `LISTEN_FDS` counts, or that was inherited. */
export interface ExaminedDescriptor {
  readonly fd: number;
  /** Name; `undefined` if the variables have none for it. */
  readonly name: string | undefined;
  /** True if `LISTEN_FDS` counts it. */
  readonly isCounted: boolean;
  readonly info: DescriptorInfo;
  readonly queue: ReturnType<Libc["acceptQueue"]>;
  /** Ways to use it in each runtime. */
  readonly use: Readonly<Record<RuntimeName, Use>>;
}

/** Result of parsing the environment. */
export type EnvironmentState = ListenEnvironment["kind"] | "malformed";

/** Code of a finding; stable, because `--json` prints it. */
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
  | "blocking"
  | "flag-of-runtime"
  | "notify"
  | "watchdog"
  | "store";

/** A problem or a note. */
export interface Finding {
  /** True for a problem, false for a note. */
  readonly isProblem: boolean;
  readonly code: FindingCode;
  /** Descriptors that the finding concerns. */
  readonly fds: readonly number[];
  /** Variable or descriptor, problem, and what to do. */
  readonly message: string;
}

/** The variables of a service that can notify the service manager. */
export const SERVICE_VARIABLES = [
  "NOTIFY_SOCKET",
  "WATCHDOG_USEC",
  "WATCHDOG_PID",
  "FDSTORE",
] as const;

/** Their values. */
export type ServiceVariables = Readonly<
  Partial<Record<typeof SERVICE_VARIABLES[number], string | undefined>>
>;

/** Result of an inspection. */
export interface Report {
  readonly subject: Subject;
  readonly variables: ListenVariables;
  readonly state: EnvironmentState;
  /** Process that the descriptors are meant for, if it is another one. */
  readonly listenPid: number | undefined;
  /** Known wrapper that this other process is, such as `npm`. */
  readonly wrapper: string | undefined;
  readonly descriptors: readonly ExaminedDescriptor[];
  /** Variables of notifications; `null` if they can't be read. */
  readonly service: ServiceVariables | null;
  /** Findings in order of the variables, then of the descriptors. */
  readonly findings: readonly Finding[];
}

/** Returns true if no finding is a problem. */
export function isInOrder({ findings }: Report): boolean {
  return !findings.some(({ isProblem }) => isProblem);
}
