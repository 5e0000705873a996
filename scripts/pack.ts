/**
 * Packs the npm package without dnt, as its tests need it on machines that don't
 * reach JSR: `deno pack` makes ES modules and their declarations, and what it
 * doesn't know (`bin`, `engines` and the like) is added.
 *
 *     deno run -A scripts/pack.ts [FOLDER]
 */

import { join } from "node:path";
import { finishPackage } from "./npm_files.ts";
import { COMMAND, npmMetadata } from "./npm_metadata.ts";
import { packageToolchain, type Tool, toolchain } from "./toolchain.ts";

const ROOT = new URL("../", import.meta.url);

/**
 * Packs with `deno pack`.
 *
 * @param output The folder to put the tarball into.
 * @param node The Node to run npm and esbuild on.
 * @param tools The folder that they are in.
 * @returns The path of the tarball.
 */
export async function denoPack(
  output: string,
  node: Tool,
  tools: string,
): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "listenfds-pack-" });
  try {
    const built = await denoBuild(folder);
    await finishPackage(built, { node: node.path, tools });
    return await npmPack(built, output, node, tools);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Builds with `deno pack`: a file for each module.
 *
 * @param folder An empty folder to build in.
 * @returns The folder of the package, which is not finished.
 */
export async function denoBuild(folder: string): Promise<string> {
  const raw = join(folder, "raw.tgz");
  // Without source maps: they hold the sources, and are twice as large.
  const flags = ["--allow-dirty", "--no-source-maps", "--output", raw];
  await run("deno pack", Deno.execPath(), ["pack", ...flags], ROOT);
  await run("tar", "tar", ["-xzf", raw], folder);
  const built = join(folder, "package");
  await addMetadata(built);
  return built;
}

/** Adds the command, and what `package.json` says of the package. */
async function addMetadata(folder: string): Promise<void> {
  const file = join(folder, "package.json");
  const packed: object = JSON.parse(await Deno.readTextFile(file));
  const script = COMMAND.path.replace(/\.ts$/, ".js");
  const bin = { [COMMAND.name]: script };
  const all = { ...npmMetadata(), ...packed, bin };
  await Deno.writeTextFile(file, JSON.stringify(all, null, 2));
  // No entry point leads to it, so `deno pack` has left it as it is: without
  // types it is code, but for the names of the files that it imports.
  const source = await Deno.readTextFile(new URL(COMMAND.path, ROOT));
  const code = source.replace(/^#!.*\n/, "").replace(/\.ts(["'])/g, ".js$1");
  const shebang = "#!/usr/bin/env node\n";
  await Deno.writeTextFile(join(folder, script), shebang + code);
}

/**
 * Packs a built package with npm.
 *
 * @param folder The package.
 * @param output The folder to put the tarball into.
 * @param node The Node to run npm on.
 * @param tools The folder that npm is in.
 * @returns The path of the tarball.
 */
export async function npmPack(
  folder: string,
  output: string,
  { path }: Tool,
  tools: string,
): Promise<string> {
  const npm = [`${tools}npm/bin/npm-cli.js`, "pack", "--ignore-scripts"];
  const flags = ["--json", "--offline", "--pack-destination", output];
  const printed = await run("npm pack", path, [...npm, ...flags], folder);
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
  const node = (await toolchain()).find(({ label }) => label === "node 24")!;
  const output = Deno.args[0] ?? ".";
  console.log(await denoPack(output, node, await packageToolchain()));
}
