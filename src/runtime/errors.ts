/**
 * Errors of the runtimes, and of their listeners and connections, as this
 * library reports them.
 *
 * @module
 */

import { type Address, formatAddress } from "../core/address.ts";
import type { Descriptor } from "../core/descriptor.ts";
import { ActivationError, quote } from "../core/errors.ts";
import type { Fallback } from "../core/types.ts";
import {
  EACCES,
  EADDRINUSE,
  EADDRNOTAVAIL,
  EAFNOSUPPORT,
  ENOENT,
  ENOTDIR,
  EPERM,
} from "../ffi/constants.ts";
import { LibcError } from "../ffi/descriptor_calls.ts";
import { TakenPathError } from "../linux/socket_path.ts";
import { builtin, processGlobal } from "./builtin.ts";
import type { FallbackSource, Platform } from "./platform.ts";

/** Wraps an error of a server, a socket or the operating system. */
export function listenError(error: unknown, action: string): ActivationError {
  const flag = deniedFlag(error);
  if (flag !== undefined) return missingPermission(flag, action, error);
  const { code } = error as NodeJS.ErrnoException;
  const errno = errnoOf(error);
  // The numbers of other systems differ, and the C library has no names.
  const isDenied = isPermissionError(error) || code === "EACCES" ||
    code === "EPERM" || errno === EACCES || errno === EPERM;
  return new ActivationError(
    isDenied ? "permission" : "system",
    `${action}: ${describeError(error)}`,
    { cause: error, errno },
  );
}

/** Returns the message of an error; the C library has numbers only. */
function describeError(error: unknown): string {
  if (!(error instanceof LibcError)) return (error as Error).message;
  const { errno } = builtin("node:os").constants;
  const name = Object.entries(errno).find(([, each]) => each === error.errno);
  return `${error.call} ${name?.[0] ?? `error ${error.errno}`}`;
}

/** Wraps an error of binding a fallback address, and says what to do. */
export function bindError(
  error: unknown,
  fallback: Fallback,
  action: string,
): ActivationError {
  const binding = `${action}: binding ${describeFallback(fallback)}`;
  const failure = listenError(error, binding);
  const { code, message, errno } = failure;
  const remedy = error instanceof TakenPathError
    ? `there is ${error.noun}, not a socket: set another path`
    : errno === undefined
    ? undefined
    : fallbackRemedy(errno, fallback);
  return remedy === undefined
    ? failure
    : new ActivationError(code, `${message}: ${remedy}`, {
      cause: error,
      errno,
    });
}

/** Returns what to do about an error of `bind(2)`. */
function fallbackRemedy(errno: number, fallback: Fallback): string | undefined {
  const isPath = "path" in fallback;
  switch (errno) {
    case EADDRINUSE:
      return isPath
        ? `end the process that listens there, or remove the path`
        : `end the process that uses the port, or stop the socket unit if ` +
          `systemd has it (ss -tulpn), or set another one`;
    case EADDRNOTAVAIL:
      return `set an address of this machine (ip address)`;
    case EAFNOSUPPORT:
      return `set another address, or the family in RestrictAddressFamilies=`;
    case EACCES:
      return isPath
        ? `set a path in a directory that this user can write to, such as that ` +
          `of RuntimeDirectory=`
        : `set a port from 1024 on, or ` +
          `AmbientCapabilities=CAP_NET_BIND_SERVICE in the service unit`;
    case EPERM:
      return isPath
        ? undefined
        : `set SocketBindAllow= with the port in the service unit`;
    case ENOENT:
    case ENOTDIR:
      return `create the directory, such as with RuntimeDirectory=`;
    default:
      return undefined;
  }
}

/** The error for a permission of the runtime that a flag grants. */
export function missingPermission(
  flag: string,
  action: string,
  cause?: unknown,
): ActivationError {
  return new ActivationError(
    "permission",
    `${action}: missing permission: run with ${flag}`,
    { cause },
  );
}

/** The flags of Node's permission model, by `permission` of its errors. */
const NODE_FLAGS: Readonly<Record<string, string>> = {
  FileSystemRead: "--allow-fs-read",
  FileSystemWrite: "--allow-fs-write",
  ChildProcess: "--allow-child-process",
  WorkerThreads: "--allow-worker",
  Net: "--allow-net",
  FFI: "--allow-ffi",
  Addon: "--allow-addons",
  WASI: "--allow-wasi",
  Inspector: "--allow-inspector",
};

