/**
 * The arguments of `run`.
 *
 * @module
 */

import path from "node:path";
import { quote } from "../../core/errors.ts";
import { runtimeNamed } from "../../core/launchers/names.ts";
import { skipPrefixes } from "../../core/launchers/prefixes.ts";
import { argumentError, parseOptions } from "../shared/options.ts";
import { addPreload, readPreload } from "../shared/preload.ts";
import {
  parseSocketSpec,
  requireDistinctAddresses,
  type SocketSpec,
} from "../shared/socket_spec.ts";
import { parseInstances } from "../shared/instances.ts";
import { UsageError } from "../shared/verb.ts";
import type { SocketUnit } from "./socket_unit.ts";
import { readSocketUnits } from "./unit_sockets.ts";

/** Options of `run`. */
export interface RunOptions {
  /** Sockets in order. */
  readonly specs: readonly SocketSpec[];
  /** Globs of `--watch`, maybe none; `undefined` without the option. */
  readonly watch: readonly string[] | undefined;
  /** Globs of `--ignore`. */
  readonly ignored: readonly string[];
  /** True to wait for a client before the start. */
  readonly lazy: boolean;
  /** True to start a command for each connection. */
  readonly accept: boolean;
  /** Number of processes on the same sockets; `undefined` for one alone. */
  readonly instances: number | undefined;
  /** Limit of concurrent connections with `accept`. */
  readonly maxConnections: number;
  /** Absolute paths of files with variables. */
  readonly envFiles: readonly string[];
  /** Time until the command is killed after SIGTERM. */
  readonly stopTimeoutMs: number;
  readonly command: readonly string[];
  /** Variables for the command, which go before all others. */
  readonly variables: Readonly<Record<string, string>>;
  /** Notes for people, such as settings without an effect. */
  readonly notes: readonly string[];
}

const RUN_OPTIONS = {
  "socket": "list",
  "from-unit": "list",
  "watch": "optional-list",
  "ignore": "list",
  "lazy": "flag",
  "accept": "flag",
  "instances": "value",
  "env-file": "list",
  "stop-timeout": "value",
  "preload": "optional-list",
} as const;

const DEFAULT_STOP_SECONDS = 10;
const MAX_STOP_SECONDS = 24 * 60 * 60;
const SEE_HELP = "see listenfds run --help";

/** Reads the arguments of `run`, and the units that they name. */
export function readRunOptions(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): RunOptions {
  const { values, command } = parseOptions("run", RUN_OPTIONS, args);
  if (command === undefined || command.length === 0) {
    throw argumentError(`expected "--" and a command after it: ${SEE_HELP}`);
  }
  const units = readSocketUnits(values.get("from-unit") ?? [], cwd, env);
  const specs = [
    ...(values.get("socket") ?? []).map(parseSocketSpec),
    ...units.flatMap((unit) => unit.specs),
  ];
  if (specs.length === 0) {
    throw argumentError(
      `expected "--socket NAME=ADDRESS" or "--from-unit FILE.socket": ` +
        SEE_HELP,
    );
  }
  requireDistinctAddresses(specs, (file) => path.resolve(cwd, file));
  const accept = values.has("accept") ||
    hasAccept(units, values.has("socket"));
  if (accept) {
    for (const option of ["watch", "lazy", "instances"] as const) {
      if (!values.has(option)) continue;
      throw argumentError(
        `"--${option}" has no use with "--accept" or Accept=yes, which start a ` +
          `new command for each connection: ${SEE_HELP}`,
      );
    }
    specs.forEach(requireConnections);
  }
  if (values.has("ignore") && !values.has("watch")) {
    throw argumentError(
      `"--ignore" has no use without "--watch": add "--watch": ${SEE_HELP}`,
    );
  }
  return {
    specs,
    watch: values.get("watch"),
    ignored: values.get("ignore") ?? [],
    lazy: values.has("lazy"),
    accept,
    instances: readInstances(values.get("instances")?.[0]),
    maxConnections: Math.min(
      Infinity,
      ...units.map(({ maxConnections }) => maxConnections),
    ),
    envFiles: (values.get("env-file") ?? [])
      .map((file) => path.resolve(cwd, file)),
    stopTimeoutMs: 1000 * parseStopTimeout(values.get("stop-timeout")?.[0]),
    ...preloaded(values.get("preload"), specs, command),
    notes: units.flatMap(({ notes }) => notes),
  };
}

function readInstances(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseInstances(text);
}

/** Returns the command, with the preload if that is asked for. */
function preloaded(
  values: readonly string[] | undefined,
  specs: readonly SocketSpec[],
  command: readonly string[],
): Pick<RunOptions, "command" | "variables"> {
  const { words: [program = ""] } = skipPrefixes(command);
  const runtime = runtimeNamed(program);
  const names = specs.map(({ name }) => name);
  const preload = readPreload(values, names, runtime);
  if (preload === undefined) return { command, variables: {} };
  const index = command.indexOf(program);
  return {
    command: addPreload(command, index, runtime!, preload),
    variables: preload.map === "" ? {} : { LISTENFDS_MAP: preload.map },
  };
}

/** Returns `Accept=`, which must be equal in all units of a command. */
function hasAccept(
  units: readonly SocketUnit[],
  hasOtherSockets: boolean,
): boolean {
  const some = units.some(({ accept }) => accept);
  if (some && (hasOtherSockets || !units.every(({ accept }) => accept))) {
    throw new UsageError(
      `Reading the units: expected Accept= to be the same for all sockets of ` +
        `a command, found Accept=yes for some: give "--accept" for all, or ` +
        `run two commands`,
    );
  }
  return some;
}

function requireConnections({ name, address }: SocketSpec): void {
  if (["tcp", "unix", "seqpacket"].includes(address.kind)) return;
  throw new UsageError(
    `Accepting connections on ${quote(name)}: expected a socket that has ` +
      `connections, found ${address.kind}: leave out "--accept", or set Accept=no`,
  );
}

function parseStopTimeout(text: string | undefined): number {
  if (text === undefined) return DEFAULT_STOP_SECONDS;
  const seconds = Number(text);
  if (/^[0-9]+(?:\.[0-9]+)?$/.test(text) && seconds <= MAX_STOP_SECONDS) {
    return seconds;
  }
  throw argumentError(
    `"--stop-timeout" needs a number of seconds, at most ` +
      `${MAX_STOP_SECONDS}, found ${quote(text)}: ${SEE_HELP}`,
  );
}
