/**
 * The verb `inspect`: shows the descriptors of this process and checks its
 * environment.
 *
 * @module
 */

import type { ListenVariables } from "../../core/environment.ts";
import { firstKnown } from "../../linux/chain.ts";
import { processGlobal } from "../../runtime/builtin.ts";
import { currentPlatform } from "../../runtime/current.ts";
import { readVariables, VARIABLES_DENIED } from "../../runtime/descriptors.ts";
import type { Platform } from "../../runtime/platform.ts";
import { statInspector } from "../../runtime/stat_inspector.ts";
import { argumentError, parseOptions } from "../shared/options.ts";
import { type Io, UsageError, type Verb } from "../shared/verb.ts";
import { examine } from "./examine.ts";
import { formatJson } from "./json.ts";
import {
  isInOrder,
  type MetadataSource,
  SERVICE_VARIABLES,
  type ServiceVariables,
  type Subject,
} from "./report.ts";
import { styleFor } from "./style.ts";
import { formatReport } from "./table.ts";

const INSPECT_HELP = `Usage: listenfds inspect [--json]

Shows the descriptors that this process received by socket activation, and checks
its environment. Run it in place of the service's program: in the unit, under
systemd-socket-activate(1), or under "listenfds run".

  --json  Print JSON instead of tables; its field "format" changes if one is
          renamed or removed
  --help  Show this text

The first table has a row for each descriptor:
  FD, NAME, KIND, FAMILY, ADDRESS
  BLOCKS   yes if calls on the descriptor block
  CLOEXEC  yes if child programs don't inherit the descriptor
  BACKLOG  connections that wait to be accepted, and their limit
"?" means unknown, "-" means not applicable.

The second table shows the first version of each runtime that can use a
descriptor: with its own servers (native) or those of node:net (portable).

Colour is used on a terminal, unless NO_COLOR is set and not empty.

Exit status: 0 if everything is in order, 1 if there is a problem (no descriptors,
variables that are invalid or meant for another process, names that don't match,
a descriptor that isn't open or wasn't passed, a watchdog or a socket for
notifications that this process can't use), 2 if the arguments are wrong.
`;

/** The verb `inspect`. */
export const inspectVerb: Verb = {
  name: "inspect",
  summary: "Show the descriptors of this process, and check its environment",
  help: INSPECT_HELP,
  run: inspect,
};

function inspect(args: readonly string[], io: Io): number {
  const { values, command } = parseOptions("inspect", { json: "flag" }, args);
  if (command !== undefined) {
    throw argumentError(
      `inspect takes no command: pass it to listenfds run`,
    );
  }
  const report = examine(
    readListenVariables(io.env),
    currentSubject(currentPlatform()),
    readServiceVariables(io.env),
  );
  io.stdout.write(
    values.has("json") ? formatJson(report) : formatReport(
      report,
      styleFor(io.stdout, io.env),
    ),
  );
  return isInOrder(report) ? 0 : 1;
}

function readListenVariables(env: Io["env"]): ListenVariables {
  try {
    return readVariables((name) => env[name]);
  } catch (error) {
    throw new UsageError(VARIABLES_DENIED, { cause: error });
  }
}

/** Reads the variables of notifications, if that is permitted. */
function readServiceVariables(env: Io["env"]): ServiceVariables | null {
  try {
    return Object.fromEntries(
      SERVICE_VARIABLES.map((name) => [name, env[name]]),
    );
  } catch {
    return null;
  }
}

/** Describes the current process. */
function currentSubject(runtime: Platform): Subject {
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
        // Not a TCP socket.
        return undefined;
      }
    },
    noAdopter: "reason" in adopter ? adopter : undefined,
    setsCloseOnExecAtStart: runtime.setsCloseOnExecAtStart,
  };
}

function sourceOf(runtime: Platform, platform: string): MetadataSource {
  if (runtime.libc() !== undefined) return "libc";
  if (runtime.name === "deno") return "none";
  return platform === "linux" ? "proc" : "fstat";
}
