/**
 * Recognizing launchers by the words of a command line. All that the library and
 * the command know of launchers is in this directory.
 *
 * @module
 */

import type { RuntimeName } from "../types.ts";
import { fileNameOf, runtimeNamed } from "./names.ts";
import { skipPrefixes } from "./prefixes.ts";
import {
  packageScript,
  readRuntimeArguments,
  runtimeLauncher,
} from "./runtime_arguments.ts";
import { scriptCommands } from "./shell.ts";
import {
  type Launcher,
  launcherNamed,
  launcherOfPackage,
  launcherProgram,
  NAME_THE_SCRIPT,
} from "./table.ts";

/** Shells; those that replace themselves by the only command of a script. */
const SHELLS: ReadonlyMap<string, { readonly replacesItself: boolean }> =
  new Map(
    "sh dash ash fish csh tcsh nu bash zsh ksh mksh".split(" ").map((name) => [
      name,
      { replacesItself: ["bash", "zsh", "ksh", "mksh"].includes(name) },
    ]),
  );

/** The depth at which a command within a command is not looked at any more. */
const MAX_DEPTH = 8;

/**
 * Recognizes a launcher by the words of its command line, such as
 * `node …/npm-cli.js run start`, `npm run start`, `node --watch server.js` or
 * `sh -c "…; node server.js"`. Programs that become another program, such as
 * `env` and `nice`, are skipped.
 */
export function recognizeLauncher(
  command: readonly string[],
  depth: number = 0,
): Launcher | undefined {
  const { words, obstacle } = skipPrefixes(command);
  if (obstacle !== undefined) return obstacle;
  const [program, ...args] = words;
  if (program === undefined || program === "" || depth > MAX_DEPTH) {
    return undefined;
  }
  const titled = titleName(program);
  if (titled !== undefined) return launcherNamed(titled, args);
  const name = fileNameOf(program).replace(/\.(?:exe|cmd)$/, "");
  const runtime = runtimeNamed(name);
  if (runtime !== undefined) return ofRuntime(program, runtime, args);
  const shell = shellNameOf(name);
  if (SHELLS.has(shell)) return ofShell(shell, args, depth);
  return launcherNamed(name, args) ?? launcherScript(program, args);
}

/** Programs that set their process title, which then is all of `argv[0]`. */
function titleName(program: string): string | undefined {
  if (/^PM2 v\d/.test(program)) return "pm2";
  const [first = ""] = program.split(" ");
  return first !== program && !first.includes("/") &&
      launcherNamed(first, []) !== undefined
    ? first
    : undefined;
}

function ofRuntime(
  program: string,
  runtime: RuntimeName,
  args: readonly string[],
): Launcher | undefined {
  const own = runtimeLauncher(program, runtime, args);
  if (own !== undefined) return own;
  const { rest, hasCode } = readRuntimeArguments(runtime, args);
  const [script, ...scriptArgs] = rest;
  if (hasCode || script === undefined) return undefined;
  const launcher = launcherScript(script, scriptArgs);
  if (launcher !== undefined) return launcher;
  return packageScript(runtime, args) === undefined ? undefined : {
    name: `${runtime} run`,
    advice: NAME_THE_SCRIPT,
    condition: "unless-file",
  };
}

/** Whether a program is a shell, by its name. */
export function isShell(program: string): boolean {
  return SHELLS.has(shellNameOf(program));
}

/** Returns a shell's name; that of a login shell begins with a dash (bash(1)). */
function shellNameOf(program: string): string {
  return fileNameOf(program).replace(/^-/, "");
}

/** Entry points of package managers, whatever their directory. */
const MANAGER_SCRIPT =
  /^(npm|npx|pnpm|pnpx|yarn|yarnpkg|corepack)(?:-cli)?(?:-\d[\w.-]*)?\.[cm]?js$/;

/**
 * Recognizes the process that was started in another one's place, which is known
 * to have started that one.
 */
export function recognizeStarted(
  command: readonly string[],
): Launcher | undefined {
  const launcher = recognizeLauncher(command);
  const [program = ""] = command;
  return launcher === undefined && isShell(program)
    ? shellLauncher(shellNameOf(program))
    : launcher;
}

