/**
 * Finds a socket unit and its drop-ins: at a path, or by name in systemd's
 * directories (`systemd.unit(5)`).
 *
 * @module
 */

import fs from "node:fs";
import path from "node:path";
import { quote } from "../../core/errors.ts";
import { UsageError } from "../shared/verb.ts";

/** Files of a unit. */
export interface UnitFiles {
  /** Name of the unit, links followed. */
  readonly name: string;
  /** File of the unit. */
  readonly fragment: string;
  /** Drop-ins in the order in which they apply. */
  readonly dropIns: readonly string[];
  /** True if the unit was found in systemd's directories. */
  readonly isInstalled: boolean;
}

const SYSTEM_DIRECTORIES = [
  "/etc/systemd/system",
  "/run/systemd/system",
  "/usr/local/lib/systemd/system",
  "/usr/lib/systemd/system",
  "/lib/systemd/system",
];

const USER_DIRECTORIES = [
  "/etc/systemd/user",
  "/run/systemd/user",
  "/usr/local/lib/systemd/user",
  "/usr/lib/systemd/user",
];

/** Limit of links from name to name, so that a loop ends. */
const MAX_ALIASES = 20;

/**
 * Returns the directories of units, the first ones overriding the others.
 * `SYSTEMD_UNIT_PATH` replaces them, or precedes them if it ends with a colon.
 */
function unitDirectories(
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  const config = env["XDG_CONFIG_HOME"] ??
    (env["HOME"] && `${env["HOME"]}/.config`);
  const defaults = [
    ...SYSTEM_DIRECTORIES,
    ...config ? [`${config}/systemd/user`] : [],
    ...USER_DIRECTORIES,
  ];
  const variable = env["SYSTEMD_UNIT_PATH"];
  if (!variable) return defaults;
  const own = variable.split(":").filter((directory) => directory !== "");
  return variable.endsWith(":") ? [...own, ...defaults] : own;
}

/**
 * Finds a unit. A path, or a name that the working directory has, means a file
 * with the drop-ins beside it. Another name is searched in systemd's
 * directories.
 *
 * @throws {UsageError} If there is no such unit, it is masked, or it is a
 * template without an instance.
 */
export function findUnit(
  argument: string,
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): UnitFiles {
  const name = path.basename(argument);
  requireUnitName(argument, name);
  const directory = path.dirname(path.resolve(cwd, argument));
  const local = findFile([name, templateOf(name)], [directory]);
  if (local !== undefined) {
    if (isMasked(local)) throw maskedError(argument, local);
    return {
      name,
      fragment: local,
      dropIns: findDropIns([name], [directory]),
      isInstalled: false,
    };
  }
  if (argument.includes("/")) {
    throw new UsageError(
      `Reading the unit ${quote(argument)}: there is no such file: give the ` +
        `path of a unit, or the name of an installed one`,
    );
  }
  return findInstalled(argument, unitDirectories(env));
}

function requireUnitName(argument: string, name: string): void {
  if (!/^[^.].*\.socket$/.test(name)) {
    throw new UsageError(
      `Reading ${quote(argument)}: expected a file named NAME.socket`,
    );
  }
  if (!/^[A-Za-z0-9:_.\\@-]{1,255}$/.test(name)) {
    throw new UsageError(
      `Reading ${quote(argument)}: expected a name of at most 255 letters, ` +
        `digits and characters of ":-_.\\@", as systemd requires: rename the ` +
        `file`,
    );
  }
  if (!name.endsWith("@.socket")) return;
  const instance = name.replace("@.", "@instance.");
  throw new UsageError(
    `Reading the unit ${quote(argument)}: a template needs the name of an ` +
      `instance: give ${quote(argument.replace(/[^/]*$/, instance))}`,
  );
}

