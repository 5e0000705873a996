/**
 * What becomes of a built npm package before it is packed, whichever tool built
 * it as ES modules. The same is done to what is published and to what is tested
 * every day.
 *
 * - Its many modules are joined to few files. On Node, importing the package
 *   then takes about a third of the time (see `bench/README.md`). The code
 *   stays readable, because it is what stacks show of the package.
 * - CommonJS is added: declarations, and code that requires the ES modules. All
 *   runtimes can (Node from 22.12 on), as nothing is awaited at the top level. A
 *   program that imports and requires the package has it once so, with one state
 *   and one class for each error, and the package is half as large.
 * - Files that no entry point leads to are removed.
 *
 * @module
 */

import { dirname, join, relative } from "node:path";
import { type Entry, joinModules } from "./join_modules.ts";

/** What a package says of its entry points. */
export interface PackageEntries {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly bin?: Readonly<Record<string, string>>;
}

/** The part of `package.json` that finishing a package reads. */
interface Manifest extends PackageEntries {
  readonly name: string;
  readonly version: string;
}

/** Returns the comment at the top of a file that some modules became. */
type Banner = (modules: readonly string[]) => string;

/** The directory for CommonJS. */
const COMMONJS = "cjs";

/**
 * Makes of a built package what is to be shipped.
 *
 * @param directory The package.
 * @param tools The directory that Rollup is in.
 */
export async function finishPackage(
  directory: string,
  tools: string,
): Promise<void> {
  const file = join(directory, "package.json");
  const manifest: Manifest = JSON.parse(await Deno.readTextFile(file));
  const entries = Object.entries(manifest.exports).map(([name, value]) => ({
    name,
    path: entryFiles({ exports: { [name]: value } })
      .find((each) => each.endsWith(".js"))!,
  }));
  const base = dirname(entries.find(({ name }) => name === ".")!.path);
  const commands = Object.entries(manifest.bin ?? {})
    .map(([name, path]) => ({ name, path: withoutDot(path) }));
  const banner = (modules: readonly string[]) =>
    bannerOf(manifest, modules.map((path) => relative(base, path)));
  await replaceModules(
    directory,
    [...entries, ...commands],
    base,
    tools,
    banner,
  );
  for (const { path } of commands) {
    const command = join(directory, path);
    const text = startCommand(await Deno.readTextFile(command));
    await Deno.writeTextFile(command, text);
  }
  await addCommonJs(directory, base, entries, banner);
  const finished = withBoth(manifest, entries, base);
  await Deno.writeTextFile(file, `${JSON.stringify(finished, null, 2)}\n`);
  await removeUnreachable(directory, finished);
}

/** Adds to what `package.json` says where the CommonJS of each entry point is. */
function withBoth(
  manifest: PackageEntries,
  entries: readonly Entry[],
  base: string,
): PackageEntries {
  const conditions = (path: string) => ({
    types: `./${toDeclaration(path)}`,
    default: `./${path}`,
  });
  const exports = Object.fromEntries(
    entries.map(({ name, path }) => [name, {
      import: conditions(path),
      require: conditions(commonJsPath(path, base)),
    }]),
  );
  const { types, default: main } = exports["."]!.require;
  // Read by tools that don't know `exports`: `main` and `types`.
  return { ...manifest, main, types, exports } as PackageEntries;
}

/**
 * Makes a command start Node with `--`: Node takes `--env-file` for its own
 * wherever it stands before that. A shell starts Node, because `env -S` is
 * missing in BusyBox. To JavaScript, the shell's line is a comment.
 */
export function startCommand(text: string): string {
  const start =
    '#!/usr/bin/env sh\n///usr/bin/env true; exec /usr/bin/env node -- "$0" "$@"\n';
  const replaced = text.replace(/^#!\/usr\/bin\/env node\n/, start);
  if (replaced === text) {
    throw new Error(
      "Finishing a command: expected its first line to start node",
    );
  }
  return replaced;
}

function bannerOf(
  { name, version }: Manifest,
  modules: readonly string[],
): string {
  return [
    "/*",
    ` * ${name} ${version}, compiled from these TypeScript modules. JSR has`,
    " * them in the package of the same name and version.",
    " *",
    ...modules.map((path) => ` *   ${path.replace(/\.js$/, ".ts")}`),
    " */",
  ].join("\n");
}

/** Puts joined modules, formatted, in the place of a file for each module. */
async function replaceModules(
  directory: string,
  entries: readonly Entry[],
  base: string,
  tools: string,
  banner: Banner,
): Promise<void> {
  const joined = await Deno.makeTempDir({ prefix: "listenfds-joined-" });
  try {
    await joinModules(directory, entries, {
      tools,
      output: joined,
      base,
      banner,
    });
    await format(joined);
    for (const file of await filesBelow(directory)) {
      const isCode = /\.[jt]s$/.test(file) && !file.endsWith(".d.ts");
      if (isCode) await Deno.remove(join(directory, file));
    }
    for (const file of await filesBelow(joined)) {
      await Deno.mkdir(dirname(join(directory, file)), { recursive: true });
      await Deno.copyFile(join(joined, file), join(directory, file));
    }
  } finally {
    await Deno.remove(joined, { recursive: true });
  }
}

async function format(directory: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--no-config", "--quiet", directory],
    stdin: "null",
  }).output();
  if (success) return;
  const reason = new TextDecoder().decode(stderr);
  throw new Error(`Formatting the joined modules failed:\n${reason}`);
}

