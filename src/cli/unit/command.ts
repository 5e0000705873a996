/**
 * The command that a unit starts: with absolute paths, with the runtime itself as
 * the process, and with the flags that it needs.
 *
 * @module
 */

import { quote } from "../../core/errors.ts";
import { builtin } from "../../runtime/builtin.ts";
import type { RuntimeName } from "../../runtime/versions.ts";
import type { Place } from "../shared/disk.ts";
import { completeArguments } from "./arguments.ts";
import { baseName, refuseLauncher, RUNTIME_NAME } from "../shared/launchers.ts";
import { UsageError } from "../shared/verb.ts";

/** A command that a service manager can start. */
export interface ServiceCommand {
  /** The program's absolute path, and its arguments. */
  readonly words: readonly string[];
  /** The runtime that the program is, if it is one. */
  readonly runtime: RuntimeName | undefined;
  /** The paths that the service has to be able to read. */
  readonly paths: readonly string[];
  /** What is to be looked at again. */
  readonly warnings: readonly string[];
}

/**
 * Makes a command ready for a unit.
 *
 * @param words The command as it is typed.
 * @param place Where.
 * @param denoPermissions The permissions that Deno is to be given beside those to
 * read the variables.
 * @returns The command.
 * @throws {UsageError} If the program or its script isn't there, or if it starts
 * another process in its place.
 */
export function serviceCommand(
  words: readonly string[],
  place: Place,
  denoPermissions: readonly string[],
): ServiceCommand {
  const [typed, ...args] = words as [string, ...string[]];
  const program = findProgram(typed, place);
  refuseLauncher(typed, program, args, place);
  const expanded = expandScript(program, args, place);
  const runtime = runtimeOf(expanded[0], place);
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
    place,
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
    `${quote(word)} is relative, and a service starts in /: write the whole ` +
    `path, or set --working-directory`
  );
}

/** Finds a program as a shell does. */
function findProgram(name: string, { disk, cwd, path }: Place): string {
  const { resolve } = builtin("node:path").posix;
  if (name === "") {
    throw new UsageError(`Finding the program "": it has no name: name one`);
  }
  if (name.includes("/")) {
    const program = resolve(cwd, name);
    if (disk.isExecutable(program)) return program;
    throw new UsageError(
      `Finding the program ${quote(name)}: ` +
        (disk.status(program) === undefined
          ? `there is no such file: check the path`
          : `it is no file that can be executed: name the program itself`),
    );
  }
  for (const folder of (path ?? "").split(":")) {
    const program = resolve(cwd, folder, name);
    if (disk.isExecutable(program)) return program;
  }
  throw new UsageError(
    `Finding the program ${quote(name)}: it is in no folder of PATH: install ` +
      `it, or write its whole path`,
  );
}

function runtimeOf(program: string, { disk }: Place): RuntimeName | undefined {
  for (const path of [program, disk.realPath(program)]) {
    const name = RUNTIME_NAME.exec(baseName(path))?.[1];
    if (name !== undefined) return name as RuntimeName;
  }
  return undefined;
}

/**
 * A script that begins with `#!/usr/bin/env node` is started as `node script`:
 * services have another PATH.
 */
function expandScript(
  program: string,
  args: readonly string[],
  place: Place,
): readonly [string, ...string[]] {
  const line = /^#![ \t]*([^\n]*)/.exec(place.disk.start(program))?.[1];
  const words = line?.trim().split(/[ \t]+/) ?? [];
  if (baseName(words[0] ?? "") === "env") {
    words.shift();
    if (words[0] === "-S") words.shift();
    if (words[0]?.startsWith("-S")) words[0] = words[0].slice(2);
  }
  const [interpreter, ...flags] = words;
  if (
    interpreter === undefined || !RUNTIME_NAME.test(baseName(interpreter))
  ) return [program, ...args];
  const found = findProgram(interpreter, place);
  refuseLauncher(interpreter, found, [], place);
  return [found, ...flags, program, ...args];
}
