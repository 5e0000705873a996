/**
 * The command `listenfds` as a function: selects the verb and reports its
 * errors.
 *
 * @module
 */

import { inspectVerb } from "./inspect/inspect.ts";
import { runVerb } from "./run/run.ts";
import { unitVerb } from "./unit/unit.ts";
import { type Io, UsageError, type Verb } from "./shared/verb.ts";
import { VERSION } from "./version.ts";

/** Verbs in the order of `--help`. */
const VERBS: readonly Verb[] = [runVerb, inspectVerb, unitVerb];

/**
 * Runs the command.
 *
 * @param args Arguments after the program's name.
 * @param io Input and output.
 * @returns Exit status: 0 for success, 1 for a failure, 2 for wrong arguments.
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
  // Words after "--" belong to the command that the verb runs.
  const end = rest.indexOf("--");
  const own = end < 0 ? rest : rest.slice(0, end);
  if (own.includes("--help") || own.includes("-h")) {
    io.stdout.write(`${verb.help.trimEnd()}\n`);
    return 0;
  }
  try {
    return await verb.run(rest, io);
  } catch (error) {
    const isUsage = error instanceof UsageError ||
      error instanceof SyntaxError || error instanceof RangeError;
    const message = error instanceof Error ? error.message : String(error);
    // One line even if a quoted message has several.
    io.stderr.write(
      `listenfds ${verb.name}: ${message.replace(/\s*\n\s*/g, " ")}\n`,
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
       listenfds VERB --help
       listenfds --version

Socket activation with named descriptors: a socket activator for development, an
inspector of inherited descriptors, and a generator of systemd units.

Verbs:
${verbs.join("")}
Exit status:
  0  success
  1  failure
  2  wrong arguments, or a request that can't be fulfilled; nothing was changed
`;
}
