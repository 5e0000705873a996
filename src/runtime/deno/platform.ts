/**
 * The shim for Deno, whose permissions guard the environment and `/proc`.
 *
 * @module
 */

import type * as net from "node:net";
import type { Inspector } from "../../core/info.ts";
import { LISTEN_VARIABLES } from "../../core/environment.ts";
import { ActivationError } from "../../core/errors.ts";
import type { DenoFfi } from "../../ffi/deno.ts";
import { firstKnown } from "../../linux/chain.ts";
import { builtin, processGlobal } from "../builtin.ts";
import { denoLibc, NO_LIBC } from "../open_libc.ts";
import {
  closing,
  connectSocket,
  inspectLibc,
  isClosable,
  once,
  readVariables,
} from "../node/platform.ts";
import type { Placeholder } from "../adoption/placeholder.ts";
import { readCommandLine } from "../proc_reader.ts";
import type { Runtime } from "../platform.ts";
import { PORTABLE_SINCE } from "../versions.ts";

/** A permission of Deno's that this shim asks for. */
type DenoPermission =
  | { readonly name: "ffi" }
  | { readonly name: "net"; readonly host: string }
  | { readonly name: "read" | "write"; readonly path: string };

/** What this shim uses of the global `Deno`. */
export interface DenoGlobal extends DenoFfi {
  readonly version: { readonly deno: string };
  readonly env: {
    get(name: string): string | undefined;
    delete(name: string): void;
  };
  readonly permissions: {
    querySync(
      descriptor: DenoPermission,
    ): { readonly state: "granted" | "denied" | "prompt" };
  };
}

/** Makes the shim for Deno. */
export function denoRuntime(deno: DenoGlobal): Runtime {
  const { pid } = processGlobal()!;
  const open = once(() => denoLibc(deno));
  // Asked each time: a program may be given the permission later.
  const libc = () => mayCallLibc(deno) ? open() : undefined;
  // Not /proc: what may read that may call the C library, too.
  const inspector = firstKnown(inspectLibc(libc), () => guess);
  return {
    name: "deno",
    title: "Deno",
    version: deno.version.deno,
    pid,
    since: PORTABLE_SINCE.deno,
    httpServerTakesDescriptors: true,
    readVariables: () =>
      withPermission(() => readVariables((name) => deno.env.get(name))),
    clearVariables() {
      for (const name of LISTEN_VARIABLES) {
        try {
          deno.env.delete(name);
        } catch {
          // What may not be removed may not be read: that is the error.
        }
      }
    },
    commandLine: (pid) => mayReadProc(deno) ? readCommandLine(pid) : undefined,
    inspector,
    libc,
    marksInherited: false,
    pidfdId: () => libc()?.pidfdId(pid),
    adopter: () =>
      libc() ?? (mayCallLibc(deno) ? NO_LIBC : {
        reason: "Deno was not given --allow-ffi to call the C library: run " +
          "with it, and with --allow-net",
        isDenied: true,
      }),
    missingPermission(placeholder) {
      const missing = permissionsFor(placeholder).filter((each) =>
        deno.permissions.querySync(each).state !== "granted"
      );
      return missing.length === 0
        ? undefined
        : missing.map(({ name }) => `--allow-${name}`).join(" and ");
    },
    receive: (fd) => libc()?.setCloseOnExec(fd) ?? true,
    close(fd) {
      if (!isClosable(inspector.inspect([fd])[0]!)) return false;
      const opened = libc();
      if (opened === undefined) return closeThroughSocket(fd);
      closing(fd, () => opened.close(fd));
      return true;
    },
    connect: (fd) => Promise.resolve(connectSocket(fd)),
    tellsByListening: true,
    refuses: (fd) => !["TCP", "PIPE"].includes(handleType(fd) ?? "TCP"),
    keepRefused,
    native: async () => (await import("./backend.ts")).denoBackends,
  };
}

/** Only asks, so that nobody is prompted for what can be done without. */
function mayCallLibc(deno: DenoGlobal): boolean {
  return deno.permissions.querySync({ name: "ffi" }).state === "granted";
}

/** What Deno asks for when a listener is made on a placeholder. */
function permissionsFor(placeholder: Placeholder): DenoPermission[] {
  if (placeholder.kind !== "unix") {
    return [{ name: "net", host: placeholder.hostname }];
  }
  const { path } = placeholder;
  return [{ name: "read", path }, { name: "write", path }];
}

/** Only asks, too. */
function mayReadProc(deno: DenoGlobal): boolean {
  return deno.permissions.querySync({ name: "read", path: "/proc" }).state ===
    "granted";
}

function withPermission<T>(use: () => T): T {
  try {
    return use();
  } catch (error) {
    const { name } = error as Error;
    // Deno 1 named this error PermissionDenied.
    if (name !== "NotCapable" && name !== "PermissionDenied") throw error;
    throw new ActivationError(
      "permission",
      `Reading the variables of socket activation: Deno denied access to ` +
        `the environment: run with --allow-env=${LISTEN_VARIABLES.join(",")}`,
      { cause: error },
    );
  }
}

/** What can be told without any permission: little, and never a guess. */
const guess: Inspector = {
  inspect: (fds) =>
    fds.map((fd) =>
      handleType(fd) === "TCP"
        ? { kind: "socket", type: "stream" }
        : { kind: "unknown" }
    ),
  inspectPath: () => undefined,
};

/**
 * Asks `node:dgram` for the type of a descriptor, which it names when it
 * refuses one: without any permission, and without touching it. `TCP` is a
 * stream socket of IPv4 or IPv6, `PIPE` one of the Unix family or a FIFO,
 * `FILE` a file or device, `UNKNOWN` the rest, also what isn't open. (Deno's
 * refuses every descriptor; one that is taken would be a UDP socket.)
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

/**
 * Deno's `fs.closeSync` knows only descriptors that Deno opened. A socket that
 * takes one over and is destroyed unused closes it, with no shutdown(2).
 */
function closeThroughSocket(fd: number): boolean {
  const { Socket } = builtin("node:net");
  let socket: net.Socket;
  try {
    socket = new Socket({ fd, readable: false, writable: false });
  } catch {
    // No stream socket: there is no way to close it.
    return false;
  }
  socket.destroy();
  return true;
}

/** Handles of servers that could not listen, with their descriptors. */
const refused: unknown[] = [];

/**
 * Deno's `net.Server` closes a Unix socket or pipe that it can't listen on,
 * and with it a descriptor that somebody else may have a use for. Its handle
 * is kept open instead, and kept from the garbage collector.
 */
function keepRefused(server: net.Server): void {
  interface Handle {
    close(): void;
    listen(backlog: number): number;
  }
  let current: Handle | null = null;
  Object.defineProperty(server, "_handle", {
    configurable: true,
    enumerable: true,
    get: () => current,
    set(handle: Handle | null) {
      current = handle;
      if (handle === null) return;
      const { listen } = handle;
      handle.listen = (backlog) => {
        const error = listen.call(handle, backlog);
        if (error !== 0) {
          handle.close = () => {};
          refused.push(handle);
        }
        return error;
      };
    },
  });
}
