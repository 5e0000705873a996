/**
 * The verb `unit`: writes the units of a service.
 *
 * @module
 */

import { quote } from "../../core/errors.ts";
import { builtin, processGlobal } from "../../runtime/builtin.ts";
import { disk, type Place } from "../shared/disk.ts";
import { parseOptions } from "../shared/options.ts";
import { serviceCommand } from "./command.ts";
import { type UnitFile, unitFiles, type UnitPlan } from "./files.ts";
import { hiddenPaths, isInHome } from "./paths.ts";
import { nativePermissions, readSockets } from "./listen.ts";
import { type Io, UsageError, type Verb } from "../shared/verb.ts";

const HELP =
  `Usage: listenfds unit NAME --socket NAME=ADDRESS … [OPTION …] -- COMMAND …

Writes NAME.service and its socket units, with comments that say why: absolute
paths, hardening that suits the runtime, and Deno's permissions. The COMMAND is
what starts the program at your desk: deno, bun or node with a script, or any
other program that speaks the protocol. It must be the program itself: npm, npx,
and other launchers start another process, for which the descriptors are not
meant.

  --socket NAME=ADDRESS      A socket to bind, and its name: web=127.0.0.1:8080,
                             web=[::1]:8080, dns=udp:127.0.0.1:53,
                             admin=unix:/run/app.sock, admin=unix:@app. Several
                             with one name are one socket unit
  --accept                   Start a process for each connection (NAME@.service)
  --backlog NUMBER           How many connections may wait to be accepted
  --socket-mode MODE         Who may connect to paths, such as 0660
  --socket-group GROUP       The group of paths
  --description TEXT         What the service is
  --user NAME                Run as this user, not as a user of its own
  --env-file FILE            Read variables from this file at the start
  --working-directory FOLDER The folder that the program starts in; / otherwise
  --native                   Give Deno the permissions that Deno.serve and the
                             like need on inherited sockets (--allow-ffi and
                             those to bind a placeholder)
  --output FOLDER            Write the units into this folder, and their paths
                             to the standard output; without it, the units
  --force                    Replace units that are there
  --help                     Show this text

Exit status: 0 if the units were written, 1 if writing them failed, 2 if
the arguments are wrong, the program or its script was not found, or a unit is
there already; then nothing was written.
`;

/** The verb `unit`. */
export const unit: Verb = {
  name: "unit",
  summary: "Write the units of a service: NAME.service and its sockets",
  help: HELP,
  // What is thrown rejects the promise.
  run: (args, io) => new Promise((resolve) => resolve(write(args, io))),
};

const OPTIONS = {
  "socket": "list",
  "accept": "flag",
  "backlog": "value",
  "socket-mode": "value",
  "socket-group": "value",
  "description": "value",
  "user": "value",
  "env-file": "value",
  "working-directory": "value",
  "native": "flag",
  "output": "value",
  "force": "flag",
} as const;

function write(args: readonly string[], io: Io): number {
  const place = { disk, cwd: io.cwd, path: io.env["PATH"] };
  const { plan, warnings, output, force } = planUnits(args, place);
  const files = unitFiles(plan);
  for (const warning of warnings) io.stderr.write(`Note: ${warning}\n`);
  if (output === undefined) {
    // Each begins with its name.
    io.stdout.write(files.map(({ text }) => text).join("\n"));
    return 0;
  }
  const written = writeFiles(files, output, force, place);
  io.stdout.write(written.map((path) => `${path}\n`).join(""));
  return 0;
}

/** What the arguments ask for. */
export interface Planned {
  readonly plan: UnitPlan;
  /** What is to be looked at again. */
  readonly warnings: readonly string[];
  /** Where to write to; the standard output without it. */
  readonly output: string | undefined;
  readonly force: boolean;
}

/**
 * Reads the arguments.
 *
 * @param args The arguments behind the verb.
 * @param place Where they are typed.
 * @returns What they ask for.
 * @throws {UsageError} If they are wrong.
 */
export function planUnits(args: readonly string[], place: Place): Planned {
  const { name, sockets: specs, values, has, words } = readArguments(args);
  const accept = has("accept");
  const native = has("native");
  const sockets = readSockets(specs, accept, place.cwd);
  const command = serviceCommand(
    words,
    place,
    native ? nativePermissions(sockets) : [],
  );
  if (native && command.runtime !== "deno") {
    throw wrong("--native is for Deno: leave it out");
  }
  requirePathOptions(values, sockets.some(({ hasPath }) => hasPath));
  const { resolve } = builtin("node:path").posix;
  const folder = values["working-directory"];
  const workingDirectory = folder && resolve(place.cwd, folder);
  const envFile = values["env-file"] && resolve(place.cwd, values["env-file"]);
  if (workingDirectory && !place.disk.status(workingDirectory)?.isFolder) {
    throw wrong(`--working-directory ${quote(folder!)} is no folder: make it`);
  }
  const paths = [
    ...command.paths,
    ...workingDirectory === undefined ? [] : [workingDirectory],
  ];
  return {
    plan: {
      name,
      description: values.description,
      sockets,
      command,
      accept,
      backlog: readBacklog(values.backlog),
      socketMode: readMode(values["socket-mode"]),
      socketGroup: readAccount(values["socket-group"], "socket-group"),
      user: readUser(values.user),
      envFile,
      workingDirectory,
      needsHome: paths.some((path) => isInHome(path, place.disk)),
    },
    warnings: [
      ...workingDirectory === undefined ? command.warnings : [],
      ...hiddenPaths(paths, place.disk, values.user),
    ],
    output: values.output,
    force: has("force"),
  };
}

