/**
 * Functions for inherited descriptors that the platforms share.
 *
 * @module
 */

import type { DescriptorInfo, Inspector } from "../core/info.ts";
import type { Descriptor } from "../core/descriptor.ts";
import { LISTEN_VARIABLES, type ListenVariables } from "../core/environment.ts";
import { ActivationError } from "../core/errors.ts";
import type { Libc } from "../ffi/libc.ts";
import { firstKnown } from "../linux/chain.ts";
import { libcInspector } from "../linux/libc_inspector.ts";
import { EPOLL_LINK } from "../linux/procfs.ts";
import { procInspector } from "../linux/proc_inspector.ts";
import { builtin } from "./builtin.ts";
import type { MissingLibc } from "./platform.ts";
import { procReader } from "./proc_reader.ts";

/** The reason and the remedy where the C library can't be called. */
export const NO_LIBC: MissingLibc = {
  reason: "the C library can't be called here: that takes Linux on x86_64 or " +
    "arm64, and a unit without MemoryDenyWriteExecute=yes: use the portable path",
  isDenied: false,
};

/**
 * Descriptors that the parent of this process has passed on. A worker of
 * `node:cluster` has these itself; others that it uses are those of its primary.
 */
export const passedOnDescriptors: WeakSet<Descriptor> = new WeakSet();

/** Reads the variables of the protocol one by one. */
export function readVariables(
  get: (name: string) => string | undefined,
): ListenVariables {
  return Object.fromEntries(
    LISTEN_VARIABLES.map((name) => [name, get(name)]),
  );
}

/** The error message where Deno refuses to read the variables. */
export const VARIABLES_DENIED: string =
  `Reading the variables of socket activation: Deno denied access to the ` +
  `environment: run with --allow-env=${LISTEN_VARIABLES.join(",")}`;

/** Creates an inspector that calls the C library first, where it is available. */
export function inspectorWith(
  libc: () => Libc | undefined,
  unprivileged: () => Inspector = () => procInspector(procReader),
): Inspector {
  return firstKnown(() => {
    const opened = libc();
    return opened && libcInspector(opened);
  }, unprivileged);
}

/**
 * Whether a descriptor was certainly inherited. The runtime opens event queues,
 * anonymous pipes, files and devices itself, which may get the numbers of
 * descriptors that were announced but not passed.
 */
export function isClosable({ kind, link }: DescriptorInfo): boolean {
  switch (kind) {
    case "fifo":
      return link !== undefined && !link.startsWith("pipe:[");
    case "file":
    case "character-device":
    case "other":
    case "closed":
      return false;
    default:
      return true;
  }
}

/** Whether a descriptor is an event queue, which no unit can pass. */
export function isEventQueue({ link }: DescriptorInfo): boolean {
  return link === EPOLL_LINK;
}

/**
 * Whether a link is that of an event queue or an anonymous pipe, which runtimes
 * open for themselves, and no socket unit passes.
 */
export function isOwnLink(link: string = ""): boolean {
  return /^(?:pipe:|anon_inode:(?:inotify|\[(?:eventpoll|eventfd|timerfd|io_uring)\]))/
    .test(link);
}

/** Whether a descriptor is known to be closed. */
export function isClosed(fd: number): boolean {
  try {
    builtin("node:fs").fstatSync(fd);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EBADF";
  }
}

/**
 * Closes a descriptor, if it was certainly inherited.
 *
 * @param close Closes it, by default through `node:fs`; returns `false` if it
 * can't.
 */
export function closeInherited(
  fd: number,
  inspector: Inspector,
  close: (fd: number) => boolean | void = builtin("node:fs").closeSync,
): boolean {
  if (!isClosable(inspector.inspect([fd])[0]!)) return false;
  return closeOrThrow(fd, () => close(fd)) !== false;
}

/** Closes a descriptor; an error names the descriptor. */
export function closeOrThrow<T>(fd: number, close: () => T): T {
  try {
    return close();
  } catch (error) {
    throw new ActivationError(
      "system",
      `Closing descriptor ${fd}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** Calls a function at most once, and remembers the result. */
export function once<T>(create: () => T): () => T {
  let created: { readonly value: T } | undefined;
  return () => (created ??= { value: create() }).value;
}
