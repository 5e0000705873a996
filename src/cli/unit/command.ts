/**
 * The command in a unit: absolute paths, the runtime as the process, and the
 * flags that it needs.
 *
 * @module
 */

import path from "node:path";
import { quote } from "../../core/errors.ts";
import type { RuntimeName } from "../../core/types.ts";
import { findProgram, type ShellContext } from "../shared/disk.ts";
import { UsageError } from "../shared/verb.ts";
import { completeArguments } from "./arguments.ts";
import { refuseLauncher, RUNTIME_NAME } from "./launchers.ts";

/** A command that a service manager can start. */
export interface ServiceCommand {
  /** Absolute path of the program, and its arguments. */
  readonly words: readonly string[];
  /** Runtime, if the program is one. */
  readonly runtime: RuntimeName | undefined;
  /** Paths that the service must be able to read. */
  readonly paths: readonly string[];
  /** Possible mistakes, in words. */
  readonly warnings: readonly string[];
}

/**
 * Completes a typed command for a unit.
 *
 * @param denoPermissions Flags for Deno, besides those to read the variables.
 * @throws {UsageError} If the program or its script is missing, or if the
 * program starts another process.
 */
export function serviceCommand(
  words: readonly string[],
  context: ShellContext,
  denoPermissions: readonly string[],
): ServiceCommand {
  const [typed, ...args] = words as [string, ...string[]];
  const program = resolveProgram(typed, context);
  refuseLauncher(typed, program, args, context);
  const expanded = expandScript(program, args, context);
  const runtime = runtimeOf(expanded[0], context);
  if (runtime === undefined) {
    return {
      words: expanded,
      runtime,
      paths: [expanded[0]],
      warnings: relativeWarnings(expanded.slice(1)),
    };
  }
  const completed = completeArguments(
    runtime,
    expanded.slice(1),
    context,
    denoPermissions,
  );
  return {
    words: [expanded[0], ...completed.words],
    runtime,
    paths: [expanded[0], ...completed.paths],
    warnings: relativeWarnings(completed.rest),
  };
}

function relativeWarnings(args: readonly string[]): string[] {
  return args.filter((word) => /^\.\.?(?:\/|$)/.test(word)).map((word) =>
    `${quote(word)} is relative, and a service starts in /: write the ` +
    `absolute path, or set --working-directory`
  );
}

function resolveProgram(name: string, context: ShellContext): string {
  const result = findProgram(name, context);
  if ("path" in result) return result.path;
  throw new UsageError(
    `Finding the program ${quote(name)}: ${result.problem}: name an ` +
      `installed program, or its absolute path`,
  );
}

function runtimeOf(
  program: string,
  { disk }: ShellContext,
): RuntimeName | undefined {
  for (const file of [program, disk.realPath(program)]) {
    const name = RUNTIME_NAME.exec(path.posix.basename(file))?.[1];
    if (name !== undefined) return name as RuntimeName;
  }
  return undefined;
}

/**
 * Replaces a script that begins with `#!/usr/bin/env node` by `node script`,
 * because services have another PATH.
 */
function expandScript(
  program: string,
  args: readonly string[],
  context: ShellContext,
): readonly [string, ...string[]] {
  const line = /^#![ \t]*([^\n]*)/.exec(context.disk.start(program))?.[1];
  const words = line?.trim().split(/[ \t]+/) ?? [];
  if (path.posix.basename(words[0] ?? "") === "env") {
    words.shift();
    if (words[0] === "-S") words.shift();
    if (words[0]?.startsWith("-S")) words[0] = words[0].slice(2);
  }
  const [interpreter, ...flags] = words;
  if (
    interpreter === undefined ||
    !RUNTIME_NAME.test(path.posix.basename(interpreter))
  ) return [program, ...args];
  const runtime = resolveProgram(interpreter, context);
  refuseLauncher(interpreter, runtime, [], context);
  return [runtime, ...flags, program, ...args];
}
