/**
 * The platform Deno, whose permissions guard the environment and `/proc`.
 *
 * @module
 */

import type { Fallback, Placeholder } from "../../core/types.ts";
import type * as net from "node:net";
import { LISTEN_VARIABLES } from "../../core/environment.ts";
import { ActivationError } from "../../core/errors.ts";
import type { Inspector } from "../../core/info.ts";
import type { DenoFfi } from "../../ffi/deno.ts";
import { type Libc, openLibc } from "../../ffi/libc.ts";
import { builtin } from "../builtin.ts";
import {
  closeInherited,
  inspectorWith,
  isEventQueue,
  NO_LIBC,
  once,
  readVariables,
  VARIABLES_DENIED,
} from "../descriptors.ts";
import { isPermissionError, missingPermission } from "../errors.ts";
import type { MissingLibc, Platform } from "../platform.ts";
import { readCommandLine, readInitialEnvironment } from "../proc_reader.ts";
import { PORTABLE_VERSIONS } from "../versions.ts";
import { isProcessLoaded, SignalListeners } from "./signals.ts";
import { takeStaticBody } from "./static_body.ts";
import { wakeListener } from "./wake_listener.ts";

/** What this platform uses of the global `Deno`. */
export interface DenoGlobal
  extends
    DenoFfi,
    Pick<typeof Deno, "addSignalListener" | "removeSignalListener"> {
  readonly version: { readonly deno: string };
  readonly pid: number;
  readonly env: {
    get(name: string): string | undefined;
    delete(name: string): void;
  };
  readonly permissions: Pick<Deno.Permissions, "querySync" | "requestSync">;
}

/** Creates the platform for Deno. */
export function denoPlatform(deno: DenoGlobal): Platform {
  const { pid } = deno;
  const open = once(() => openLibc(deno));
  // Queried each time, because a program may be given the permission later.
  const libc = () => isGranted(deno, { name: "ffi" }) ? open() : undefined;
  // Not /proc, because a program that may read it may call the C library, too.
  const inspector = inspectorWith(libc, () => unprivilegedInspector);
  const signals = new SignalListeners(
    deno,
    () => libc()?.readFile(STATUS) ?? readPermittedFile(deno, STATUS),
    () => isProcessLoaded(deno),
  );
  return {
    name: "deno",
    title: "Deno",
    version: deno.version.deno,
    pid,
    pidfdId: () => libc()?.pidfdId(pid),
    ...environmentMembers(deno),
    commandLine: (pid) => mayReadProc(deno) ? readCommandLine(pid) : undefined,
    initialEnvironment: () =>
      mayReadProc(deno) ? readInitialEnvironment() : undefined,
    addSignalListener: signals.addSignalListener,
    removeSignalListener: signals.removeSignalListener,
    countSignalListeners: signals.countSignalListeners,
    inspector,
    libc,
    setsCloseOnExecAtStart: false,
    setCloseOnExec: (fd) => libc()?.setCloseOnExec(fd) ?? true,
    isEventQueue: (fd, info) =>
      libc() === undefined ? handleType(fd) === "UNKNOWN" : isEventQueue(info),
    close: (fd) => closeInherited(fd, inspector, (fd) => closeWith(libc(), fd)),
    fsTakesDescriptors: false,
    minimumVersions: PORTABLE_VERSIONS.deno,
    adoptionLibc: () =>
      libc() ?? (isGranted(deno, { name: "ffi" }) ? NO_LIBC : NO_FFI),
    missingPermission(placeholder) {
      const missing = missingPermissions(deno, placeholder);
      return missing.length === 0
        ? undefined
        : missing.map((name) => `--allow-${name}`).join(" ");
    },
    httpServerTakesDescriptors: true,
    detectsListenersByListening: true,
    wouldRefuse: (fd) => !["TCP", "PIPE"].includes(handleType(fd) ?? "TCP"),
    takeStaticBody,
    missingListenPermission: (fallback) => requestBind(deno, fallback),
    surviveExhaustion: wakeListener,
    closesOnListenError: true,
  };
}

/** Returns the members that access the environment. */
function environmentMembers({ env, permissions }: DenoGlobal): Pick<
  Platform,
  "readVariables" | "clearVariables" | "readVariable" | "removeVariable"
> {
  return {
    readVariables: () => readPermitted((name) => readText(env, name)),
    clearVariables(kept) {
      for (const name of LISTEN_VARIABLES) {
        if (kept.includes(name)) continue;
        try {
          env.delete(name);
        } catch {
          // Reading the variable fails, too, and reports the permission.
        }
      }
    },
    readVariable(variable) {
      // The program works without the variable, so that Deno is not to prompt.
      if (isGranted({ permissions }, { name: "env", variable })) {
        return readText(env, variable);
      }
      const flag = `--allow-env=${variable}`;
      throw missingPermission(flag, `Reading ${variable}`);
    },
    removeVariable: (name) => env.delete(name),
  };
}

