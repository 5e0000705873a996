/**
 * What becomes of a built npm package before it is packed, whichever tool built
 * it as ES modules. The same is done to what is published and to what is tested
 * every day.
 *
 * - Its many modules are joined to few. On Node, importing the package costs a
 *   third then of what it does with a file for each module (`bench/README.md`
 *   has the figures), and no file is opened that a runtime has no use for.
 *   Comments are gone then; what they document is in the declarations, too.
 * - CommonJS is added: declarations, and code that requires the ES modules. All
 *   runtimes can (Node from 22.12 on), as nothing is awaited at the top level. A
 *   program that imports and requires the package has it once so, with one state
 *   and one class for each error, and the package is half as large.
 * - Files that no entry point leads to are removed.
 *
 * @module
 */

import { dirname, join, relative } from "node:path";

/** What a package says of its entry points. */
export interface PackageEntries {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly bin?: Readonly<Record<string, string>>;
}

/** What joins the modules. */
export interface Bundler {
  /** The Node to run it on. */
  readonly node: string;
  /** The folder that esbuild is in. */
  readonly tools: string;
}

/** An entry point. */
interface Entry {
  readonly name: string;
  /** The path of its ES module. */
  readonly path: string;
}

/** The folder for CommonJS. */
const COMMONJS = "cjs";

/**
 * Makes of a built package what is to be shipped.
 *
 * @param folder The package.
 * @param bundler What joins the modules.
 */
export async function finishPackage(
  folder: string,
  bundler: Bundler,
): Promise<void> {
  const file = join(folder, "package.json");
  const manifest: PackageEntries = JSON.parse(await Deno.readTextFile(file));
  const entries = Object.entries(manifest.exports).map(([name, value]) => ({
    name,
    path: entryFiles({ exports: { [name]: value } })
      .find((each) => each.endsWith(".js"))!,
  }));
  const base = dirname(entries.find(({ name }) => name === ".")!.path);
  const commands = Object.values(manifest.bin ?? {}).map(withoutDot);
  const scripts = [...entries.map(({ path }) => path), ...commands];
  await joinModules(folder, base, scripts, bundler);
  await addCommonJs(folder, base, entries);
  const finished = withBoth(manifest, entries, base);
  await Deno.writeTextFile(file, `${JSON.stringify(finished, null, 2)}\n`);
  await removeUnreachable(folder, finished);
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

/** Joins modules: what several entry points use is in files that they share. */
async function joinModules(
  folder: string,
  base: string,
  entries: readonly string[],
  bundler: Bundler,
): Promise<void> {
  const built = await Deno.makeTempDir({ prefix: "listenfds-joined-" });
  try {
    await runEsbuild(folder, bundler, [
      ...entries.map((each) => `./${each}`),
      "--bundle",
      "--format=esm",
      "--platform=node",
      "--packages=external",
      "--splitting",
      // The command alone is half of the code; the sources are on JSR.
      "--minify",
      "--target=esnext",
      "--outbase=.",
      `--outdir=${built}`,
      `--chunk-names=${join(base, "shared", "[hash]")}`,
    ]);
    for (const file of await filesBelow(folder)) {
      const isCode = /\.[jt]s$/.test(file) && !file.endsWith(".d.ts");
      if (isCode) await Deno.remove(join(folder, file));
    }
    for (const file of await filesBelow(built)) {
      await Deno.mkdir(dirname(join(folder, file)), { recursive: true });
      await Deno.copyFile(join(built, file), join(folder, file));
    }
  } finally {
    await Deno.remove(built, { recursive: true });
  }
}

async function runEsbuild(
  folder: string,
  { node, tools }: Bundler,
  args: readonly string[],
): Promise<void> {
  const { success, stderr } = await new Deno.Command(node, {
    args: [`${tools}esbuild/bin/esbuild`, "--log-level=warning", ...args],
    cwd: folder,
    stdin: "null",
  }).output();
  if (success) return;
  throw new Error(
    `Joining the modules with esbuild failed:\n` +
      new TextDecoder().decode(stderr),
  );
}

async function removeUnreachable(
  folder: string,
  entries: PackageEntries,
): Promise<void> {
  const code = new Map<string, string>();
  for (const file of await filesBelow(folder)) {
    if (!/\.(?:js|d\.ts)$/.test(file)) continue;
    code.set(file, await Deno.readTextFile(join(folder, file)));
  }
  const needed = reachable(entryFiles(entries), code);
  for (const file of code.keys()) {
    if (!needed.has(file)) await Deno.remove(join(folder, file));
  }
}

/** Where the CommonJS of a file is. */
function commonJsPath(path: string, base: string): string {
  return join(COMMONJS, relative(base, path));
}

async function addCommonJs(
  folder: string,
  base: string,
  entries: readonly Entry[],
): Promise<void> {
  const write = async (path: string, text: string) => {
    const file = join(folder, path);
    await Deno.mkdir(dirname(file), { recursive: true });
    await Deno.writeTextFile(file, text);
  };
  for (const file of await filesBelow(join(folder, base))) {
    if (!file.endsWith(".d.ts")) continue;
    const text = await Deno.readTextFile(join(folder, base, file));
    await write(join(COMMONJS, file), text);
  }
  for (const { path } of entries) {
    const script = commonJsPath(path, base);
    const module = relative(dirname(script), path);
    await write(
      script,
      `"use strict";\nmodule.exports = require("${module}");\n`,
    );
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
 * Lists the files below a folder.
 *
 * @param folder The folder.
 * @param below Which of its folders to begin with.
 * @returns Their paths from the folder.
 */
export async function filesBelow(
  folder: string,
  below: string = "",
): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(folder, below))) {
    const path = join(below, name);
    if (isDirectory) files.push(...await filesBelow(folder, path));
    else files.push(path);
  }
  return files;
}
