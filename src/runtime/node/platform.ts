/**
 * The shim for Node, and what the other shims share with it.
 *
 * @module
 */

import type * as net from "node:net";
import type { DescriptorInfo, Inspector } from "../../core/info.ts";
import { ActivationError } from "../../core/errors.ts";
import type { Connection } from "../../core/types.ts";
import type { Runtime } from "../platform.ts";
import { PORTABLE_SINCE } from "../versions.ts";
import {
  LISTEN_VARIABLES,
  type ListenVariables,
} from "../../core/environment.ts";
import type { Libc } from "../../ffi/libc.ts";
import { firstKnown } from "../../linux/chain.ts";
import { libcInspector } from "../../linux/libc_inspector.ts";
import { procInspector } from "../../linux/proc_inspector.ts";
import { builtin, processGlobal } from "../builtin.ts";
import { nodeLibc } from "../open_libc.ts";
import { procReader, readCommandLine } from "../proc_reader.ts";
import { toConnection } from "./connection.ts";

/** Makes the shim for Node. */
export function nodeRuntime(): Runtime {
  const { env, pid, versions } = processGlobal()!;
  const libc = once(nodeLibc);
  const inspector = firstKnown(inspectLibc(libc), inspectProc);
  return {
    name: "node",
    title: "Node",
    version: versions.node!,
    pid,
    since: PORTABLE_SINCE.node,
    httpServerTakesDescriptors: true,
    readVariables: () => readVariables((name) => env[name]),
    clearVariables() {
      for (const name of LISTEN_VARIABLES) delete env[name];
    },
    commandLine: readCommandLine,
    inspector,
    libc,
    marksInherited: true,
    pidfdId: () => libc()?.pidfdId(pid),
    adopter: () => ({
      reason: "Node has nothing to adopt: its own servers take descriptors",
      isDenied: false,
    }),
    // Node itself makes close-on-exec what it inherits, when it starts, up to
    // the first number above 15 that isn't open.
    receive: (fd) => libc()?.setCloseOnExec(fd) ?? !isClosed(fd),
    close: (fd) => closeFile(fd, inspector),
    connect: (fd) => Promise.resolve(connectSocket(fd)),
  };
}

/** Reads the variables of the protocol one by one. */
export function readVariables(
  get: (name: string) => string | undefined,
): ListenVariables {
  return Object.fromEntries(
    LISTEN_VARIABLES.map((name) => [name, get(name)]),
  );
}

/**
 * Whether a descriptor can only be one that was handed over. The runtime has
 * event queues, anonymous pipes, files and devices of its own, which take the
 * numbers of descriptors that were announced but not passed.
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

/** Remembers what a function returned. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** The source that reads `/proc`. */
export function inspectProc(): Inspector {
  return procInspector(procReader);
}

/** The source that asks the C library, if there is a way to call it. */
export function inspectLibc(
  libc: () => Libc | undefined,
): () => Inspector | undefined {
  return () => {
    const opened = libc();
    return opened && libcInspector(opened);
  };
}

/** Whether a descriptor is known not to be open. */
export function isClosed(fd: number): boolean {
  try {
    builtin("node:fs").fstatSync(fd);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EBADF";
  }
}

/** Closes a descriptor through `node:fs`, if it was handed over. */
export function closeFile(fd: number, inspector: Inspector): boolean {
  if (!isClosable(inspector.inspect([fd])[0]!)) return false;
  closing(fd, () => builtin("node:fs").closeSync(fd));
  return true;
}

/** Closes a descriptor, and says which if that fails. */
export function closing(fd: number, close: () => void): void {
  try {
    close();
  } catch (error) {
    throw new ActivationError(
      "failed",
      `Closing descriptor ${fd}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** Takes over a connected stream socket through `node:net`. */
export function connectSocket(fd: number): Connection {
  const { Socket } = builtin("node:net");
  let socket: net.Socket;
  try {
    socket = new Socket({
      fd,
      readable: true,
      writable: true,
      allowHalfOpen: true,
    });
  } catch (error) {
    throw new ActivationError(
      "failed",
      `Taking over the connection in descriptor ${fd}: ${
        (error as Error).message
      }`,
      { cause: error },
    );
  }
  return toConnection(socket, undefined);
}
