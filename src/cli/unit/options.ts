/**
 * The arguments of `unit`.
 *
 * @module
 */

import { posix } from "node:path";
import { quote } from "../../core/errors.ts";
import { NOTIFY_VARIABLES } from "../../core/systemd/notify_socket.ts";
import { SETTING_NAMES } from "../../preload/settings.ts";
import type { ShellContext } from "../shared/disk.ts";
import { argumentError, parseOptions } from "../shared/options.ts";
import { addPreload, type Preload, readPreload } from "../shared/preload.ts";
import { type ServiceCommand, serviceCommand } from "./command.ts";
import { planInstances } from "./instances.ts";
import { nativePermissions, parseNamedSockets } from "./listen.ts";
import { NOTIFY_OPTIONS, planNotify } from "./notify.ts";
import { hiddenPaths, isInHome } from "./paths.ts";
import type { NamedSockets, UnitPlan } from "./plan.ts";
import { instanceWarnings } from "./target_file.ts";

const UNIT_OPTIONS = {
  "socket": "list",
  "accept": "flag",
  "instances": "value",
  "backlog": "value",
  "socket-mode": "value",
  "socket-group": "value",
  "description": "value",
  "user": "value",
  "env-file": "value",
  "working-directory": "value",
  "native": "flag",
  "preload": "optional-list",
  ...NOTIFY_OPTIONS,
  "output": "value",
  "force": "flag",
} as const;

/** Units to write, and where. */
export interface UnitRequest {
  readonly plan: UnitPlan;
  /** Possible mistakes, in words. */
  readonly warnings: readonly string[];
  /** Output directory; `undefined` for the standard output. */
  readonly output: string | undefined;
  readonly force: boolean;
}

/** Reads the arguments of `unit`. */
export function planUnits(
  args: readonly string[],
  context: ShellContext,
): UnitRequest {
  const [name, ...rest] = args;
  if (name === undefined || name.startsWith("-")) {
    const actual = name === undefined ? "none" : quote(name);
    throw argumentError(
      `expected the name of the service first, found ${actual}: see ` +
        `listenfds unit --help`,
    );
  }
  const { values, command } = parseOptions("unit", UNIT_OPTIONS, rest);
  if (command === undefined || command.length === 0) {
    throw argumentError(
      `expected a command after "--", found none: name what starts the program`,
    );
  }
  const { plan, warnings } = planService(
    parseUnitName(name),
    values,
    command,
    context,
  );
  const [output] = values.get("output") ?? [];
  return { plan, warnings, output, force: values.has("force") };
}

function planService(
  name: string,
  values: ReadonlyMap<keyof typeof UNIT_OPTIONS, readonly string[]>,
  words: readonly string[],
  context: ShellContext,
): Pick<UnitRequest, "plan" | "warnings"> {
  const { disk, cwd } = context;
  const value = (option: keyof typeof UNIT_OPTIONS) => values.get(option)?.[0];
  const absolute = (path: string | undefined) =>
    path === undefined ? undefined : posix.resolve(cwd, path);
  const accept = values.has("accept");
  const sockets = parseNamedSockets(values.get("socket") ?? [], accept, cwd);
  const command = planCommand(values, words, sockets, context);
  if (values.has("native") && command.runtime !== "deno") {
    throw argumentError("--native is for Deno: leave it out");
  }
  for (const option of ["socket-mode", "socket-group"] as const) {
    if (values.has(option) && !sockets.some(({ hasPath }) => hasPath)) {
      throw argumentError(
        `--${option} is for the paths of Unix sockets: leave it out`,
      );
    }
  }
  const workingDirectory = absolute(value("working-directory"));
  const paths = [...command.paths];
  if (workingDirectory !== undefined) {
    if (!disk.status(workingDirectory)?.isDirectory) {
      throw argumentError(
        `--working-directory ${quote(value("working-directory")!)} isn't a ` +
          `directory: create it`,
      );
    }
    paths.push(workingDirectory);
  }
  const user = parseUser(value("user"));
  const plan: UnitPlan = {
    name,
    description: value("description"),
    sockets,
    command,
    accept,
    instances: planInstances(value("instances"), accept),
    backlog: parseBacklog(value("backlog")),
    socketMode: parseSocketMode(value("socket-mode")),
    socketGroup: parseAccount(value("socket-group"), "socket-group"),
    user,
    envFile: absolute(value("env-file")),
    workingDirectory,
    notify: planNotify(values, command, accept, context),
    needsHome: paths.some((path) => isInHome(path, disk)),
  };
  return {
    plan,
    warnings: [
      ...instanceWarnings(plan),
      ...workingDirectory === undefined ? command.warnings : [],
      ...hiddenPaths(paths, disk, user),
    ],
  };
}

