/**
 * The reasons why a process has no activation.
 *
 * @module
 */

import { quote } from "./core/errors.ts";
import type { ListenEnvironment, ListenVariables } from "./core/environment.ts";
import { fileNameOf } from "./core/launchers/names.ts";
import { recognizeStarted } from "./core/launchers/recognize.ts";
import type { InactiveReason } from "./core/types.ts";
import { isClusterWorker, processGlobal } from "./runtime/builtin.ts";
import type { Platform } from "./runtime/platform.ts";

/** Explains an activation that has only the descriptor for notifications. */
export function explainNotifyOnly(pid: number): InactiveReason {
  return {
    kind: "absent",
    pid,
    message:
      `Not activated: the only descriptor is the service manager's own ` +
      `socket for notifications: start the socket unit, and name it in Sockets=`,
  };
}

/** Explains why a worker thread has no activation. */
export function explainWorker(pid: number): InactiveReason {
  return {
    kind: "worker",
    pid,
    message: `Not activated: this is a worker thread, and the descriptors ` +
      `belong to the main thread of its process: serve them in the main ` +
      `thread, and for several cores start instances of the service, as ` +
      `"listenfds unit --instances" writes them`,
  };
}

/** Explains why an activated process has no activation any more. */
export function explainEarlier(pid: number): InactiveReason {
  return {
    kind: "activated-before",
    pid,
    message: `Not activated: this process was activated before, and its ` +
      `descriptors were passed only once: restart the process when a file ` +
      `changes, as "listenfds run --watch" does`,
  };
}

/** Explains a worker of `node:cluster`, whose primary process was activated. */
export function explainClusterWorker(
  pid: number,
  { LISTEN_PID }: ListenVariables,
): InactiveReason | undefined {
  const listenPid = Number(LISTEN_PID);
  if (!(listenPid > 0) || listenPid === pid || !isClusterWorker()) {
    return undefined;
  }
  return {
    kind: "foreign",
    listenPid,
    pid,
    wrapper: "cluster",
    message:
      `Not activated: this process, ${pid}, is a worker of node:cluster, ` +
      `and the descriptors were passed to process ${listenPid}: start ` +
      `instances of the service instead, as "listenfds unit --instances" ` +
      `writes them, or call activation().passOn() in the primary process`,
  };
}

/**
 * Explains why a process has no activation.
 *
 * @internal Not for users: the declarations would name a runtime's types.
 */
export function explainInactive(
  { pid, commandLine }: Pick<Platform, "pid" | "commandLine">,
  environment: Exclude<ListenEnvironment, { kind: "activated" }>,
): InactiveReason {
  if (environment.kind === "absent") {
    return {
      kind: "absent",
      pid,
      message: `Not activated: ${environment.missing} is not set: start the ` +
        `socket unit, or the program by "listenfds run"`,
    };
  }
  const { listenPid, listenPidfdId } = environment;
  if (listenPidfdId !== undefined) {
    return {
      kind: "foreign",
      listenPid,
      pid,
      message: `Not activated: LISTEN_PIDFDID is ${listenPidfdId}, which is ` +
        `another process that had the number ${pid} before: the variables ` +
        `were inherited from it: start this process without them`,
    };
  }
  if (pid === 1) {
    return {
      kind: "foreign",
      listenPid,
      pid,
      message:
        `Not activated: LISTEN_PID is ${listenPid}, but this process is ` +
        `1, the first of a PID namespace, and the service manager counts ` +
        `outside of that: remove PrivatePIDs=yes from the service, or let the ` +
        `container's runtime set LISTEN_PID=1`,
    };
  }
  const started = commandLine(listenPid);
  // A launcher may have ended, as the command of a process manager does.
  const launcher = started === undefined
    ? recognizeStarted(commandLine(processGlobal()!.ppid) ?? [])
    : recognizeStarted(started);
  return {
    kind: "foreign",
    listenPid,
    pid,
    ...launcher && { wrapper: launcher.name },
    message: `Not activated: LISTEN_PID is ${listenPid}, but this process is ` +
      `${pid}: ` +
      (launcher
        ? `${launcher.name} was started in its place: ${launcher.advice}` +
          (launcher.isWatcher
            ? `, and let "listenfds run --watch" restart the program when ` +
              `files change`
            : "")
        : `${describeProgram(started)}let the service manager start this ` +
          `process itself, not through a wrapper such as npm, npx or sh -c ` +
          `without exec`),
  };
}

/** Names an unknown program, without its arguments, which may be secret. */
function describeProgram(command: readonly string[] = []): string {
  const [program] = command;
  return program === undefined
    ? ""
    : `${quote(fileNameOf(program))} was started in its place: `;
}
