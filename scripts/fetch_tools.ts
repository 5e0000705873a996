/**
 * Fetching runtimes and other programs as npm packages, with Deno.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { showProgress } from "./progress.ts";

/** A runtime to run things on. */
export interface Tool {
  /** What to call it, such as `node 24`. */
  readonly label: string;
  /** Which runtime it is. */
  readonly runtime: "deno" | "bun" | "node";
  /** The exact version. */
  readonly version: string;
  /** The absolute path of the program. */
  readonly path: string;
}

/** A version to fetch. */
export type Version = Omit<Tool, "path">;

/** A kind of machine that programs are for. */
export interface ProgramPlatform {
  readonly os: string;
  readonly arch: string;
  /** The C library, on Linux. */
  readonly libc: "glibc" | "musl";
}

/**
 * Fetches runtimes where they are not there yet.
 *
 * @param labels Which ones; by default, all.
 * @param foreign What they are for, if that is not this machine.
 */
export async function fetchTools(
  versions: readonly Version[],
  directory: URL,
  {
    labels = versions.map(({ label }) => label),
    foreign,
  }: {
    readonly labels?: readonly string[] | undefined;
    readonly foreign?: ProgramPlatform | undefined;
  } = {},
): Promise<Tool[]> {
  const { os, arch } = Deno.build;
  const libc = await hasMusl() ? "musl" : "glibc";
  const platform = foreign ?? { os, arch, libc };
  const all = versions.map((each) => {
    const alias = each.label.replace(" ", "-");
    const program = each.runtime === "deno" ? "deno" : `bin/${each.runtime}`;
    const root = new URL(`node_modules/${alias}/`, directory);
    return {
      ...each,
      alias,
      root,
      package: packageName(each.runtime, platform),
      path: fileURLToPath(new URL(program, root)),
    };
  });
  const isFetched = async ({ path, root, version }: typeof all[number]) =>
    await (foreign ? packedVersion(root) : versionOf(path)) === version;
  const wanted = all.filter(({ label }) => labels.includes(label));
  const missing: typeof all = [];
  const present: typeof all = [];
  for (const each of all) {
    if (await isFetched(each)) present.push(each);
    else if (wanted.includes(each)) missing.push(each);
  }
  if (missing.length > 0) {
    await fetchPackages(
      Object.fromEntries(
        // What is left out would be removed.
        [...present, ...missing].map((each) => [
          each.alias,
          `npm:${each.package}@${each.version}`,
        ]),
      ),
      directory,
      missing.map(({ label }) => label).join(", "),
    );
    for (const each of missing) {
      if (await isFetched(each)) continue;
      throw new Error(
        `Fetching ${each.label}: the npm package ${each.package} ` +
          `${each.version} is missing, or its program doesn't run on this ` +
          `machine: check that the npm registry can be reached, and try again`,
      );
    }
  }
  return wanted;
}

/** Returns whether the C library of this machine is musl. */
export async function hasMusl(): Promise<boolean> {
  // A script of glibc or of musl, which names itself.
  return await Deno.readTextFile("/usr/bin/ldd")
    .then((script) => /musl/i.test(script), () => false);
}

/** Returns the Node of this machine, where the registry has none. */
export async function systemNode(): Promise<Tool[]> {
  for (const directory of Deno.env.get("PATH")?.split(":") ?? []) {
    const path = `${directory}/node`;
    const version = await versionOf(path);
    if (version === undefined) continue;
    const label = `node ${version.split(".")[0]}`;
    return [{ label, runtime: "node", version, path }];
  }
  return [];
}

/** Returns the name of the npm package that has a runtime's program. */
export function packageName(
  runtime: Tool["runtime"],
  { os, arch, libc }: ProgramPlatform,
): string {
  if (os !== "linux" && os !== "darwin") {
    throw new Error(
      `Fetching runtimes: expected Linux or macOS, found ${os}: the library ` +
        `can be imported there, but there is nothing to activate`,
    );
  }
  const machine = arch === "aarch64" ? "arm64" : "x64";
  switch (runtime) {
    case "deno":
      return `@deno/${os}-${machine}${os === "linux" ? "-glibc" : ""}`;
    case "bun":
      return `@oven/bun-${os}-${arch === "aarch64" ? arch : machine}` +
        (libc === "musl" ? "-musl" : "");
    case "node":
      return `node-${os}-${machine}`;
  }
}

/** Returns the version of a package that can't be run here. */
async function packedVersion(root: URL): Promise<string | undefined> {
  try {
    const manifest = new URL("package.json", root);
    return JSON.parse(await Deno.readTextFile(manifest)).version;
  } catch {
    return undefined;
  }
}

async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(path, {
      args: ["--version"],
      stderr: "null",
    }).output();
    if (!success) return undefined;
    // "1.2.3", "v1.2.3" or "deno 1.2.3 (…)"
    return /\d+\.\d+\.\d+/.exec(new TextDecoder().decode(stdout))?.[0];
  } catch {
    return undefined;
  }
}

/** Fetches npm packages into a directory. */
export async function fetchPackages(
  dependencies: Record<string, string>,
  directory: URL,
  what: string,
): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  const writeJson = (name: string, value: unknown) =>
    Deno.writeTextFile(
      new URL(name, directory),
      `${JSON.stringify(value, null, 2)}\n`,
    );
  // A configuration of its own, or Deno would use the project's.
  await writeJson("deno.json", { nodeModulesDir: "manual" });
  await writeJson("package.json", { private: true, dependencies });
  await runDeno(["install"], directory, what);
}

/** Runs Deno, showing progress. */
export async function runDeno(
  args: readonly string[],
  directory: URL,
  what: string,
): Promise<void> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: directory,
    stdin: "null",
  });
  const { success, stderr } = await showProgress(
    `Fetching ${what}`,
    command.output(),
  );
  if (!success) {
    throw new Error(
      `Fetching ${what} from the npm registry failed: ` +
        `${new TextDecoder().decode(stderr).trim()}: check that it can be ` +
        `reached, and try again`,
    );
  }
}
