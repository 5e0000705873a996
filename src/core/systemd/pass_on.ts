/**
 * Passing descriptors on to child processes. A parent doesn't know the process id
 * of a child before it runs, so it names itself: only its children are meant.
 *
 * @module
 */

import type { Descriptor } from "../descriptor.ts";
import type { ListenVariables } from "../environment.ts";

/** The variable with the process id of the parent. */
export const PARENT_VARIABLE = "LISTENFDS_PARENT";

/** Descriptors for a child, and the variables that name them. */
export interface PassedOn {
  /** The descriptors to pass as 3, 4, 5 …, in this order. */
  readonly fds: readonly number[];
  /** The variables to add to the environment of the child. */
  readonly env: Readonly<Record<string, string>>;
}

/** Returns what a child of a process needs to have descriptors. */
export function describePassed(
  claimed: readonly Descriptor[],
  pid: number,
): PassedOn {
  // Ascending, because Deno overwrites a descriptor that another one's number in
  // the child equals.
  const descriptors = claimed.toSorted((a, b) => a.fd - b.fd);
  return {
    fds: descriptors.map(({ fd }) => fd),
    env: {
      // Other programs, and children of the child, learn that they aren't meant.
      LISTEN_PID: String(pid),
      LISTEN_FDS: String(descriptors.length),
      LISTEN_FDNAMES: descriptors.map(({ name }) => name).join(":"),
      [PARENT_VARIABLE]: String(pid),
    },
  };
}

/**
 * Returns the variables as they would be if they had named this process, where the
 * parent of this process has passed descriptors on to it.
 *
 * @param readParent Returns {@linkcode PARENT_VARIABLE}.
 */
export function variablesFromParent(
  variables: ListenVariables,
  ids: { readonly pid: number; readonly ppid: number },
  readParent: () => string | undefined,
): ListenVariables | undefined {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = variables;
  if (LISTEN_PID === undefined || LISTEN_FDS === undefined) return undefined;
  const pid = String(ids.pid);
  // Most are meant for this process: then its parent doesn't matter.
  if (LISTEN_PID === pid || LISTEN_PID !== String(ids.ppid)) return undefined;
  if (readParent() !== LISTEN_PID) return undefined;
  return { LISTEN_PID: pid, LISTEN_FDS, LISTEN_FDNAMES };
}
