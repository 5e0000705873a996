/**
 * Names of programs.
 *
 * @module
 */

import type { RuntimeName } from "../types.ts";

/** Names of runtimes: `node`, `node-24`, `nodejs`. */
const RUNTIME_NAME = /^(deno|bun|node)(?:js)?(?:[-.]?v?\d[\d.]*)?(?:\.exe)?$/;

/** Returns the file name of a path. */
export function fileNameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Returns the runtime that a program is, by its name. */
export function runtimeNamed(program: string): RuntimeName | undefined {
  return RUNTIME_NAME.exec(fileNameOf(program))?.[1] as RuntimeName | undefined;
}
