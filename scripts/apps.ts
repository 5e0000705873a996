/**
 * The programs of frameworks that tests run unmodified. `tests/apps` has their
 * sources and the versions of their packages. Each is installed from the npm
 * registry and built once, into `.toolchain/apps`, and again after a change.
 */

import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Tool } from "./toolchain.ts";

/** The programs that the everyday tests run, too: their builds are fast. */
export const EVERYDAY_APPS: readonly string[] = ["nitro", "sveltekit"];

const SOURCES = fileURLToPath(new URL("../tests/apps", import.meta.url));
const DIRECTORY = fileURLToPath(
  new URL("../.toolchain/apps", import.meta.url),
);
/** What the handlers of all of them call. */
const WORK = fileURLToPath(
  new URL("../tests/systemd/load/work.ts", import.meta.url),
);
/** In an installed program, a hash of what it was made of. */
const MARK = ".installed";

/**
 * Installs and builds programs where that has not been done.
 *
 * @param names The directories in `tests/apps`; by default, all.
 * @returns The directory that has a directory for each program.
 */
export async function installApps(
  tools: readonly Tool[],
  names?: readonly string[],
): Promise<string> {
  for (const name of names ?? await appNames()) {
    let installed = installing.get(name);
    if (installed === undefined) {
      installed = installApp(tools, name);
      installing.set(name, installed);
    }
    await installed;
  }
  return DIRECTORY;
}

/**
 * Returns an environment with the directory of programs, which are installed beside
 * what else happens.
 */
export function appsEnvironment(
  tools: readonly Tool[],
  env: Readonly<Record<string, string>>,
  names?: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const installed = installApps(tools, names)
    .then((directory) => ({ ...env, LISTENFDS_APPS: directory }));
  // A failure is one of the run that awaits it.
  installed.catch(() => {});
  return installed;
}

/** Several suites may need the same programs. */
const installing = new Map<string, Promise<void>>();

async function appNames(): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(SOURCES));
  return entries.filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => name)
    .sort();
}

async function installApp(
  tools: readonly Tool[],
  name: string,
): Promise<void> {
  const source = join(SOURCES, name);
  const target = join(DIRECTORY, name);
  const mark = await hashFiles([...await filesIn(source), WORK]);
  const found = await Deno.readTextFile(join(target, MARK)).catch(() => "");
  if (found === mark) return;
  console.log(`Installing and building ${name} (once) …`);
  await Deno.remove(target, { recursive: true }).catch(() => {});
  for (const file of await filesIn(source)) {
    const copy = join(target, file.slice(source.length));
    await Deno.mkdir(dirname(copy), { recursive: true });
    await Deno.copyFile(file, copy);
  }
  await Deno.copyFile(WORK, join(target, "work.ts"));
  const bun = tools.find(({ runtime }) => runtime === "bun")!;
  const node = tools.find(({ label }) => label === "node 24")!;
  await run(bun, ["install"], target, node);
  const manifest = JSON.parse(
    await Deno.readTextFile(join(target, "package.json")),
  );
  if (manifest.scripts?.build !== undefined) {
    await run(bun, ["run", "build"], target, node);
  }
  await Deno.writeTextFile(join(target, MARK), mark);
}

async function filesIn(directory: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = join(directory, name);
    if (isDirectory) files.push(...await filesIn(path));
    else files.push(path);
  }
  return files.sort();
}

async function hashFiles(files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) {
    hash.update(`${file.slice(SOURCES.length)}\0`);
    hash.update(await Deno.readFile(file));
  }
  return hash.digest("hex");
}

/** Runs Bun, and shows what it wrote only if it fails. */
async function run(
  { path }: Tool,
  args: readonly string[],
  cwd: string,
  node: Tool,
): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(path, {
    args: [...args],
    cwd,
    env: {
      // The commands of the packages run on Node.
      PATH: `${dirname(node.path)}:${dirname(path)}:${Deno.env.get("PATH")}`,
      NO_COLOR: "1",
      CI: "1",
      ASTRO_TELEMETRY_DISABLED: "1",
      NEXT_TELEMETRY_DISABLED: "1",
      NUXT_TELEMETRY_DISABLED: "1",
    },
    stdin: "null",
  }).output();
  if (success) return;
  const [out, errors] = [stdout, stderr].map((bytes) =>
    new TextDecoder().decode(bytes)
  );
  throw new Error(
    `Installing ${cwd}: "bun ${args.join(" ")}" failed: check that the npm ` +
      `registry can be reached, and try again:\n${errors}${out}`,
  );
}