/** Returns the flag that grants what Deno or Node denied, if the error names it. */
function deniedFlag(error: unknown): string | undefined {
  const { code, permission, resource, message } = error as
    & NodeJS.ErrnoException
    & { permission?: string; resource?: string };
  if (isPermissionError(error)) {
    return /run again with the (--[a-z-]+) flag/.exec(message)?.[1];
  }
  if (code !== "ERR_ACCESS_DENIED" || permission === undefined) {
    return undefined;
  }
  const flag = NODE_FLAGS[permission];
  return flag?.startsWith("--allow-fs-") && resource
    ? `${flag}=${resource}`
    : flag;
}

/** The error for a fallback address that can't be bound. */
export function fallbackError(
  error: unknown,
  { address, foreignReason }: FallbackSource,
  action: string,
): ActivationError {
  const failure = bindError(error, address, action);
  if (foreignReason === undefined) return failure;
  const { code, message, errno } = failure;
  return new ActivationError(code, `${message}: ${foreignReason}`, {
    cause: error,
    errno,
  });
}

/** The property of the global object that remembers the warning. */
const WARNED: unique symbol = Symbol.for("listenfds.warned.v1") as never;

/**
 * Warns once that a fallback is bound although the variables of the protocol
 * are there for another process.
 */
export function warnOfFallback(
  { address, foreignReason }: FallbackSource,
  action: string,
): void {
  const global = globalThis as { [WARNED]?: boolean };
  if (foreignReason === undefined || global[WARNED]) return;
  global[WARNED] = true;
  processGlobal()!.emitWarning(
    `${action}: bound ${describeFallback(address)}, not the sockets of the ` +
      `service manager: ${foreignReason}`,
    { code: "LISTENFDS_FOREIGN" },
  );
}

/** The error number of the operating system, where the runtime reports it. */
function errnoOf(error: unknown): number | undefined {
  const { errno, code } = error as { errno?: unknown; code?: unknown };
  if (typeof errno === "number") return Math.abs(errno);
  const numbers = builtin("node:os").constants.errno;
  return typeof code === "string" && Object.hasOwn(numbers, code)
    ? numbers[code as keyof typeof numbers]
    : undefined;
}

/**
 * Whether an error says that this process, or the machine, has no descriptor or
 * memory left for another file: a state that passes.
 */
export function isExhaustion(error: unknown): boolean {
  const errno = errnoOf(error);
  const { EMFILE, ENFILE, ENOBUFS, ENOMEM } = builtin("node:os")
    .constants.errno;
  return [EMFILE, ENFILE, ENOBUFS, ENOMEM].includes(errno!);
}

/** Whether an error is one of Deno's permissions (`PermissionDenied` in Deno 1). */
export function isPermissionError(error: unknown): boolean {
  const { name } = error as Error;
  return name === "NotCapable" || name === "PermissionDenied";
}

/** The error for a runtime that listens at another address than the descriptor's. */
export function addressMismatch(
  { title, version }: Platform,
  descriptor: Descriptor,
  expected: Address,
  actual: Address,
  action: string,
): ActivationError {
  return new ActivationError(
    "address-mismatch",
    `${action}: ${descriptor} is bound to ${formatAddress(expected)}, but ` +
      `${title} ${version} used ${formatAddress(actual)}, ` +
      `which is closed again: use another version`,
  );
}

/** The error for a connection that could not be taken over. */
export function connectError(error: unknown, fd: number): ActivationError {
  return listenError(error, `Taking over the connection in descriptor ${fd}`);
}

/** The error for using a connection that is closed. */
export function closedError(): DOMException {
  return new DOMException("The connection is closed", "AbortError");
}

/** Formats a fallback address for messages. */
export function describeFallback(fallback: Fallback): string {
  if ("path" in fallback) return quote(fallback.path);
  return `port ${fallback.port} of ${fallback.hostname ?? "all addresses"}`;
}

/** Whether an error reports wrong options, or is one of this library. */
export function isReported(error: unknown): boolean {
  return error instanceof ActivationError || error instanceof TypeError ||
    error instanceof RangeError || error instanceof SyntaxError;
}
