/**
 * Packs the npm package without dnt, as its tests need it on machines that don't
 * reach JSR: `deno pack` makes the declarations, TypeScript the ES modules (as in
 * dnt), and the fields that `deno pack` doesn't know (`bin`, `engines` and the
 * like) are added.
 *
 *     deno run -A scripts/pack.ts [DIRECTORY]
 */

import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import type TypeScript from "typescript";
import { filesBelow, finishPackage } from "./npm_files.ts";
import { COMMAND, npmMetadata } from "./npm_metadata.ts";
import { fetchTool, packageToolchain, type Tool } from "./toolchain.ts";

const ROOT = new URL("../", import.meta.url);

/**
 * Packs with `deno pack`.
 *
 * @param output The directory to put the tarball into.
 * @param node The Node to run npm on.
 * @param tools The directory that they are in.
 * @returns The path of the tarball.
 */
export async function denoPack(
  output: string,
  node: Tool,
  tools: string,
): Promise<string> {
  const directory = await Deno.makeTempDir({ prefix: "listenfds-pack-" });
  try {
    const built = await denoBuild(directory, tools);
    await finishPackage(built, tools);
    return await npmPack(built, output, node, tools);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/**
 * Builds with `deno pack` and TypeScript: a file for each module.
 *
 * @param directory An empty directory to build in.
 * @param tools The directory that TypeScript is in.
 * @returns The directory of the package, which is not finished.
 */
export async function denoBuild(
  directory: string,
  tools: string,
): Promise<string> {
  const built = await unpackDenoPack(directory);
  const script = await addMetadata(built);
  for (const file of [...await filesBelow(built), script]) {
    if (file.endsWith(".js")) await compile(file, built, tools);
  }
  return built;
}

/**
 * Packs with `deno pack`, and unpacks the result.
 *
 * The declarations are what is used of it. They hold only what the entry points
 * name; those of TypeScript name internal modules, too, and are larger by half.
 *
 * @param directory An empty directory to unpack in.
 * @returns The directory of the package.
 */
export async function unpackDenoPack(directory: string): Promise<string> {
  const raw = join(directory, "raw.tgz");
  // Without source maps: they hold the sources, and are twice as large.
  const flags = ["--allow-dirty", "--no-source-maps", "--output", raw];
  await run("deno pack", Deno.execPath(), ["pack", ...flags], ROOT);
  await run("tar", "tar", ["-xzf", raw], directory);
  const unpacked = join(directory, "package");
  // JSR has it; here the room is kept for code.
  await Deno.remove(join(unpacked, "CHANGELOG.md"));
  return unpacked;
}

/**
 * Compiles a module. The code of `deno pack` has comments in the middle of lines
 * and leaves out the modules that no entry point leads to, such as the command.
 */
async function compile(
  file: string,
  directory: string,
  tools: string,
): Promise<void> {
  const { ModuleKind, ScriptTarget, transpileModule }: typeof TypeScript =
    createRequire(tools)("typescript");
  const source = new URL(file.replace(/\.js$/, ".ts"), ROOT);
  const { outputText } = transpileModule(await Deno.readTextFile(source), {
    compilerOptions: {
      module: ModuleKind.ESNext,
      rewriteRelativeImportExtensions: true,
      target: ScriptTarget.ESNext,
      verbatimModuleSyntax: true,
    },
  });
  await Deno.writeTextFile(join(directory, file), outputText);
}

/**
 * Adds the fields of `package.json` that `deno pack` doesn't know, and returns
 * the path of the command.
 */
async function addMetadata(directory: string): Promise<string> {
  const file = join(directory, "package.json");
  const packed: object = JSON.parse(await Deno.readTextFile(file));
  const script = COMMAND.path.replace(/\.ts$/, ".js");
  const bin = { [COMMAND.name]: script };
  const all = { ...npmMetadata(), ...packed, bin };
  await Deno.writeTextFile(file, JSON.stringify(all, null, 2));
  return script;
}

/**
 * Packs a built package with npm.
 *
 * @param directory The package.
 * @param output The directory to put the tarball into.
 * @param node The Node to run npm on.
 * @param tools The directory that npm is in.
 * @returns The path of the tarball.
 */
export async function npmPack(
  directory: string,
  output: string,
  { path }: Tool,
  tools: string,
): Promise<string> {
  const npm = [`${tools}npm/bin/npm-cli.js`, "pack", "--ignore-scripts"];
  const flags = ["--json", "--offline", "--pack-destination", output];
  const printed = await run("npm pack", path, [...npm, ...flags], directory);
  const [name] = /[\w.-]+\.tgz/.exec(printed) ?? [];
  if (name === undefined) {
    throw new Error(
      `Packing with npm: expected the name of a tarball, found ${printed}`,
    );
  }
  return join(output, name);
}

/** Runs a program, and shows what it wrote only if it fails. */
async function run(
  title: string,
  program: string,
  args: readonly string[],
  cwd: string | URL,
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const [out, errors] = [stdout, stderr].map((each) =>
    new TextDecoder().decode(each)
  ) as [string, string];
  if (success) return out;
  throw new Error(`Packing with ${title} failed:\n${errors}${out}`);
}

if (import.meta.main) {
  const node = await fetchTool("node 24");
  // npm runs in another directory.
  const output = resolve(Deno.args[0] ?? ".");
  console.log(await denoPack(output, node, await packageToolchain()));
}