/** The value of each option that takes one. */
type Values = { readonly [name in keyof typeof OPTIONS]?: string | undefined };

interface Arguments {
  readonly name: string;
  readonly sockets: readonly string[];
  readonly values: Values;
  readonly has: (flag: keyof typeof OPTIONS) => boolean;
  readonly words: readonly string[];
}

function readArguments(args: readonly string[]): Arguments {
  const [name, ...rest] = args;
  if (name === undefined || name.startsWith("-")) {
    throw wrong(
      `expected the name of the service first, found ` +
        `${
          name === undefined ? "none" : quote(name)
        }: see listenfds unit --help`,
    );
  }
  const { given, command } = parseOptions("unit", OPTIONS, rest);
  if (command === undefined || command.length === 0) {
    throw wrong(
      `expected a command behind "--", found none: name what starts the program`,
    );
  }
  return {
    name: readName(name),
    sockets: given.get("socket") ?? [],
    values: Object.fromEntries(
      [...given].map(([option, values]) => [option, values[0]]),
    ),
    has: (flag) => given.has(flag),
    words: command,
  };
}

function wrong(what: string): UsageError {
  return new UsageError(`Reading the arguments: ${what}`);
}

function readName(text: string): string {
  const name = text.replace(/\.service$/, "");
  if (!/^[A-Za-z0-9_][\w.-]*$/.test(name)) {
    throw wrong(
      `expected a name of letters, digits, ".", "_" and "-", found ` +
        `${quote(text)}: choose one without "@" or a type`,
    );
  }
  return name;
}

function readBacklog(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^[1-9]\d*$/.test(text) && value < 2 ** 31) return value;
  throw wrong(
    `expected --backlog from 1 to ${2 ** 31 - 1}, found ${quote(text)}`,
  );
}

function readMode(text: string | undefined): string | undefined {
  if (text === undefined || /^0?[0-7]{3}$/.test(text)) {
    return text?.padStart(4, "0");
  }
  throw wrong(
    `expected --socket-mode as an octal number such as 0660, found ` +
      quote(text),
  );
}

function readAccount(
  text: string | undefined,
  option: string,
): string | undefined {
  // What systemd takes without a warning, and numbers.
  if (text === undefined || /^(?:[A-Za-z_][\w-]{0,30}|\d{1,10})$/.test(text)) {
    return text;
  }
  throw wrong(
    `expected --${option} to be a name of letters, digits, "_" and "-", or a ` +
      `number, found ${quote(text)}`,
  );
}

function readUser(text: string | undefined): string | undefined {
  if (text === "nobody") {
    throw wrong(
      `"nobody" is who owns what belongs to none, and systemd warns of it: ` +
        `leave --user out, or name another one`,
    );
  }
  return readAccount(text, "user");
}

function requirePathOptions(values: Values, hasPath: boolean): void {
  for (const option of ["socket-mode", "socket-group"] as const) {
    if (values[option] !== undefined && !hasPath) {
      throw wrong(`--${option} is for the paths of Unix sockets: leave it out`);
    }
  }
}

function writeFiles(
  files: readonly UnitFile[],
  output: string,
  force: boolean,
  { disk, cwd }: Place,
): string[] {
  const fs = builtin("node:fs");
  const { resolve, join } = builtin("node:path").posix;
  const folder = resolve(cwd, output);
  if (!disk.status(folder)?.isFolder) {
    throw wrong(`--output ${quote(output)} is no folder: make it`);
  }
  const paths = files.map(({ name }) => join(folder, name));
  const present = paths.filter((path) =>
    fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined
  );
  if (present.length > 0 && !force) {
    throw new UsageError(
      `Writing units: ${present.map(quote).join(", ")} ` +
        `${present.length > 1 ? "are" : "is"} there already: choose another ` +
        `name, or replace with --force`,
    );
  }
  const occupied = paths.find((path) =>
    fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory()
  );
  if (occupied !== undefined) {
    throw new UsageError(
      `Writing units: ${quote(occupied)} is a folder: choose another name`,
    );
  }
  // All of them are written before the first is put in its place.
  const suffix = `.${processGlobal()!.pid}.new`;
  try {
    files.forEach(({ text }, at) => {
      fs.writeFileSync(paths[at]! + suffix, text, { flag: "wx", mode: 0o644 });
    });
    for (const path of paths) fs.renameSync(path + suffix, path);
  } catch (error) {
    throw new Error(
      `Writing units into ${quote(output)}: ${(error as Error).message}: ` +
        `check its permissions, or choose another folder`,
      { cause: error },
    );
  } finally {
    for (const path of paths) fs.rmSync(path + suffix, { force: true });
  }
  return paths;
}
