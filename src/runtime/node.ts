/**
 * The shim for Node, and what the other shims share with it.
 *
 * @module
 */

import type * as net from "node:net";
import type { DescriptorInfo } from "../core/descriptor.ts";
import { ActivationError } from "../core/errors.ts";
import type { Connection } from "../types.ts";
import type { Runtime } from "./runtime.ts";
import { LISTEN_VARIABLES, type ListenVariables } from "../core/environment.ts";
import { inspectDescriptor } from "../linux/inspect.ts";
import { builtin, processGlobal } from "./builtin.ts";
import { procReader, readCommandLine } from "./proc_reader.ts";
import { toConnection } from "./socket_connection.ts";

/** Makes the shim for Node. */
export function nodeRuntime(): Runtime {
  const { env, pid, versions } = processGlobal()!;
  return {
    name: "node",
    title: "Node",
    version: versions.node!,
    pid,
    since: {
      "stream-listener": "22.0",
      "stream-connection": "22.0",
      "datagram": "22.0",
    },
    httpServerTakesDescriptors: true,
    readVariables: () => readVariables((name) => env[name]),
    clearVariables() {
      for (const name of LISTEN_VARIABLES) delete env[name];
    },
    commandLine: readCommandLine,
    inspect: (fd) => inspectDescriptor(fd, procReader),
    isClosed,
    close(fd) {
      const info = inspectDescriptor(fd, procReader);
      if (!isClosable(info)) return false;
      builtin("node:fs").closeSync(fd);
      return true;
    },
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
      return link === undefined || !link.startsWith("pipe:[");
    case "file":
    case "character-device":
    case "other":
    case "closed":
      return false;
    default:
      return true;
  }
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
