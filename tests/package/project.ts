/**
 * Empty projects that the package is installed in, as its users do. Which
 * package, `LISTENFDS_PACKAGE` says: the path of a tarball.
 */

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { requireVariable, ROOT, type Tool, toolOf } from "../harness/hosts.ts";
import { temporaryDirectory } from "../harness/machine_tools.ts";
import { startRegistry } from "./registry.ts";

export const CONSUMERS: string = path.join(
  ROOT,
  "tests/package/consumers",
);

/** The directory of npm, the compilers and the checkers. */
export const PACKAGE_TOOLS: string = requireVariable(
  "LISTENFDS_PACKAGE_TOOLS",
  "package",
);

/** The tarball that is tested. */
export const TARBALL: string = requireVariable(
  "LISTENFDS_PACKAGE",
  "package",
);

/** The `package.json` of the tested package. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly engines: Readonly<Record<string, string>>;
  readonly exports: Readonly<
    Record<string, Readonly<Record<"import" | "require", unknown>>>
  >;
  readonly [field: string]: unknown;
}

export const MANIFEST: Manifest = JSON.parse(
  execFileSync("tar", ["-xzOf", TARBALL, "package/package.json"], {
    encoding: "utf8",
  }),
);

/** The Node that npm and the checkers run on. */
export const NODE: string = toolOf("node 24").path;

/** The output of a program, and its status. */
export interface Ended {
  readonly status: number | null;
  readonly output: string;
}

/** Runs a program to its end. */
export async function run(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Record<string, string | undefined> = {},
): Promise<Ended> {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve(status));
  });
  const [out, errors] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
  ]);
  return { status: await ended, output: out + errors };
}

/** Runs a program that must succeed. */
export async function succeed(
  ...args: Parameters<typeof run>
): Promise<string> {
  const { status, output } = await run(...args);
  assert.equal(status, 0, `${args[0]} ${args[1].join(" ")}:\n${output}`);
  return output;
}

/** Runs npm. */
export function npm(args: readonly string[], cwd: string): Promise<string> {
  const cli = path.join(PACKAGE_TOOLS, "npm/bin/npm-cli.js");
  // Nothing of the machine's own configuration.
  const env = { npm_config_userconfig: "/dev/null" };
  return succeed(NODE, [cli, ...args], cwd, env);
}

/** A registry with the package alone, which depends on nothing. */
export async function offerPackage(
  t: Pick<TestContext, "after">,
): Promise<string> {
  return await startRegistry(t, [{ manifest: MANIFEST, tarball: TARBALL }]);
}

/** Settings of a project. */
interface ProjectOptions {
  /** The type of its modules. */
  readonly type?: "module" | "commonjs";
  /** Files of `consumers/` to put there. */
  readonly files: readonly string[];
}

function emptyProject(
  t: TestContext,
  { type = "module", files }: ProjectOptions,
): string {
  const directory = temporaryDirectory(t);
  const manifest = { name: "consumer", version: "1.0.0", private: true, type };
  fs.writeFileSync(
    path.join(directory, "package.json"),
    JSON.stringify(manifest),
  );
  for (const file of files) copyConsumer(file, directory);
  return directory;
}

/** Puts a file of `consumers/` into a project. */
export function copyConsumer(file: string, directory: string): void {
  const code = fs.readFileSync(path.join(CONSUMERS, file), "utf8");
  fs.writeFileSync(
    path.join(directory, file),
    code.replace(/^\/\/ @ts-nocheck.*\n/, ""),
  );
}

/** A project that the tarball is installed in with npm. */
export async function npmProject(
  t: TestContext,
  options: ProjectOptions,
): Promise<string> {
  const directory = emptyProject(t, options);
  const registry = await offerPackage(t);
  await npm([
    "install",
    ...["--no-audit", "--no-fund", "--ignore-scripts"],
    `--registry=${registry}`,
    `--cache=${path.join(temporaryDirectory(t), "cache")}`,
    TARBALL,
  ], directory);
  return directory;
}

/** A project that the tarball is installed in with Bun. */
export async function bunProject(
  t: TestContext,
  bun: Tool,
  options: ProjectOptions,
): Promise<string> {
  const directory = emptyProject(t, options);
  await succeed(bun.path, ["add", "--ignore-scripts", TARBALL], directory, {
    BUN_CONFIG_REGISTRY: await offerPackage(t),
    BUN_INSTALL_CACHE_DIR: path.join(temporaryDirectory(t), "cache"),
  });
  return directory;
}

/** A project for Deno, and the environment to run it in. */
export interface DenoProject {
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A project that Deno loads the package in: from a registry, or a directory. */
export async function denoProject(
  t: TestContext,
  from: "registry" | "directory",
  files: readonly string[],
): Promise<DenoProject> {
  const directory = temporaryDirectory(t);
  for (const file of files) copyConsumer(file, directory);
  const { name, version } = MANIFEST;
  const specifier = `npm:${name}@${version}`;
  const config = from === "registry" ? {} : {
    links: ["./vendor/package"],
    nodeModulesDir: "auto",
  };
  if (from === "directory") {
    const vendor = path.join(directory, "vendor");
    fs.mkdirSync(vendor);
    await succeed("tar", ["-xzf", TARBALL, "-C", vendor], directory);
  }
  fs.writeFileSync(
    path.join(directory, "deno.json"),
    JSON.stringify({ ...config, imports: { [name]: specifier } }),
  );
  return {
    directory,
    env: {
      NPM_CONFIG_REGISTRY: await offerPackage(t),
      DENO_DIR: path.join(temporaryDirectory(t), "cache"),
      NO_COLOR: "1",
    },
  };
}

/** Puts a package of the tools into a project, such as `@types/node`. */
export function linkTool(name: string, directory: string): void {
  const target = path.join(directory, "node_modules", name);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.symlinkSync(path.join(PACKAGE_TOOLS, name), target);
}
