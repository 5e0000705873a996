/**
 * The command `listenfds` as a function: selects the verb and reports its
 * errors.
 *
 * @module
 */

import { inspectVerb } from "./inspect/inspect.ts";
import { runVerb } from "./run/run.ts";
import { unitVerb } from "./unit/unit.ts";
import { escapeControls, quote } from "../core/errors.ts";
import { closestWord } from "./shared/suggestion.ts";
import { type Io, UsageError, type Verb } from "./shared/verb.ts";
import { VERSION } from "./version.ts";

/** Verbs in the order of `--help`. */
const VERBS: readonly Verb[] = [runVerb, inspectVerb, unitVerb];

/**
 * Runs the command.
 *
 * @param args Arguments after the program's name.
 * @param io Input and output.
 * @returns Exit status: 0 for success, 1 for a failure, 2 for wrong arguments; of
 * `run`, that of the command.
 *
 * @example
 * ```ts ignore
 * import { main } from "@listenfds/listenfds/cli";
 *
 * let text = "";
 * const output = { write: (part: string) => text += part, isTerminal: false };
 * const io = { stdout: output, stderr: output, env: {}, cwd: "/" };
 * await main(["--version"], io);
 * ```
 */
export async function main(args: readonly string[], io: Io): Promise<number> {
  // Words after "--" belong to the command that a verb runs.
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  const isHelp = own[0] === "help" || own.includes("--help") ||
    own.includes("-h");
  if (!isHelp && (own[0] === "--version" || own[0] === "-V")) {
    io.stdout.write(`listenfds ${VERSION}\n`);
    return 0;
  }
  const [name] = isHelp
    ? own.filter((word) => word !== "help" && !word.startsWith("-"))
    : args;
  if (isHelp && name === undefined) {
    io.stdout.write(help());
    return 0;
  }
  const verb = VERBS.find((verb) => verb.name === name);
  if (verb === undefined) {
    io.stderr.write(`listenfds: ${describeUnknownVerb(name)}\n`);
    return 2;
  }
  if (isHelp) {
    io.stdout.write(`${verb.help.trimEnd()}\n`);
    return 0;
  }
  return await runVerbSafely(verb, args.slice(1), io);
}

function describeUnknownVerb(word: string | undefined): string {
  const names = VERBS.map(({ name }) => name);
  const problem = `expected a verb (${names.join(", ")}), found ` +
    (word === undefined ? "none" : quote(word));
  const meant = word === undefined ? undefined : closestWord(word, names);
  return meant === undefined
    ? `${problem}: see listenfds --help`
    : `${problem}: did you mean ${meant}?`;
}

/** Runs a verb, and reports its error in one line. */
async function runVerbSafely(
  verb: Verb,
  args: readonly string[],
  io: Io,
): Promise<number> {
  try {
    return await verb.run(args, io);
  } catch (error) {
    const isUsage = error instanceof UsageError ||
      error instanceof SyntaxError || error instanceof RangeError;
    const message = error instanceof Error ? error.message : String(error);
    // One line even if a quoted message has several.
    io.stderr.write(
      `listenfds ${verb.name}: ${
        escapeControls(message.replace(/\s*\n\s*/g, " "))
      }\n`,
    );
    return isUsage ? 2 : 1;
  }
}

function help(): string {
  const width = Math.max(...VERBS.map(({ name }) => name.length));
  const verbs = VERBS.map(({ name, summary }) =>
    `  ${name.padEnd(width)}  ${summary}\n`
  );
  return `Usage: listenfds VERB …
       listenfds help VERB, or listenfds VERB --help
       listenfds --version

Socket activation with named descriptors: a socket activator for development, an
inspector of inherited descriptors, and a generator of systemd units.

Verbs:
${verbs.join("")}
Exit status:
  0  success; run exits with the status of its command
  1  failure
  2  wrong arguments, or a request that can't be fulfilled; nothing was changed
`;
}
