/**
 * Members that the platforms Bun and Node share: the environment is in
 * `process.env`, and `node:fs` can close descriptors.
 *
 * @module
 */

import { LISTEN_VARIABLES } from "../core/environment.ts";
import type { Inspector } from "../core/info.ts";
import type { Libc } from "../ffi/libc.ts";
import { processGlobal } from "./builtin.ts";
import {
  closeInherited,
  isClosed,
  isEventQueue,
  readVariables,
} from "./descriptors.ts";
import type { Platform } from "./platform.ts";
import { readCommandLine, readInitialEnvironment } from "./proc_reader.ts";

/** Returns the members of a platform that are the same on Bun and Node. */
export function processMembers(
  libc: () => Libc | undefined,
  inspector: Inspector,
): Pick<
  Platform,
  | "pid"
  | "pidfdId"
  | "readVariables"
  | "clearVariables"
  | "readVariable"
  | "removeVariable"
  | "commandLine"
  | "initialEnvironment"
  | "addSignalListener"
  | "removeSignalListener"
  | "countSignalListeners"
  | "inspector"
  | "libc"
  | "setCloseOnExec"
  | "isEventQueue"
  | "close"
  | "fsTakesDescriptors"
> {
  const process = processGlobal()!;
  const { env, pid } = process;
  return {
    pid,
    pidfdId: () => libc()?.pidfdId(pid),
    readVariables: () => readVariables((name) => env[name]),
    clearVariables(kept) {
      for (const name of LISTEN_VARIABLES) {
        if (!kept.includes(name)) delete env[name];
      }
    },
    readVariable: (name) => env[name],
    removeVariable(name) {
      delete env[name];
    },
    commandLine: readCommandLine,
    initialEnvironment: readInitialEnvironment,
    addSignalListener: (signal, listener) =>
      process.prependListener(signal, listener),
    removeSignalListener: (signal, listener) => process.off(signal, listener),
    countSignalListeners: (signal) => process.listenerCount(signal),
    inspector,
    libc,
    setCloseOnExec: (fd) => libc()?.setCloseOnExec(fd) ?? !isClosed(fd),
    isEventQueue: (_fd, info) => isEventQueue(info),
    close: (fd) => closeInherited(fd, inspector),
    fsTakesDescriptors: true,
  };
}
