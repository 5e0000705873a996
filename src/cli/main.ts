/**
 * The command `listenfds`, as a function: which verb is meant, and what becomes
 * of its errors.
 *
 * @module
 */

import { inspect } from "./inspect/inspect.ts";
import { runVerb } from "./run/run.ts";
import { unit } from "./unit/unit.ts";
import { type Io, UsageError, type Verb } from "./shared/verb.ts";
import { VERSION } from "./version.ts";

/** All verbs, in the order in which `--help` lists them. */
const VERBS: readonly Verb[] = [
  runVerb,
  inspect,
  unit,
];

/** The exit statuses, for `--help`. */
const STATUSES = `Exit status:
  0  it worked
  1  it failed
  2  the arguments are wrong, or what they ask for can't be done; nothing was
     left behind`;

/**
 * Runs the command.
 *
 * @param args The arguments, without the program's own.
 * @param io The world around it.
 * @returns The exit status.
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
  const [first, ...rest] = args;
  if (first === "--version" || first === "-V") {
    io.stdout.write(`listenfds ${VERSION}\n`);
    return 0;
  }
  if (first === "--help" || first === "-h") {
    io.stdout.write(help());
    return 0;
  }
  const verb = VERBS.find(({ name }) => name === first);
  if (verb === undefined) {
    const names = VERBS.map(({ name }) => name).join(", ");
    io.stderr.write(
      `listenfds: expected a verb (${names}), found ` +
        `${first === undefined ? "none" : JSON.stringify(first)}: see ` +
        `listenfds --help\n`,
    );
    return 2;
  }
  if (asksForHelp(rest)) {
    io.stdout.write(`${verb.help.trimEnd()}\n`);
    return 0;
  }
  try {
    return await verb.run(rest, io);
  } catch (error) {
    const isUsage = error instanceof UsageError ||
      error instanceof SyntaxError || error instanceof RangeError;
    const message = error instanceof Error ? error.message : String(error);
    // One line, whatever the message quotes.
    io.stderr.write(
      `listenfds ${verb.name}: ${message.replace(/\s*\n\s*/g, " ")}\n`,
    );
    return isUsage ? 2 : 1;
  }
}

/** Whether `--help` is among the arguments, and not those of a command. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  return own.includes("--help") || own.includes("-h");
}

function help(): string {
  const width = Math.max(...VERBS.map(({ name }) => name.length));
  const verbs = VERBS.map(({ name, summary }) =>
    `  ${name.padEnd(width)}  ${summary}\n`
  );
  return `Usage: listenfds VERB …
       listenfds VERB --help
       listenfds --version

Socket activation with named descriptors: an activator for development, an
inspector, and units written for you.

Verbs:
${verbs.join("")}
${STATUSES}
`;
}
