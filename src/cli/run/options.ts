/**
 * The arguments of `run`.
 *
 * @module
 */

import path from "node:path";
import { quote } from "../../core/errors.ts";
import { parseOptions } from "../shared/options.ts";
import {
  parseSocketSpec,
  requireDistinct,
  type SocketSpec,
} from "../shared/socket_spec.ts";
import type { SocketUnit } from "../shared/systemd/socket_unit.ts";
import { readSocketUnits } from "../shared/systemd/unit_sockets.ts";
import { UsageError } from "../shared/verb.ts";

/** What `run` is to do. */
export interface RunOptions {
  /** The sockets, in order. */
  readonly specs: readonly SocketSpec[];
  /** The globs to watch, maybe none; `undefined` if nothing is watched. */
  readonly watch: readonly string[] | undefined;
  /** Whether to wait for a client first. */
  readonly lazy: boolean;
  /** Whether to start a command for each connection. */
  readonly accept: boolean;
  /** How many connections there may be at once then. */
  readonly maxConnections: number;
  /** The absolute paths of files with variables. */
  readonly envFiles: readonly string[];
  /** How long the command has to end, in milliseconds. */
  readonly stopTimeout: number;
  /** The command. */
  readonly command: readonly string[];
  /** What a person has to know, such as what has no effect. */
  readonly notes: readonly string[];
}

const KINDS = {
  "socket": "list",
  "from-unit": "list",
  "watch": "optional-list",
  "lazy": "flag",
  "accept": "flag",
  "env-file": "list",
  "stop-timeout": "value",
} as const;

const DEFAULT_STOP_SECONDS = 10;
const MAX_STOP_SECONDS = 24 * 60 * 60;

/**
 * Reads the arguments.
 *
 * @param args The arguments.
 * @param cwd The folder that relative paths are taken from.
 * @param env The environment.
 * @throws {UsageError | SyntaxError | RangeError} If they are wrong.
 */
export function readRunOptions(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): RunOptions {
  const { given, command } = parseOptions("run", KINDS, args);
  if (command === undefined || command.length === 0) {
    throw fail('expected "--" and a command behind it');
  }
  const units = readSocketUnits(given.get("from-unit") ?? [], cwd, env);
  const specs = [
    ...(given.get("socket") ?? []).map(parseSocketSpec),
    ...units.flatMap((unit) => unit.specs),
  ];
  if (specs.length === 0) {
    throw fail('expected "--socket NAME=ADDRESS" or "--from-unit FILE.socket"');
  }
  requireDistinct(specs, (file) => path.resolve(cwd, file));
  const accept = given.has("accept") ||
    areAccepting(units, given.has("socket"));
  for (const other of ["watch", "lazy"] as const) {
    if (accept && given.has(other)) {
      throw fail(
        `"--${other}" has no use with "--accept" or Accept=yes, which start a ` +
          `new command for each connection`,
      );
    }
  }
  for (const { name, address } of accept ? specs : []) {
    if (!["tcp", "unix", "seqpacket"].includes(address.kind)) {
      throw new UsageError(
        `Accepting connections on ${quote(name)}: expected a socket that has ` +
          `connections, found ${address.kind}: leave out "--accept", or set Accept=no`,
      );
    }
  }
  return {
    specs,
    watch: given.get("watch"),
    lazy: given.has("lazy"),
    accept,
    maxConnections: Math.min(
      Infinity,
      ...units.map(({ maxConnections }) => maxConnections),
    ),
    envFiles: (given.get("env-file") ?? [])
      .map((file) => path.resolve(cwd, file)),
    stopTimeout: 1000 * readSeconds(given.get("stop-timeout")?.[0]),
    command,
    notes: units.flatMap(({ notes }) => notes),
  };
}

/** What the units say of it, which is one command's, and so all the same. */
function areAccepting(
  units: readonly SocketUnit[],
  hasOthers: boolean,
): boolean {
  const some = units.some(({ accept }) => accept);
  if (some && (hasOthers || !units.every(({ accept }) => accept))) {
    throw new UsageError(
      `Reading the units: expected Accept= to be the same for all sockets of ` +
        `a command, found Accept=yes for some: give "--accept" for all, or ` +
        `run two commands`,
    );
  }
  return some;
}

function readSeconds(text: string | undefined): number {
  if (text === undefined) return DEFAULT_STOP_SECONDS;
  const seconds = Number(text);
  if (!/^[0-9]+(?:\.[0-9]+)?$/.test(text) || seconds > MAX_STOP_SECONDS) {
    throw fail(
      `"--stop-timeout" needs a number of seconds, at most ` +
        `${MAX_STOP_SECONDS}, found ${quote(text)}`,
    );
  }
  return seconds;
}

function fail(text: string): UsageError {
  return new UsageError(
    `Reading the arguments: ${text}: see listenfds run --help`,
  );
}