function planCommand(
  values: ReadonlyMap<keyof typeof UNIT_OPTIONS, readonly string[]>,
  words: readonly string[],
  sockets: readonly NamedSockets[],
  context: ShellContext,
): ServiceCommand {
  const isPreloaded = values.has("preload");
  const permissions = values.has("native") || isPreloaded
    ? nativePermissions(sockets)
    : [];
  const notifies = permissions.length > 0 && !values.has("no-notify") &&
    !values.has("accept");
  const command = serviceCommand(words, context, permissions, [
    ...isPreloaded ? SETTING_NAMES : [],
    ...notifies ? NOTIFY_VARIABLES : [],
  ]);
  const names = sockets.map(({ name }) => name);
  const preload = readPreload(values.get("preload"), names, command.runtime);
  return preload === undefined ? command : preloadedCommand(command, preload);
}

/** Returns a command with the preload. */
function preloadedCommand(
  command: ServiceCommand,
  preload: Preload,
): ServiceCommand {
  const { words, environment, paths } = command;
  const { map, module } = preload;
  return {
    ...command,
    words: addPreload(
      words,
      words.indexOf(paths[0]!),
      command.runtime!,
      preload,
    ),
    environment: [
      ...environment,
      ...map === "" ? [] : [`LISTENFDS_MAP=${map}`],
    ],
    paths: module.startsWith("/") ? [...paths, module] : paths,
    isPreloaded: true,
  };
}

function parseUnitName(text: string): string {
  const name = text.replace(/\.service$/, "");
  if (!/^[A-Za-z0-9_][\w.-]*$/.test(name)) {
    throw argumentError(
      `expected a name of letters, digits, ".", "_" and "-", found ` +
        `${quote(text)}: choose a name without "@" or a suffix`,
    );
  }
  // Those of the files that are written beside that of the service.
  const [suffix] = /\.(?:socket|target)$/.exec(text) ?? [];
  if (suffix !== undefined) {
    throw argumentError(
      `expected the name of a service, found that of another unit, ` +
        `${quote(text)}: leave ${suffix} out`,
    );
  }
  return name;
}

function parseBacklog(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^[1-9]\d*$/.test(text) && value < 2 ** 31) return value;
  throw argumentError(
    `expected --backlog from 1 to ${2 ** 31 - 1}, found ${quote(text)}`,
  );
}

function parseSocketMode(text: string | undefined): string | undefined {
  if (text === undefined || /^0?[0-7]{3}$/.test(text)) {
    return text?.padStart(4, "0");
  }
  throw argumentError(
    `expected --socket-mode as an octal number such as 0660, found ` +
      quote(text),
  );
}

function parseAccount(
  text: string | undefined,
  option: string,
): string | undefined {
  // Names that systemd accepts without a warning, and numbers.
  if (text === undefined || /^(?:[A-Za-z_][\w-]{0,30}|\d{1,10})$/.test(text)) {
    return text;
  }
  throw argumentError(
    `expected --${option} to be a name of letters, digits, "_" and "-", or a ` +
      `number, found ${quote(text)}`,
  );
}

function parseUser(text: string | undefined): string | undefined {
  if (text === "nobody") {
    throw argumentError(
      `systemd warns of services that run as "nobody": leave out --user, or ` +
        `name another user`,
    );
  }
  return parseAccount(text, "user");
}
