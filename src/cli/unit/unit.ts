/**
 * The verb `unit`: writes the units of a service.
 *
 * @module
 */

import crypto from "node:crypto";
import fs from "node:fs";
import { posix } from "node:path";
import { escapeControls, quote, quoteUnlessPlain } from "../../core/errors.ts";
import { disk, readVersion } from "../shared/disk.ts";
import { argumentError } from "../shared/options.ts";
import { type Io, UsageError, type Verb } from "../shared/verb.ts";
import { unitFiles } from "./files.ts";
import { planUnits } from "./options.ts";
import type { UnitFile } from "./plan.ts";

const UNIT_HELP =
  `Usage: listenfds unit NAME --socket NAME=ADDRESS … [OPTION …] -- COMMAND …

Writes NAME.service and its socket units, with comments that give reasons:
absolute paths, hardening for the runtime, and Deno's permissions.

COMMAND is the command that starts the program during development: deno, bun or
node with a script, or any other program that supports socket activation. Name
the program itself: npm, npx and other launchers start another process, for
which the descriptors are not meant.

  --socket NAME=ADDRESS  A socket to bind, and its name: web=127.0.0.1:8080,
                         web=[::]:8080, dns=udp:127.0.0.1:53,
                         admin=/run/app.sock, admin=@app. A port alone is that
                         of 127.0.0.1. Sockets with the same name share a
                         socket unit
  --accept               Start a process for each connection (NAME@.service)
  --instances NUMBER     Start so many processes on the same sockets, with the
                         first connection (NAME@.service and NAME.target);
                         "auto" for one for each CPU of this machine
  --backlog NUMBER       Limit of connections that wait to be accepted
  --socket-mode MODE     Permissions of paths, such as 0660
  --socket-group GROUP   Group of paths
  --description TEXT     Description of the service
  --user NAME            User of the service; default: a dynamic user
  --env-file FILE        File with variables, which is read at each start
  --working-directory DIRECTORY
                         Working directory of the program; default: /
  --native               Give Deno the permissions that Deno.serve and other
                         functions need on inherited sockets (--allow-ffi, and
                         those to bind a placeholder)
  --preload[=NAME=ADDRESS …]
                         For a program that knows nothing of the library, such
                         as \`node build\`: load the preload before it, and give
                         it the sockets NAME when it asks for ADDRESS, such as
                         web=3000. Without entries, the program asks for the
                         addresses of the sockets
  --no-notify            Don't let the start wait until the program serves all
                         sockets (Type=exec), which it reports on Bun, Node, and
                         Deno with --native or --preload
  --watchdog SECONDS     Restart a process whose event loop is blocked for so
                         long; default: 30, and 0 for no watchdog
  --reload               Let systemctl reload wait for onReload() of the program
  --store NUMBER         Keep so many descriptors that the program stores
  --output DIRECTORY     Write the units into this directory and print their
                         paths; default: print the units
  --force                Replace existing units
  --help                 Show this text

Exit status: 0 if the units were written, 1 if writing them failed, 2 if the
arguments are wrong, the program or its script was not found, or a unit exists
already; nothing was written then.
`;

/** The verb `unit`. */
export const unitVerb: Verb = {
  name: "unit",
  summary: "Write the units of a service: NAME.service and its sockets",
  help: UNIT_HELP,
  run: unit,
};

function unit(args: readonly string[], io: Io): number {
  const context = {
    disk,
    cwd: io.cwd,
    searchPath: io.env["PATH"],
    readVersion,
  };
  const { plan, warnings, output, force } = planUnits(args, context);
  const files = unitFiles(plan);
  for (const warning of warnings) {
    io.stderr.write(`Note: ${escapeControls(warning)}\n`);
  }
  if (output === undefined) {
    // The first line of each unit has its name.
    io.stdout.write(files.map(({ text }) => text).join("\n"));
    return 0;
  }
  const paths = writeFiles(files, output, force, io.cwd);
  io.stdout.write(
    paths.map((path) => `${quoteUnlessPlain(path)}\n`).join(""),
  );
  return 0;
}

function writeFiles(
  files: readonly UnitFile[],
  output: string,
  force: boolean,
  cwd: string,
): string[] {
  const directory = posix.resolve(cwd, output);
  if (!disk.status(directory)?.isDirectory) {
    throw argumentError(
      `--output ${quote(output)} isn't a directory: create it`,
    );
  }
  const units = files.map(({ name, text }) => {
    const path = posix.join(directory, name);
    const stat = fs.lstatSync(path, { throwIfNoEntry: false });
    // An unpredictable name, so that it replaces no file.
    const temporary = posix.join(directory, `.${crypto.randomUUID()}.new`);
    return { path, temporary, text, stat };
  });
  const existing = units.filter(({ stat }) => stat !== undefined);
  if (existing.length > 0 && !force) {
    throw new UsageError(
      `Writing units: ${existing.map(({ path }) => quote(path)).join(", ")} ` +
        `${existing.length > 1 ? "exist" : "exists"} already: choose another ` +
        `name, or replace with --force`,
    );
  }
  const occupied = units.find(({ stat }) => stat?.isDirectory());
  if (occupied !== undefined) {
    throw new UsageError(
      `Writing units: ${quote(occupied.path)} is a directory: choose another ` +
        `name`,
    );
  }
  try {
    placeFiles(units, force);
  } catch (cause) {
    const { code = String(cause) } = cause as NodeJS.ErrnoException;
    throw new Error(
      `Writing units into ${
        quote(output)
      }: ${code}: check its permissions, or ` +
        `choose another directory`,
      { cause },
    );
  }
  return units.map(({ path }) => path);
}

/** Writes all texts before the first unit is placed; undoes new units. */
function placeFiles(
  units: readonly {
    readonly path: string;
    readonly temporary: string;
    readonly text: string;
  }[],
  force: boolean,
): void {
  const placed: string[] = [];
  try {
    for (const { temporary, text } of units) {
      fs.writeFileSync(temporary, text, { flag: "wx", mode: 0o644 });
    }
    for (const { path, temporary } of units) {
      if (force) {
        fs.renameSync(temporary, path);
        continue;
      }
      // Unlike renaming, fails if a file has appeared.
      fs.linkSync(temporary, path);
      placed.push(path);
    }
  } catch (error) {
    for (const path of placed) fs.rmSync(path, { force: true });
    throw error;
  } finally {
    for (const { temporary } of units) fs.rmSync(temporary, { force: true });
  }
}