async function removeUnreachable(
  directory: string,
  entries: PackageEntries,
): Promise<void> {
  const code = new Map<string, string>();
  for (const file of await filesBelow(directory)) {
    if (!/\.(?:js|d\.ts)$/.test(file)) continue;
    code.set(file, await Deno.readTextFile(join(directory, file)));
  }
  const needed = reachable(entryFiles(entries), code);
  for (const file of code.keys()) {
    if (!needed.has(file)) await Deno.remove(join(directory, file));
  }
}

/** Where the CommonJS of a file is. */
function commonJsPath(path: string, base: string): string {
  return join(COMMONJS, relative(base, path));
}

async function addCommonJs(
  directory: string,
  base: string,
  entries: readonly Entry[],
  banner: Banner,
): Promise<void> {
  const write = async (path: string, text: string) => {
    const file = join(directory, path);
    await Deno.mkdir(dirname(file), { recursive: true });
    await Deno.writeTextFile(file, text);
  };
  for (const file of await filesBelow(join(directory, base))) {
    if (!file.endsWith(".d.ts")) continue;
    const text = await Deno.readTextFile(join(directory, base, file));
    await write(join(COMMONJS, file), text);
  }
  for (const { path } of entries) {
    const script = commonJsPath(path, base);
    const module = relative(dirname(script), path);
    const code = `"use strict";\nmodule.exports = require("${module}");\n`;
    await write(script, `${banner([path])}\n${code}`);
  }
  await write(join(COMMONJS, "package.json"), `{ "type": "commonjs" }\n`);
}

/**
 * Finds the files that a package's entry points are.
 *
 * @param entries What `package.json` says.
 * @returns Their paths in the package, with those of their declarations.
 */
export function entryFiles({ exports, bin = {} }: PackageEntries): string[] {
  const paths = (value: unknown): string[] =>
    typeof value === "string"
      ? [value]
      : Object.values(value as Record<string, unknown>).flatMap(paths);
  const files = paths(exports).map(withoutDot);
  const all = files.flatMap((file) => [file, toDeclaration(file)]);
  return [...new Set([...all, ...Object.values(bin).map(withoutDot)])];
}

/**
 * Finds the files that some files lead to, themselves among them.
 *
 * @param from Where to begin.
 * @param code The text of every file of the package.
 * @returns The paths of all that are there.
 */
export function reachable(
  from: readonly string[],
  code: ReadonlyMap<string, string>,
): Set<string> {
  const found = new Set<string>();
  const left = [...from];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    const text = code.get(file);
    if (text === undefined || found.has(file)) continue;
    found.add(file);
    for (const specifier of specifiersOf(text)) {
      if (!specifier.startsWith(".")) continue;
      const path = join(file, "..", specifier);
      left.push(file.endsWith(".d.ts") ? toDeclaration(path) : path);
    }
  }
  return found;
}

/**
 * Finds what code or declarations import, as ES modules and as CommonJS.
 *
 * @param code The code.
 * @returns The specifiers.
 */
export function specifiersOf(code: string): string[] {
  const withoutComments = code.replace(/\/\*[^]*?\*\//g, "");
  const imported =
    /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)(["'])([^"'\n]+)\1/g;
  return [...withoutComments.matchAll(imported)].map(([, , each]) => each!)
    // In minified code, what follows such a word in a string can look like one.
    .filter((each) => /^[\w@.][\w@./:-]*$/.test(each));
}

function withoutDot(path: string): string {
  return path.replace(/^\.\//, "");
}

function toDeclaration(file: string): string {
  return file.replace(/(?:\.d\.ts|\.js)$/, ".d.ts");
}

/**
 * Lists the files below a directory.
 *
 * @param directory The directory.
 * @param below Which of its directories to begin with.
 * @returns Their paths from the directory.
 */
export async function filesBelow(
  directory: string,
  below: string = "",
): Promise<string[]> {
  const files: string[] = [];
  for await (
    const { name, isDirectory } of Deno.readDir(join(directory, below))
  ) {
    const path = join(below, name);
    if (isDirectory) files.push(...await filesBelow(directory, path));
    else files.push(path);
  }
  return files;
}
