/**
 * The built-in modules of Deno, Bun and Node, loaded when they are needed.
 *
 * `process.getBuiltinModule` exists on all three, so that no file imports a
 * runtime's own module: the same code serves ES modules, CommonJS and JSR, and
 * importing it costs nothing.
 *
 * @module
 */

import { isOlder } from "./versions.ts";
import type * as buffer from "node:buffer";
import type * as childProcess from "node:child_process";
import type cluster from "node:cluster";
import type * as dgram from "node:dgram";
import type * as events from "node:events";
import type * as fs from "node:fs";
import type * as http from "node:http";
import type * as https from "node:https";
import type * as net from "node:net";
import type * as os from "node:os";
import type * as stream from "node:stream";
import type * as timers from "node:timers";
import type * as tls from "node:tls";
import type * as tty from "node:tty";
import type * as workerThreads from "node:worker_threads";

/** The built-in modules that this library uses. */
interface Builtins {
  "node:buffer": typeof buffer;
  "node:child_process": typeof childProcess;
  "node:cluster": typeof cluster;
  "node:dgram": typeof dgram;
  "node:events": typeof events;
  "node:fs": typeof fs;
  "node:http": typeof http;
  "node:https": typeof https;
  "node:net": typeof net;
  "node:os": typeof os;
  "node:stream": typeof stream;
  "node:timers": typeof timers;
  "node:tls": typeof tls;
  "node:tty": typeof tty;
  "node:worker_threads": typeof workerThreads;
}

/**
 * What the library uses of globals that not each runtime has. They stand in for
 * `process` on Deno and for modules on Bun, which these runtimes load at the first
 * access: that takes longer than all other work before the first answer.
 */
const { Deno, Bun, DedicatedWorkerGlobalScope } = globalThis as {
  Deno?: {
    readonly version: { readonly deno: string };
    unrefTimer(timer: number): void;
  };
  Bun?: { readonly isMainThread: boolean };
  /** In each worker of Deno; `WorkerGlobalScope` is missing in those of Node's kind. */
  DedicatedWorkerGlobalScope?: new () => object;
};

/** The part of the global `process` that this library uses. */
export interface ProcessGlobal {
  readonly pid: number;
  readonly ppid: number;
  /** The program, the script and its arguments. */
  readonly argv: readonly string[];
  /** Options of the runtime itself, such as `--watch`. */
  readonly execArgv?: readonly string[];
  readonly versions: { readonly node?: string };
  readonly platform: string;
  readonly arch: string;
  readonly env: Record<string, string | undefined>;
  /** Node's permission model, where it is in effect. */
  readonly permission?: { has(scope: string): boolean };
  on(signal: string, listener: () => void): unknown;
  prependListener(signal: string, listener: () => void): unknown;
  listenerCount(signal: string): number;
  off(signal: string, listener: () => void): unknown;
  exit(status: number): never;
  readonly hrtime: { bigint(): bigint };
  emitWarning(warning: string | Error, ...options: unknown[]): void;
  getBuiltinModule<Id extends keyof Builtins>(id: Id): Builtins[Id] | undefined;
}

/** The global `process`, or `undefined` where there is none (a browser, say). */
export function processGlobal(): ProcessGlobal | undefined {
  return (globalThis as { process?: ProcessGlobal }).process;
}

/** Loads a built-in module; throws if the runtime doesn't have it. */
export function builtin<Id extends keyof Builtins>(id: Id): Builtins[Id] {
  const module = processGlobal()?.getBuiltinModule?.(id);
  if (module === undefined) {
    throw new TypeError(
      `Loading ${id}: this runtime has no such built-in module: use Deno 2.3, ` +
        `Bun 1.2.6 or Node 22, or later`,
    );
  }
  return module;
}

/** The number of a signal; `undefined` if the system has no such signal. */
export function signalNumber(signal: string): number | undefined {
  const { signals } = builtin("node:os").constants;
  return Object.hasOwn(signals, signal)
    ? signals[signal as keyof typeof signals]
    : undefined;
}

/** Whether `cluster.fork()` started this process. */
export function isClusterWorker(): boolean {
  try {
    return builtin("node:cluster").isWorker;
  } catch {
    return false;
  }
}

/**
 * Whether the runtime was started with an option, such as `--hot`. Deno reports
 * none.
 */
export function hasRuntimeOption(option: string): boolean {
  return Deno === undefined &&
    processGlobal()?.execArgv?.includes(option) === true;
}

/** Whether the runtime evaluates the program again with the same globals. */
export function isEvaluatedAgain(): boolean {
  return hasRuntimeOption("--hot");
}

/** Whether this is the main thread, not a worker thread or a web worker. */
export function isMainThread(): boolean {
  if (Deno !== undefined) {
    return DedicatedWorkerGlobalScope === undefined ||
      !(globalThis instanceof DedicatedWorkerGlobalScope);
  }
  return Bun?.isMainThread ?? builtin("node:worker_threads").isMainThread;
}

/** From this version on, Deno loads `node:timers` at the first `setTimeout()`. */
const LAZY_TIMERS_VERSION = "2.9";

/** Calls a function after a time, unless the process has ended by then. */
export function callUnlessEnded(call: () => void, delayMs: number): void {
  if (Deno !== undefined && !isOlder(Deno.version.deno, LAZY_TIMERS_VERSION)) {
    // Nothing wakes this up, and waiting doesn't keep the process. Deno 2.5 would
    // wait for another event, too.
    const memory = new Int32Array(new SharedArrayBuffer(4));
    const { value } = Atomics.waitAsync(memory, 0, 0, delayMs);
    void Promise.resolve(value).then(call);
    return;
  }
  const timer = setTimeout(call, delayMs);
  // On Deno, it is a number.
  if (typeof timer === "number") Deno!.unrefTimer(timer);
  else timer.unref();
}
