/**
 * Refuses commands that start the program in another process, which gets no
 * descriptors.
 *
 * @module
 */

import { posix } from "node:path";
import { quote } from "../../core/errors.ts";
import { fileNameOf, runtimeNamed } from "../../core/launchers/names.ts";
import { skipPrefixes } from "../../core/launchers/prefixes.ts";
import {
  isShell,
  judgeShellScript,
  launcherScript,
  recognizeLauncher,
} from "../../core/launchers/recognize.ts";
import {
  packageScript,
  readRuntimeArguments,
} from "../../core/launchers/runtime_arguments.ts";
import type { Launcher } from "../../core/launchers/table.ts";
import { type Disk, findProgram, type ShellContext } from "./disk.ts";
import { UsageError } from "./verb.ts";

/** The verb whose command is checked. */
export type LaunchingVerb = "run" | "unit";

/**
 * Throws a {@linkcode UsageError} if a command starts the program as another
 * process, or without the descriptors.
 */
export function refuseLauncher(
  command: readonly string[],
  context: ShellContext,
  verb: LaunchingVerb,
): void {
  const launcher = findLauncher(command, context, verb);
  if (launcher === undefined) return;
  const {
    name,
    problem = "starts another process, for which the descriptors are not " +
      "meant, and may close them",
  } = launcher;
  throw new UsageError(
    `Finding the program: ${quote(name)} ${problem}: ` + remedy(launcher, verb),
  );
}

function remedy(
  { advice, isWatcher, instead }: Launcher,
  verb: LaunchingVerb,
): string {
  if (!isWatcher) return advice;
  if (verb === "unit") {
    return `${advice}, and restart the service after a change`;
  }
  return instead === undefined
    ? `${advice}, and let listenfds run --watch restart it`
    : `write listenfds run --watch … -- ${instead.map(shellWord).join(" ")}`;
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : quote(word);
}

/** Finds the launcher that a command starts, also through files. */
function findLauncher(
  command: readonly string[],
  context: ShellContext,
  verb: LaunchingVerb,
): Launcher | undefined {
  const { prefixes, words, obstacle } = skipPrefixes(command);
  if (obstacle !== undefined) return obstacle;
  const before = prefixes.flatMap((prefix) => prefix.words);
  const [typed, ...args] = words;
  if (typed === undefined) return undefined;
  const { disk } = context;
  const found = findProgram(typed, context);
  const program = "path" in found ? found.path : typed;
  const real = disk.realPath(program);
  for (const path of [typed, real]) {
    const launcher = recognizeLauncher([path, ...args]);
    if (launcher !== undefined && applies(launcher, words, context, verb)) {
      const { instead } = launcher;
      return instead === undefined
        ? launcher
        : { ...launcher, instead: [...before, ...instead] };
    }
  }
  return runtimeScript(typed, real, disk, verb) ??
    linkedScript(words, context) ??
    shellFile(words, program, context, verb) ??
    shebangLauncher(program, args, context, verb);
}

/** Decides a condition that needs the disk or the verb. */
function applies(
  { condition }: Launcher,
  words: readonly string[],
  context: ShellContext,
  verb: LaunchingVerb,
): boolean {
  switch (condition) {
    case "in-units":
      return verb === "unit";
    case "unless-exec":
      return verb === "unit" && words.some((word) => /^-\w*c/.test(word));
    case "unless-file":
      return isPackageScript(words, context);
    default:
      return true;
  }
}

/** Files from which a runtime takes scripts, from this directory upwards. */
const PACKAGE_FILES = ["package.json", "deno.json", "deno.jsonc"];

/** Whether a runtime finds the script of a command in a package, not as a file. */
function isPackageScript(
  words: readonly string[],
  { disk, cwd }: ShellContext,
): boolean {
  const [program = "", ...args] = words;
  const runtime = runtimeNamed(program) ??
    runtimeNamed(disk.realPath(program)) ?? "bun";
  const script = packageScript(runtime, args);
  if (script === undefined) return false;
  const isFile = disk.status(posix.resolve(cwd, script))?.isFile === true;
  // Deno prefers the file.
  if (isFile && runtime === "deno") return false;
  for (let directory = cwd;; directory = posix.dirname(directory)) {
    const isListed = PACKAGE_FILES.some((name) =>
      hasScript(disk.start(posix.join(directory, name)), script)
    );
    const binary = posix.join(directory, "node_modules/.bin", script);
    if (isListed || disk.status(binary) !== undefined) return true;
    if (directory === posix.dirname(directory)) return false;
  }
}

