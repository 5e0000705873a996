/**
 * The modules that Deno, Bun and Node have built in, loaded when needed.
 *
 * `process.getBuiltinModule` exists on all three, so that no file imports a
 * runtime's own module: the same code serves ES modules, CommonJS and JSR, and
 * importing it costs nothing.
 *
 * @module
 */

import type * as childProcess from "node:child_process";
import type * as dgram from "node:dgram";
import type * as fs from "node:fs";
import type * as http from "node:http";
import type * as https from "node:https";
import type * as net from "node:net";
import type * as os from "node:os";
import type * as path from "node:path";
import type * as timers from "node:timers";
import type * as tls from "node:tls";
import type * as util from "node:util";

/** The built-in modules that this library uses. */
interface Builtins {
  "node:child_process": typeof childProcess;
  "node:dgram": typeof dgram;
  "node:fs": typeof fs;
  "node:http": typeof http;
  "node:https": typeof https;
  "node:net": typeof net;
  "node:os": typeof os;
  "node:path": typeof path;
  "node:timers": typeof timers;
  "node:tls": typeof tls;
  "node:util": typeof util;
}

/** What this library uses of the global `process`. */
export interface ProcessGlobal {
  readonly pid: number;
  readonly versions: { readonly node?: string };
  readonly platform: string;
  readonly arch: string;
  readonly env: Record<string, string | undefined>;
  on(signal: string, listener: () => void): unknown;
  off(signal: string, listener: () => void): unknown;
  exit(status: number): never;
  emitWarning(warning: string | Error, ...options: unknown[]): void;
  getBuiltinModule<Id extends keyof Builtins>(id: Id): Builtins[Id] | undefined;
}

/** The global `process`, or `undefined` where there is none (a browser, say). */
export function processGlobal(): ProcessGlobal | undefined {
  return (globalThis as { process?: ProcessGlobal }).process;
}

/**
 * Loads a built-in module.
 *
 * @param id The module's name.
 * @returns The module.
 * @throws {TypeError} If the runtime doesn't have it.
 */
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
