/**
 * The verb `inspect`: what this process was handed, and whether its environment
 * is in order.
 *
 * @module
 */

import {
  LISTEN_VARIABLES,
  type ListenVariables,
} from "../../core/environment.ts";
import { firstKnown } from "../../linux/chain.ts";
import { processGlobal } from "../../runtime/builtin.ts";
import { currentPlatform } from "../../runtime/current.ts";
import type { Platform } from "../../runtime/platform.ts";
import { statInspector } from "../../runtime/stat_inspector.ts";
import { examine, isInOrder, type Source, type Subject } from "./examine.ts";
import { formatJson } from "./json.ts";
import { formatReport } from "./table.ts";
import { parseOptions } from "../shared/options.ts";
import { styleFor } from "../shared/style.ts";
import { type Io, UsageError, type Verb } from "../shared/verb.ts";

const HELP = `Usage: listenfds inspect [--json]

Shows what this process was handed by socket activation, as it was handed over,
and whether the environment is in order. Run it in the place of the service's
program: under the unit, systemd-socket-activate(1), or "listenfds run".

  --json  Write JSON (see the README) and not a table
  --help  Show this text

The table has a row for each descriptor: its number, its name, its kind, the
family of a socket, whether calls on it wait (BLOCKS), whether child programs
don't inherit it (CLOEXEC), how many connections wait and may wait to be accepted
(BACKLOG), and its address. "?" is what can't be told here, "-" what there is
not. The second table tells from which version on each runtime can use which
descriptors: with its own servers (native), with those of node:net (portable),
or not at all, and why.

Colour is used on a terminal, unless NO_COLOR is set and not empty.

Exit status: 0 if all is in order, 1 if something is wrong (nothing was handed
over, the variables don't parse or are meant for another process, names and
descriptors don't fit, a descriptor isn't open), 2 if the arguments are wrong.
`;

/** The verb `inspect`. */
export const inspect: Verb = {
  name: "inspect",
  summary: "Show what this process was handed, and whether it is in order",
  help: HELP,
  // What is thrown rejects the promise.
  run: (args, io) => new Promise((resolve) => resolve(show(args, io))),
};

function show(args: readonly string[], io: Io): number {
  const { given, command } = parseOptions("inspect", { json: "flag" }, args);
  if (command !== undefined) {
    throw new UsageError(
      `Reading the arguments: inspect takes no command: name it as the ` +
        `command of listenfds run`,
    );
  }
  const report = examine(readVariables(io.env), subjectOf(currentPlatform()));
  io.stdout.write(
    given.has("json") ? formatJson(report) : formatReport(
      report,
      styleFor(io.stdout, io.env),
    ),
  );
  return isInOrder(report) ? 0 : 1;
}

function readVariables(env: Io["env"]): ListenVariables {
  try {
    return Object.fromEntries(
      LISTEN_VARIABLES.map((name) => [name, env[name]]),
    );
  } catch (error) {
    throw new UsageError(
      `Reading the variables of socket activation: Deno denied access to the ` +
        `environment: run with --allow-env=${LISTEN_VARIABLES.join(",")}`,
      { cause: error },
    );
  }
}

/** The process that this is. */
function subjectOf(runtime: Platform): Subject {
  const { platform } = processGlobal()!;
  const libc = runtime.libc();
  const adopter = runtime.adoptionLibc();
  const source = sourceOf(runtime, platform);
  return {
    runtime: runtime.name,
    version: runtime.version,
    platform,
    pid: runtime.pid,
    pidfdId: () => runtime.pidfdId(),
    commandLine: (pid) => runtime.commandLine(pid),
    inspector: source === "fstat"
      ? firstKnown(() => runtime.inspector, () => statInspector)
      : runtime.inspector,
    source,
    acceptQueue(fd) {
      try {
        return libc?.acceptQueue(fd);
      } catch {
        // Not of TCP.
        return undefined;
      }
    },
    noAdopter: "reason" in adopter ? adopter : undefined,
    marksInherited: runtime.setsCloseOnExecAtStart,
  };
}

function sourceOf(runtime: Platform, platform: string): Source {
  if (runtime.libc() !== undefined) return "libc";
  if (runtime.name === "deno") return "none";
  return platform === "linux" ? "proc" : "fstat";
}