/**
 * Requests the permission to bind a fallback, as Deno itself would: its
 * `net.Server` throws on a later tick, where a fallback has a host name.
 */
function requestBind(
  { permissions }: DenoGlobal,
  fallback: Fallback,
): string | undefined {
  if ("path" in fallback || fallback.hostname === undefined) return undefined;
  const { hostname, port } = fallback;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  const request = { name: "net", host: `${host}:${port}` } as const;
  return permissions.requestSync(request).state === "granted"
    ? undefined
    : `--allow-net=${request.host}`;
}

const NO_FFI: MissingLibc = {
  reason: "missing permission to call the C library: run with --allow-ffi " +
    "--allow-net",
  isDenied: true,
};

/** Shows which signals the process catches. */
const STATUS = "/proc/self/status";

function readPermittedFile(
  deno: DenoGlobal,
  path: string,
): string | undefined {
  if (!isGranted(deno, { name: "read", path })) return undefined;
  try {
    return builtin("node:fs").readFileSync(path, "utf8");
  } catch {
    // Deno asks for more than the path below /proc.
    return undefined;
  }
}

/** Queries a permission, so that Deno doesn't prompt for an optional one. */
function isGranted(
  deno: Pick<DenoGlobal, "permissions">,
  permission: Deno.PermissionDescriptor,
): boolean {
  return deno.permissions.querySync(permission).state === "granted";
}

function mayReadProc(deno: DenoGlobal): boolean {
  return isGranted(deno, { name: "read", path: "/proc" });
}

/**
 * Returns the permissions that a listener on a placeholder lacks. Deno keeps the
 * answer to each query until the process ends, so a random address is asked for
 * only where not all are granted.
 */
function missingPermissions(
  deno: DenoGlobal,
  placeholder: Placeholder,
): ("net" | "read" | "write")[] {
  if (placeholder.kind !== "unix") {
    const host = placeholder.hostname;
    return isGranted(deno, { name: "net" }) ||
        isGranted(deno, { name: "net", host })
      ? []
      : ["net"];
  }
  // The directory that the private one with the random name is created in.
  const path = placeholder.path.split("/").slice(0, -2).join("/");
  return (["read", "write"] as const)
    .filter((name) => !isGranted(deno, { name, path }));
}

/**
 * Reads a variable. One that isn't UTF-8 must not end a process that it isn't meant
 * for, and Deno doesn't tell its bytes: U+FFFD stands for all of them.
 */
function readText(
  env: DenoGlobal["env"],
  name: string,
): string | undefined {
  try {
    return env.get(name);
  } catch (error) {
    if ((error as Error).name !== "InvalidData") throw error;
    return "\ufffd";
  }
}

function readPermitted(
  get: (name: string) => string | undefined,
): ReturnType<typeof readVariables> {
  try {
    return readVariables(get);
  } catch (error) {
    if (!isPermissionError(error)) throw error;
    throw new ActivationError("permission", VARIABLES_DENIED, {
      cause: error,
    });
  }
}

/** Reports only metadata that is available without permissions. */
const unprivilegedInspector: Inspector = {
  inspect: (fds) =>
    fds.map((fd) =>
      handleType(fd) === "TCP"
        ? { kind: "socket", type: "stream" }
        : { kind: "unknown" }
    ),
  inspectPath: () => undefined,
};

/**
 * Asks `node:dgram` for the type of a descriptor, which its error names: without
 * any permission, and without touching the descriptor. `TCP` is a stream socket
 * of IPv4 or IPv6, `PIPE` one of the Unix family or a FIFO, `FILE` a file or
 * device, `UNKNOWN` the rest, closed ones included. (`bind()` on Deno refuses
 * every descriptor; one that it took would be a UDP socket.)
 */
function handleType(fd: number): string | undefined {
  const socket = builtin("node:dgram").createSocket("udp4");
  socket.on("error", () => {});
  try {
    socket.bind({ fd });
    return "UDP";
  } catch (error) {
    return /type: (\w+)$/.exec((error as Error).message)?.[1];
  } finally {
    socket.close();
  }
}

function closeWith(libc: Libc | undefined, fd: number): boolean | void {
  return libc === undefined ? closeThroughSocket(fd) : libc.close(fd);
}

/**
 * Closes a descriptor through a socket that takes it over and is destroyed
 * unused, with no shutdown(2): Deno's `fs.closeSync` knows only descriptors that
 * Deno opened.
 */
function closeThroughSocket(fd: number): boolean {
  const { Socket } = builtin("node:net");
  let socket: net.Socket;
  try {
    socket = new Socket({ fd, readable: false, writable: false });
  } catch {
    // Only a stream socket can be closed in this way.
    return false;
  }
  socket.destroy();
  return true;
}
