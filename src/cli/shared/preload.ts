/**
 * Commands of programs that know nothing of the library, with its preload.
 *
 * @module
 */

import path from "node:path";
import { fileURLToPath } from "node:url";
import { quote, quoteAll } from "../../core/errors.ts";
import type { RuntimeName } from "../../core/types.ts";
import { parseListenfdsMap } from "../../preload/listenfds_map.ts";
import { disk } from "./disk.ts";
import { argumentError } from "./options.ts";

/** The option of each runtime that loads a module before the program. */
const OPTIONS: Readonly<Record<RuntimeName, string>> = {
  deno: "--preload",
  bun: "--preload",
  node: "--import",
};

/** The preload of a command. */
export interface Preload {
  /** The value of `LISTENFDS_MAP`; empty without entries. */
  readonly map: string;
  /** The absolute path of the module, or on Deno what imports it. */
  readonly module: string;
}

/**
 * Reads the values of `--preload`.
 *
 * @param names The names of the sockets.
 * @throws {UsageError} If they are no map, or name other sockets.
 */
export function readPreload(
  values: readonly string[] | undefined,
  names: readonly string[],
  runtime: RuntimeName | undefined,
): Preload | undefined {
  if (values === undefined) return undefined;
  if (runtime === undefined) {
    throw argumentError(
      `--preload is for programs of Deno, Bun and Node: leave it out`,
    );
  }
  const map = values.join();
  let entries;
  try {
    entries = parseListenfdsMap(map);
  } catch (error) {
    throw argumentError(`--preload: ${(error as Error).message}`);
  }
  const unknown = entries.find(({ name }) => !names.includes(name));
  if (unknown !== undefined) {
    throw argumentError(
      `--preload: expected the name of a socket (${quoteAll(names)}), found ${
        quote(unknown.name)
      }: write NAME=WHAT-THE-PROGRAM-ASKS-FOR`,
    );
  }
  return { map, module: findModule(runtime) };
}

/** Returns words of a command with the option that loads the preload. */
export function addPreload(
  words: readonly string[],
  programIndex: number,
  runtime: RuntimeName,
  { module }: Preload,
): string[] {
  // Deno takes it after its subcommand.
  const isRun = words[programIndex + 1] === "run";
  const index = programIndex + (runtime === "deno" && isRun ? 2 : 1);
  return [
    ...words.slice(0, index),
    `${OPTIONS[runtime]}=${module}`,
    ...words.slice(index),
  ];
}

/** Finds the preload in the package or checkout that this module is in. */
function findModule(runtime: RuntimeName): string {
  const { url } = import.meta;
  if (url.startsWith("file:")) {
    let directory = path.dirname(fileURLToPath(url));
    while (directory !== path.dirname(directory)) {
      for (const name of ["mod.js", "mod.ts"]) {
        const file = path.join(directory, "preload", name);
        if (disk.status(file)?.isFile) return file;
      }
      directory = path.dirname(directory);
    }
  }
  if (runtime === "deno") return "jsr:@listenfds/listenfds/preload";
  throw argumentError(
    `--preload: this command is not installed as a file: install the npm ` +
      `package beside the program, and use its command`,
  );
}