/** Recognizes a launcher that is a script of a runtime, by its path. */
export function launcherScript(
  script: string,
  args: readonly string[],
): Launcher | undefined {
  const fileName = fileNameOf(script);
  const manager = MANAGER_SCRIPT.exec(fileName)?.[1];
  if (manager !== undefined) return launcherNamed(manager, args);
  // Deno runs packages by their specifier, such as npm:tsx@4/tsx.
  const specifier = /^npm:\/?((?:@[^/@]+\/)?[^/@]+)(?:@[^/]*)?(?:\/(.*))?$/
    .exec(script);
  const installed = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/@.][^/]*)\/[^]*$/
    .exec(script.slice(Math.max(0, script.lastIndexOf("node_modules/"))));
  const packageName = specifier?.[1] ?? installed?.[1];
  if (packageName !== undefined) {
    return launcherOfPackage(packageName, args);
  }
  // A program of npm has no extension in a directory of programs.
  return /(?:^|\/)\.?bin\/[^/.]+$/.test(script)
    ? launcherProgram(fileName, args)
    : undefined;
}

function ofShell(
  name: string,
  args: readonly string[],
  depth: number,
): Launcher | undefined {
  const { script, scriptArgs } = readShellArguments(args);
  if (script === undefined) {
    // A script in a file, whose text only the disk has.
    return shellLauncher(name, "unless-exec");
  }
  const { replacesItself } = SHELLS.get(name)!;
  return judgeShellScript(name, script, scriptArgs, replacesItself, depth);
}

function shellLauncher(
  name: string,
  condition?: Launcher["condition"],
): Launcher {
  return {
    name,
    advice: "begin the last command with exec",
    ...condition !== undefined && { condition },
  };
}

/** Reads the script of `-c`, which other options may precede. */
function readShellArguments(
  args: readonly string[],
): { script?: string; scriptArgs: readonly string[] } {
  let hasCode = false;
  let index = 0;
  for (; /^[-+]./.test(args[index] ?? ""); index++) {
    const word = args[index]!;
    if (word === "--") {
      index++;
      break;
    }
    if (/^-[A-Za-z]*c[A-Za-z]*$/.test(word)) hasCode = true;
    if (word === "--command") hasCode = true;
    if (/^[-+](?:[A-Za-z]*[oO]|-(?:rcfile|init-file))$/.test(word)) index++;
  }
  if (!hasCode) return { scriptArgs: [] };
  // The word after the script is $0.
  return { script: args[index] ?? "", scriptArgs: args.slice(index + 2) };
}

/**
 * Recognizes that a shell script starts a program as a child process, or
 * executes a launcher.
 *
 * @param name The shell.
 * @param args The script's arguments.
 * @param replacesItself Whether the shell becomes the only command of the script.
 */
export function judgeShellScript(
  name: string,
  script: string,
  args: readonly string[],
  replacesItself: boolean,
  depth: number = 0,
): Launcher | undefined {
  const commands = scriptCommands(script, args);
  const executed = commands.map(executedCommand)
    .findLast((words) => words !== undefined);
  if (executed !== undefined) return recognizeLauncher(executed, depth + 1);
  if (commands.length === 1 && replacesItself) {
    const launcher = recognizeLauncher(commands[0]!, depth + 1);
    if (launcher !== undefined) return launcher;
  }
  const inner = commands.map((words) => startedLauncher(words, depth))
    .find((launcher) => launcher !== undefined);
  if (inner === undefined) return shellLauncher(name, "unless-exec");
  if (inner !== "runtime") return inner;
  return commands.length === 1 && replacesItself
    ? undefined
    : shellLauncher(name);
}

/** Returns the words after `exec`; `undefined` for another command. */
function executedCommand(words: readonly string[]): string[] | undefined {
  if (words[0] !== "exec") return undefined;
  let index = 1;
  while (words[index]?.startsWith("-")) {
    index += words[index] === "-a" ? 2 : 1;
  }
  const executed = words.slice(index);
  // `exec 3<>file` changes descriptors of the shell only.
  return executed[0] === undefined || /^\d*[<>]/.test(executed[0])
    ? undefined
    : executed;
}

/** Returns the launcher that a command is, or that it starts a runtime. */
function startedLauncher(
  words: readonly string[],
  depth: number,
): Launcher | "runtime" | undefined {
  const launcher = recognizeLauncher(words, depth + 1);
  if (launcher !== undefined && launcher.condition === undefined) {
    return launcher;
  }
  const [program = ""] = skipPrefixes(words).words;
  // `node -v` and the like start nothing that listens.
  const runtime = runtimeNamed(program);
  return runtime !== undefined && !isQuery(words) ? "runtime" : undefined;
}

function isQuery(words: readonly string[]): boolean {
  return words.some((word) => /^(?:-v|-V|--version|-h|--help)$/.test(word));
}