/** Whether a file lists a script; it may have comments. */
function hasScript(text: string, script: string): boolean {
  const start = text.search(/"(?:scripts|tasks)"\s*:/);
  return start >= 0 && text.indexOf(`"${script}"`, start) >= 0;
}

/** Recognizes a runtime that is a script itself, which starts the runtime. */
function runtimeScript(
  typed: string,
  real: string,
  disk: Disk,
  verb: LaunchingVerb,
): Launcher | undefined {
  const runtime = runtimeNamed(typed);
  const line = interpreterOf(disk.start(real));
  if (runtime === undefined || line === undefined) return undefined;
  // A shim of a version manager executes the runtime in the same process, which
  // depends on the environment of a login.
  if (verb === "run" && isShell(line[0]!)) return undefined;
  return {
    name: typed,
    problem:
      `is a script that starts ${runtime} in another process, for which ` +
      `the descriptors are not meant (that of the npm package, or of a version ` +
      `manager)`,
    advice: `name the program itself${suggestion(real, disk)}`,
  };
}

/** Names the program that the npm package of Deno has beside its launcher. */
function suggestion(script: string, disk: Disk): string {
  const program = script.replace(/\/bin\.cjs$/, "/deno");
  return program !== script && disk.isExecutable(program)
    ? `, here ${quote(program)}`
    : "";
}

/** Recognizes a script of a runtime that is a link to a launcher. */
function linkedScript(
  [program = "", ...args]: readonly string[],
  { disk, cwd }: ShellContext,
): Launcher | undefined {
  const runtime = runtimeNamed(program);
  if (runtime === undefined) return undefined;
  const { rest: [script, ...scriptArgs] } = readRuntimeArguments(runtime, args);
  return script === undefined ? undefined : launcherScript(
    disk.realPath(posix.resolve(cwd, script)),
    scriptArgs,
  );
}

/** Recognizes a shell script in a file that a shell or the kernel executes. */
function shellFile(
  words: readonly string[],
  program: string,
  { disk, cwd }: ShellContext,
  verb: LaunchingVerb,
): Launcher | undefined {
  const args = words.slice(1);
  const isScript = isShell(interpreterOf(disk.start(program))?.[0] ?? "");
  const index = args.findIndex((word) => !word.startsWith("-"));
  const file = isScript ? program : isShell(words[0]!) && index >= 0 &&
      !args.some((word) => /^-\w*c/.test(word))
    ? posix.resolve(cwd, args[index]!)
    : undefined;
  if (file === undefined) return undefined;
  const text = disk.start(file);
  const name = isScript ? interpreterOf(text)![0]! : words[0]!;
  const launcher = judgeShellScript(
    fileNameOf(name),
    text,
    isScript ? args : args.slice(index + 1),
    false,
  );
  if (launcher === undefined) return undefined;
  return launcher.condition === undefined ||
      launcher.condition === "in-units" && verb === "unit"
    ? launcher
    : undefined;
}

/** Recognizes options of the runtime in the first line of a script. */
function shebangLauncher(
  program: string,
  args: readonly string[],
  context: ShellContext,
  verb: LaunchingVerb,
): Launcher | undefined {
  const line = interpreterOf(context.disk.start(program));
  if (line === undefined || runtimeNamed(line[0]!) === undefined) {
    return undefined;
  }
  return findLauncher([...line, program, ...args], context, verb);
}

/** Returns the interpreter and its arguments, which begin a script. */
export function interpreterOf(start: string): string[] | undefined {
  const line = /^#![ \t]*([^\n]*)/.exec(start)?.[1];
  const words = line?.trim().split(/[ \t]+/) ?? [];
  if (fileNameOf(words[0] ?? "") === "env") {
    words.shift();
    if (words[0] === "-S") words.shift();
    if (words[0]?.startsWith("-S")) words[0] = words[0].slice(2);
  }
  return words[0] === undefined || words[0] === "" ? undefined : words;
}
