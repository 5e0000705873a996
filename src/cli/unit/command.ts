/**
 * The command in a unit: absolute paths, the runtime as the process, and the
 * flags that it needs.
 *
 * @module
 */

import path from "node:path";
import { quote } from "../../core/errors.ts";
import { LISTEN_VARIABLES } from "../../core/environment.ts";
import { runtimeNamed } from "../../core/launchers/names.ts";
import {
  isAssignment,
  type Prefix,
  skipPrefixes,
} from "../../core/launchers/prefixes.ts";
import type { RuntimeName } from "../../core/types.ts";
import { findProgram, type ShellContext } from "../shared/disk.ts";
import { interpreterOf, refuseLauncher } from "../shared/launchers.ts";
import { UsageError } from "../shared/verb.ts";
import { completeArguments } from "./arguments.ts";

/** A command that a service manager can start. */
export interface ServiceCommand {
  /** Absolute path of the program, and its arguments. */
  readonly words: readonly string[];
  /** Variables that `env` sets for the program, as `NAME=value`. */
  readonly environment: readonly string[];
  /** Runtime, if the program is one. */
  readonly runtime: RuntimeName | undefined;
  /** Paths that the service must be able to read. */
  readonly paths: readonly string[];
  /** Possible mistakes, in words. */
  readonly warnings: readonly string[];
  /** Whether the program knows nothing of the library. */
  readonly isPreloaded?: boolean;
}

/**
 * Completes a typed command for a unit.
 *
 * @param denoPermissions Flags for Deno, besides those to read the variables.
 * @param variables Further variables that a program on Deno reads.
 * @throws {UsageError} If the program or its script is missing, or if the
 * program starts another process.
 */
export function serviceCommand(
  words: readonly string[],
  context: ShellContext,
  denoPermissions: readonly string[],
  variables: readonly string[] = [],
): ServiceCommand {
  const plain = skipPrefixes(words);
  const environment = plain.prefixes.flatMap(environmentOf);
  // As env does, which searches the variable PATH that it sets.
  const searchPath = environment.findLast((word) => word.startsWith("PATH="))
    ?.slice("PATH=".length);
  const own = searchPath === undefined ? context : { ...context, searchPath };
  refuseLauncher(words, own, "unit");
  const [typed, ...args] = plain.words;
  if (typed === undefined) {
    throw new UsageError(
      `Finding the program: ${quote(words.join(" "))} starts none: name the ` +
        `program after it`,
    );
  }
  const prefix = plain.prefixes.filter(({ name }) => name !== "env")
    .flatMap(({ words: [program, ...rest] }) => [
      resolveProgram(program!, context),
      ...rest,
    ]);
  const expanded = expandScript(resolveProgram(typed, own), args, own);
  const runtime = runtimeOf(expanded[0], own);
  const completed = runtime === undefined
    ? { words: expanded.slice(1), paths: [], rest: expanded.slice(1) }
    : completeArguments(runtime, expanded.slice(1), own, denoPermissions, [
      ...LISTEN_VARIABLES,
      ...variables,
    ]);
  return {
    words: [...prefix, expanded[0], ...completed.words],
    environment,
    runtime,
    paths: [expanded[0], ...completed.paths],
    warnings: relativeWarnings(completed.rest, own),
  };
}

/**
 * Returns the variables that `env` sets.
 *
 * @throws {UsageError} If it has an option that a unit can't express.
 */
function environmentOf({ name, words }: Prefix): string[] {
  if (name !== "env") return [];
  const assignments = words.slice(1).filter(isAssignment);
  const option = words.slice(1).find((word) =>
    !isAssignment(word) && word !== "--"
  );
  const invalid = assignments.find((word) => !/^[A-Za-z_]\w*=/.test(word));
  if (invalid !== undefined) {
    throw new UsageError(
      `Reading the arguments of env: expected a name of letters, digits and ` +
        `"_", found ${quote(invalid)}: rename the variable`,
    );
  }
  if (option === undefined) return assignments;
  throw new UsageError(
    `Reading the arguments of env: expected only variables before the ` +
      `program, found ${quote(option)}: set it in the unit instead, such as ` +
      `UnsetEnvironment= or WorkingDirectory=`,
  );
}

/** Notes arguments that name relative files, as words or as values of flags. */
function relativeWarnings(
  args: readonly string[],
  { disk, cwd }: ShellContext,
): string[] {
  const isRelative = (word: string) =>
    /^\.\.?(?:\/|$)/.test(word) ||
    word !== "" && !/^[-/]/.test(word) &&
      disk.status(path.posix.resolve(cwd, word)) !== undefined;
  return args.filter((word) => isRelative(word.replace(/^--?[\w-]+=/, ""))).map(
    (word) =>
      `${quote(word)} is relative, and a service starts in /: write an ` +
      `absolute path, or set --working-directory`,
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
  return runtimeNamed(program) ?? runtimeNamed(disk.realPath(program));
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
  const line = interpreterOf(context.disk.start(program));
  if (line === undefined || runtimeNamed(line[0]!) === undefined) {
    return [program, ...args];
  }
  const [interpreter, ...flags] = line;
  return [resolveProgram(interpreter!, context), ...flags, program, ...args];
}