/** Finds a unit by name, and follows links that are aliases. */
function findInstalled(
  argument: string,
  directories: readonly string[],
): UnitFiles {
  const names = [argument];
  for (let count = 0; count < MAX_ALIASES; count++) {
    const name = names[0]!;
    const file = findFile([name, templateOf(name)], directories);
    if (file === undefined) break;
    if (isMasked(file)) throw maskedError(argument, file);
    const alias = aliasOf(file, name);
    if (alias === undefined) {
      return {
        name,
        fragment: file,
        dropIns: findDropIns(names, directories),
        isInstalled: true,
      };
    }
    names.unshift(alias);
  }
  throw new UsageError(
    `Reading the unit ${quote(argument)}: there is no such file, and no such ` +
      `unit in systemd's directories (${
        directories[0]
      }, …): give the path of ` +
      `a unit, or the name of an installed one`,
  );
}

/** Returns the first file in order of names, then of directories. */
function findFile(
  names: readonly (string | undefined)[],
  directories: readonly string[],
): string | undefined {
  for (const name of names) {
    if (name === undefined) continue;
    for (const directory of directories) {
      const file = path.join(directory, name);
      const stat = fs.lstatSync(file, { throwIfNoEntry: false });
      // Anything but a regular file is refused when it is read.
      if (stat !== undefined) return file;
    }
  }
  return undefined;
}

/** Returns `web@.socket` for `web@1.socket`. */
function templateOf(name: string): string | undefined {
  const template = name.replace(/@.*(?=\.socket$)/s, "@");
  return template === name ? undefined : template;
}

/** Returns the name that a link gives a unit; `undefined` for its own. */
function aliasOf(file: string, name: string): string | undefined {
  let target: string;
  try {
    target = path.basename(fs.readlinkSync(file));
  } catch {
    // No link.
    return undefined;
  }
  const isOther = target.endsWith(".socket") && !target.endsWith("@.socket") &&
    target !== name && target !== path.basename(file);
  return isOther ? target : undefined;
}

/** Returns true for an empty file or `/dev/null`, as systemd does. */
function isMasked(file: string): boolean {
  try {
    const stat = fs.statSync(file);
    return stat.isCharacterDevice() || (stat.isFile() && stat.size === 0);
  } catch {
    return false;
  }
}

function maskedError(argument: string, file: string): UsageError {
  return new UsageError(
    `Reading the unit ${quote(argument)}: it is masked, ${quote(file)} is ` +
      `empty or a link to /dev/null: run \`systemctl unmask\`, or give the ` +
      `path of another unit`,
  );
}

/**
 * Returns the drop-ins of a unit: sorted by name, and of several with a name
 * that of the first directory.
 */
function findDropIns(
  names: readonly string[],
  directories: readonly string[],
): string[] {
  const byName = new Map<string, string>();
  const addAll = (directory: string) => {
    let entries: string[];
    try {
      entries = fs.readdirSync(directory);
    } catch {
      return;
    }
    for (const entry of entries) {
      if (!entry.endsWith(".conf") || byName.has(entry)) continue;
      byName.set(entry, path.join(directory, entry));
    }
  };
  for (const name of names) {
    for (const directory of directories) {
      for (const each of dropInNames(name)) {
        addAll(path.join(directory, `${each}.d`));
      }
    }
  }
  for (const directory of directories) addAll(path.join(directory, "socket.d"));
  return [...byName].sort(([a], [b]) => a < b ? -1 : 1).map(([, file]) => file);
}

/**
 * Returns the names whose drop-ins apply to a unit: its own, its template, and
 * the beginnings up to each dash, such as `foo-.socket` for `foo-bar.socket`.
 */
function dropInNames(name: string): string[] {
  const [, prefix, rest] = /^([^@]*)(.*)$/s.exec(name.slice(0, -7))!;
  const suffix = `${rest}.socket`;
  const names = [prefix!];
  for (let index = prefix!.length - 2; index >= 0; index--) {
    if (prefix![index] === "-") names.push(prefix!.slice(0, index + 1));
  }
  return names.flatMap((each) => {
    const own = each + suffix;
    return [own, templateOf(own) ?? []].flat();
  });
}
