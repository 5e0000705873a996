/**
 * The built-in modules of Deno, Bun and Node, loaded when they are needed.
 *
 * `process.getBuiltinModule` exists on all three, so that no file imports a
 * runtime's own module: the same code serves ES modules, CommonJS and JSR, and
 * importing it costs nothing.
 *
 * @module
 */

import type * as buffer from "node:buffer";
import type cluster from "node:cluster";
import type * as dgram from "node:dgram";
import type * as fs from "node:fs";
import type * as http from "node:http";
import type * as https from "node:https";
import type * as net from "node:net";
import type * as os from "node:os";
import type * as stream from "node:stream";
import type * as timers from "node:timers";
import type * as tls from "node:tls";
import type * as workerThreads from "node:worker_threads";

/** The built-in modules that this library uses. */
interface Builtins {
  "node:buffer": typeof buffer;
  "node:cluster": typeof cluster;
  "node:dgram": typeof dgram;
  "node:fs": typeof fs;
  "node:http": typeof http;
  "node:https": typeof https;
  "node:net": typeof net;
  "node:os": typeof os;
  "node:stream": typeof stream;
  "node:timers": typeof timers;
  "node:tls": typeof tls;
  "node:worker_threads": typeof workerThreads;
}

/** The part of the global `process` that this library uses. */
export interface ProcessGlobal {
  readonly pid: number;
  readonly ppid: number;
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
        `Bun 1.2 or Node 22, or later`,
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

/** Whether the runtime was started with an option, such as `--hot`. */
export function hasRuntimeOption(option: string): boolean {
  return processGlobal()?.execArgv?.includes(option) === true;
}

/** Whether the runtime evaluates the program again with the same globals. */
export function isEvaluatedAgain(): boolean {
  return hasRuntimeOption("--hot");
}

/** Whether this is the main thread, not a worker thread or a web worker. */
export function isMainThread(): boolean {
  // Before Deno 2.8 and after, `isMainThread` differs in a web worker.
  const { WorkerGlobalScope } = globalThis as {
    WorkerGlobalScope?: new () => object;
  };
  return builtin("node:worker_threads").isMainThread &&
    !(WorkerGlobalScope !== undefined &&
      globalThis instanceof WorkerGlobalScope);
}
