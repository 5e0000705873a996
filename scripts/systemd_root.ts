/**
 * Another systemd than that of this machine, for the tests: Debian's packages,
 * unpacked where `tests/systemd/machine/machine.sh` puts their `/usr` over the
 * machine's own.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What systemd needs that another Debian has in another version, libc included. */
const PACKAGES = [
  "systemd",
  "libsystemd-shared",
  "libsystemd0",
  "libacl1",
  "libapparmor1",
  "libaudit1",
  "libblkid1",
  "libc6",
  "libcap-ng0",
  "libcap2",
  "libcrypt1",
  "libgcrypt20",
  "libgpg-error0",
  "libkmod2",
  "liblz4-1",
  "liblzma5",
  "libmount1",
  "libpam0g",
  "libpcre2-8-0",
  "libseccomp2",
  "libselinux1",
  "libssl3t64",
  "libudev1",
  "libzstd1",
  "zlib1g",
];

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * Fetches the systemd of a Debian, once.
 *
 * @param suite The name of the Debian, such as `trixie`.
 * @param toolchain The directory that keeps it. Default: that of the runtimes.
 * @returns The directory that has its `/usr`, or the reason why there is none.
 */
export async function fetchSystemd(
  suite: string,
  toolchain: string = fileURLToPath(new URL("../.toolchain", import.meta.url)),
): Promise<{ readonly usr: string } | { readonly reason: string }> {
  const root = join(toolchain, `systemd-${suite}`);
  const usr = join(root, "usr");
  if (await exists(usr)) return { usr };
  if (!await exists(KEYRING)) return { reason: "apt of Debian is missing" };
  const work = await Deno.makeTempDir({ prefix: "listenfds-systemd-" });
  try {
    await download(suite, work);
    const unpacked = join(work, "root");
    for await (const { name } of Deno.readDir(work)) {
      if (!name.endsWith(".deb")) continue;
      await run("dpkg-deb", ["--extract", join(work, name), unpacked], work);
    }
    await Deno.mkdir(toolchain, { recursive: true });
    // In one step, so that nothing incomplete is taken for it.
    await run("mv", [unpacked, root], work);
    return { usr };
  } catch (error) {
    return { reason: (error as Error).message };
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Downloads the packages with lists of their own, and checks their signatures. */
async function download(suite: string, work: string): Promise<void> {
  const list = join(work, "sources.list");
  const mirror = await findMirror(work);
  await Deno.writeTextFile(
    list,
    `deb [signed-by=${KEYRING}] ${mirror} ${suite} main\n`,
  );
  for (const directory of ["lists/partial", "cache/archives/partial"]) {
    await Deno.mkdir(join(work, directory), { recursive: true });
  }
  const options = [
    "--quiet=2",
    `--option=Dir::Etc::sourcelist=${list}`,
    "--option=Dir::Etc::sourceparts=-",
    `--option=Dir::State::lists=${join(work, "lists")}`,
    `--option=Dir::Cache=${join(work, "cache")}`,
    "--option=Dir::State::status=/dev/null",
    "--option=APT::Sandbox::User=root",
  ];
  await run("apt-get", [...options, "update"], work);
  await run("apt-get", [...options, "download", ...PACKAGES], work);
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
