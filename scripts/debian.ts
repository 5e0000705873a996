/**
 * Debian's packages for the tests: fetched once, checked by apt, and unpacked
 * into `.toolchain`. Nothing is installed on this machine.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Packages to unpack into one directory. */
export interface PackageSet {
  /** The name of the directory. */
  readonly name: string;
  /**
   * The name of a Debian, such as `trixie`. By default the release of this
   * machine, whose packages fit its libraries.
   */
  readonly suite?: string;
  /** Their architecture, as Debian names it. Default: that of this machine. */
  readonly architecture?: string;
  readonly packages: readonly string[];
  /** Fetch what they depend on, too, except what this machine has. */
  readonly withDependencies?: boolean;
  /** The only paths to keep of each, such as `usr/lib/systemd`. Default: all. */
  readonly paths?: readonly string[];
}

/** The directory of the unpacked packages, or the reason why there is none. */
export type Fetched = { readonly root: string } | { readonly reason: string };

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const TOOLCHAIN = fileURLToPath(new URL("../.toolchain", import.meta.url));

/**
 * Fetches packages where that has not been done.
 *
 * @param toolchain The directory that keeps them. Default: that of the runtimes.
 */
export async function fetchDebian(
  set: PackageSet,
  toolchain: string = TOOLCHAIN,
): Promise<Fetched> {
  const hash = createHash("sha256").update(JSON.stringify(set)).digest("hex");
  const root = join(toolchain, "debian", `${set.name}-${hash.slice(0, 8)}`);
  if (await exists(root)) return { root };
  if (!await exists(KEYRING)) {
    return { reason: "needs apt with the packages of Debian" };
  }
  await Deno.mkdir(join(toolchain, "debian"), { recursive: true });
  const work = await Deno.makeTempDir({
    dir: join(toolchain, "debian"),
    prefix: ".fetching-",
  });
  console.log(`Fetching Debian's packages of ${set.name} (once) …`);
  try {
    const unpacked = join(work, "root");
    await Deno.mkdir(unpacked);
    for (const file of await download(set, work)) {
      await unpack(file, unpacked, set.paths);
    }
    // In one step, so that nothing incomplete is taken for it.
    await run("mv", ["--no-target-directory", unpacked, root], work);
    return { root };
  } catch (error) {
    return { reason: (error as Error).message };
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function unpack(
  file: string,
  root: string,
  paths: readonly string[] | undefined,
): Promise<void> {
  if (paths === undefined) {
    await run("dpkg-deb", ["--extract", file, root], root);
    return;
  }
  const whole = `${file}.whole`;
  await run("dpkg-deb", ["--extract", file, whole], root);
  for (const path of paths) {
    if (!await exists(join(whole, path))) continue;
    await run("cp", ["--archive", "--parents", path, root], whole);
  }
  await Deno.remove(whole, { recursive: true });
}

/** Downloads with lists of its own; returns the paths of the files. */
async function download(set: PackageSet, work: string): Promise<string[]> {
  const archives = join(work, "cache/archives");
  for (const directory of ["lists/partial", "cache/archives/partial"]) {
    await Deno.mkdir(join(work, directory), { recursive: true });
  }
  const options = [
    "--quiet=2",
    "--no-install-recommends",
    `--option=Dir::State::lists=${join(work, "lists")}`,
    `--option=Dir::Cache=${join(work, "cache")}`,
    "--option=APT::Sandbox::User=root",
    ...await sourceOptions(set, work),
  ];
  await run("apt-get", [...options, "update"], work);
  const suffix = set.architecture === undefined ? "" : `:${set.architecture}`;
  const names = set.packages.map((name) => `${name}${suffix}`);
  const action = set.withDependencies
    // Not locked, because nothing of this machine is changed.
    ? ["--option=Debug::NoLocking=1", "--yes", "--download-only", "install"]
    : ["download"];
  const cwd = set.withDependencies ? work : archives;
  await run("apt-get", [...options, ...action, ...names], cwd);
  const entries = await Array.fromAsync(Deno.readDir(archives));
  return entries.map(({ name }) => join(archives, name))
    .filter((path) => path.endsWith(".deb"));
}

/** Returns apt's options for another release or another architecture. */
async function sourceOptions(
  { suite, architecture }: PackageSet,
  work: string,
): Promise<string[]> {
  if (suite === undefined) return [];
  const list = join(work, "sources.list");
  await Deno.writeTextFile(
    list,
    `deb [signed-by=${KEYRING}] ${await findMirror(work)} ${suite} main\n`,
  );
  return [
    `--option=Dir::Etc::sourcelist=${list}`,
    "--option=Dir::Etc::sourceparts=-",
    "--option=Dir::State::status=/dev/null",
    ...(architecture === undefined
      ? []
      : [`--option=APT::Architectures::=${architecture}`]),
  ];
}

/** Finds where this machine has Debian's packages from, which has all suites. */
async function findMirror(work: string): Promise<string> {
  const args = ["indextargets", "--format", "$(REPO_URI)"];
  const mirrors = (await run("apt-get", args, work)).split("\n");
  const mirror = mirrors.find((uri) => /\/debian\/?$/.test(uri));
  if (mirror === undefined) {
    throw new Error("apt has no source of Debian's packages");
  }
  return mirror;
}

/** Runs a program, and returns what it wrote. */
async function run(
  program: string,
  args: readonly string[],
  cwd: string,
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd,
    stdin: "null",
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  const reason = new TextDecoder().decode(stderr).trim().split("\n").at(-1);
  throw new Error(`${program} failed: ${reason}`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
