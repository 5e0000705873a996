/**
 * Checks the structure of the library: layers, cycles, names and sizes.
 *
 *     deno task check:structure
 *     deno task check:structure --count
 *
 * The rules are in `structure/rules.ts`. Each violation is a line
 * `path:line: problem: what to do`, and the exit status is then 1. With `--count`
 * it counts named types, names declared in several files, and lines.
 *
 * The graph of modules comes from `deno info`, because that resolves imports as
 * the runtime does. Names and sizes come from the parser of TypeScript, because a
 * pattern can't tell a declaration, or a reference, from text that looks like it.
 */

import { readdirSync, readFileSync } from "node:fs";
import { checkGraph, type DenoInfo, readGraph } from "./structure/graph.ts";
import { formatProblems, isIn } from "./structure/problem.ts";
import { readSource, type Source } from "./structure/source.ts";
import { checkSources, findDoubledNames } from "./structure/source_checks.ts";

const ROOT = new URL("../", import.meta.url);

async function main(args: readonly string[]): Promise<number> {
  const sources = ["mod.ts", ...["src", "scripts"].flatMap(filesBelow)]
    .map((path) => readSource(path, readFileSync(new URL(path, ROOT), "utf8")));
  if (args.includes("--count")) {
    console.log(count(sources));
    return 0;
  }
  const infos = await Promise.all(entryPoints().map(denoInfo));
  const library = sources.map(({ path }) => path)
    .filter((path) => isIn(path, ["src/", "mod.ts"]));
  const lines = formatProblems([
    ...checkGraph(readGraph(infos, ROOT.href), library),
    ...checkSources(sources),
  ]);
  for (const line of lines) console.error(line);
  return lines.length === 0 ? 0 : 1;
}

function filesBelow(directory: string): string[] {
  return readdirSync(new URL(directory, ROOT), { recursive: true })
    .map((name) => `${directory}/${name}`)
    .filter((path) => /\.[cm]?[jt]sx?$/.test(path))
    .sort();
}

function entryPoints(): string[] {
  const { exports } = JSON.parse(
    readFileSync(new URL("deno.json", ROOT), "utf8"),
  ) as { exports: Record<string, string> };
  return [
    ...Object.values(exports),
    "./src/cli/bin.ts",
    // Imports the activator in the form that tests and benchmarks use.
    "./bench/adoption_host.ts",
  ];
}

async function denoInfo(entryPoint: string): Promise<DenoInfo> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entryPoint],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  if (success) return JSON.parse(decoder.decode(stdout));
  throw new Error(`Reading ${entryPoint}: ${decoder.decode(stderr)}`);
}

function count(sources: readonly Source[]): string {
  const library = sources.filter(({ path }) =>
    path.startsWith("src/") && !path.startsWith("src/cli/")
  );
  const types = library.filter(({ path }) => !path.startsWith("src/core/"))
    .flatMap(({ declarations }) => declarations.filter(({ isType }) => isType));
  const lines = library.reduce((sum, { lines }) => sum + lines, 0);
  return `named types, without src/core and src/cli: ${types.length}\n` +
    `names declared in several files: ${findDoubledNames(sources).size}\n` +
    `lines of src, without src/cli: ${lines}`;
}

Deno.exit(await main(Deno.args));
