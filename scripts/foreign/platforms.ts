/**
 * Other platforms than that of this machine, on which the tests run: arm64 under
 * qemu's user emulation, and musl. Nothing is installed on this machine: what
 * they need is fetched once into `.toolchain`, and is seen only in the namespaces
 * that `enter.sh` makes.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fetchDebian, type Fetched } from "../debian.ts";
import { foreignToolchain, type Tool } from "../toolchain.ts";

/** A platform to test on. */
export interface ForeignPlatform {
  readonly label: string;
  /** The command that the command lines of its programs follow. */
  readonly enter: readonly string[];
  /** Its programs run in the namespaces only. */
  readonly tools: readonly Tool[];
  /** Whether its programs are emulated, and so run slowly. */
  readonly isEmulated: boolean;
}

/** A platform, or the reason why it can't be tested here. */
export type PlatformResult = ForeignPlatform | { readonly reason: string };

const DIRECTORY = fileURLToPath(new URL("./", import.meta.url));
const TOOLCHAIN = fileURLToPath(new URL("../../.toolchain/", import.meta.url));

/** The Debian whose libraries, emulator and musl are used. */
const SUITE = "trixie";
/** A Debian whose libstdc++ needs little that musl lacks. */
const LIBSTDCXX_SUITE = "bookworm";

/** Returns the names of the platforms. */
export function foreignPlatforms(): string[] {
  return Object.keys(PLATFORMS);
}

/** The programs of this machine, with those of other service managers. */
export async function prepareManagers(
  tools: readonly Tool[],
): Promise<PlatformResult> {
  return await tryPlatform(async () => {
    const root = rootOf(
      await fetchDebian({
        name: "managers",
        packages: ["s6", "runit", "supervisor", "openbsd-inetd"],
        withDependencies: true,
      }),
    );
    const enter = enterCommand({ usr: join(root, "usr") });
    return { label: "managers", enter, tools, isEmulated: false };
  });
}

/** The programs of this machine, where every path and port is free. */
export async function prepareNamespaces(
  tools: readonly Tool[],
): Promise<PlatformResult> {
  return await tryPlatform(() =>
    Promise.resolve({
      label: "units of Debian",
      enter: enterCommand({}),
      tools,
      isEmulated: false,
    })
  );
}

/** Prepares a platform; its programs are fetched where they are missing. */
export async function preparePlatform(name: string): Promise<PlatformResult> {
  return await tryPlatform(PLATFORMS[name]!);
}

async function tryPlatform(
  prepare: () => Promise<ForeignPlatform>,
): Promise<PlatformResult> {
  try {
    const platform = await prepare();
    const probe = [...platform.enter, platform.tools[0]!.path, "--version"];
    const { success, stderr } = await execute(probe);
    return success ? platform : {
      reason: `needs root or namespaces of users, and Linux 6.7: ${stderr}`,
    };
  } catch (error) {
    return { reason: (error as Error).message };
  }
}

const PLATFORMS: Record<string, () => Promise<ForeignPlatform>> = {
  arm64: prepareArm64,
  musl: prepareMusl,
};

/** Programs for arm64, with their libraries beside those of this machine. */
async function prepareArm64(): Promise<ForeignPlatform> {
  requireX64("arm64");
  const libraries = rootOf(
    await fetchDebian({
      name: "arm64-libraries",
      suite: SUITE,
      architecture: "arm64",
      packages: ["libc6", "libgcc-s1", "libstdc++6", "libatomic1"],
    }),
  );
  const emulator = rootOf(
    await fetchDebian({
      name: "arm64-emulator",
      suite: SUITE,
      packages: ["qemu-user"],
    }),
  );
  return {
    label: "arm64",
    enter: enterCommand({
      usr: join(libraries, "usr"),
      emulator: join(emulator, "usr/bin/qemu-aarch64"),
    }),
    tools: await foreignToolchain("arm64", {
      os: "linux",
      arch: "aarch64",
      libc: "glibc",
    }),
    isEmulated: true,
  };
}

/**
 * Programs for musl. Bun needs libstdc++ and libgcc, which Debian has for glibc
 * only: `musl_adapter.c` has the few functions that they need of it.
 */
async function prepareMusl(): Promise<ForeignPlatform> {
  requireX64("musl");
  const musl = rootOf(
    await fetchDebian({ name: "musl", suite: SUITE, packages: ["musl"] }),
  );
  const libraries = rootOf(
    await fetchDebian({
      name: "musl-libraries",
      suite: LIBSTDCXX_SUITE,
      packages: ["libstdc++6", "libgcc-s1"],
    }),
  );
  const root = join(TOOLCHAIN, "musl/root");
  const lib = join(root, "lib");
  const etc = join(root, "etc");
  await Deno.mkdir(lib, { recursive: true });
  await Deno.mkdir(etc, { recursive: true });
  const [from] = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map(
    (directory) => join(libraries, directory),
  ) as [string, string];
  await Deno.copyFile(
    join(from, "libstdc++.so.6"),
    join(lib, "libstdc++.so.6"),
  );
  await Deno.copyFile(
    join(libraries, "lib/x86_64-linux-gnu/libgcc_s.so.1"),
    join(lib, "libgcc_s.so.1"),
  );
  await compileAdapter(join(lib, "ld-linux-x86-64.so.2"));
  await Deno.writeTextFile(join(etc, "ld-musl-x86_64.path"), `${lib}\n`);
  return {
    label: "musl",
    enter: enterCommand({ usr: join(musl, "usr"), etc }),
    tools: await foreignToolchain("musl", {
      os: "linux",
      arch: "x86_64",
      libc: "musl",
    }),
    isEmulated: false,
  };
}

async function compileAdapter(library: string): Promise<void> {
  const { success, stderr } = await execute([
    "gcc",
    ..."-std=c11 -Wall -Wextra -Werror -O1 -U_FORTIFY_SOURCE".split(" "),
    ..."-fPIC -shared -nostdlib -fno-stack-protector".split(" "),
    "-o",
    library,
    join(DIRECTORY, "musl_adapter.c"),
  ]);
  if (!success) throw new Error(`needs gcc: ${stderr}`);
}

function enterCommand(
  { usr = "-", etc = "-", emulator = "-" }: {
    usr?: string;
    etc?: string;
    emulator?: string;
  },
): string[] {
  return ["sh", join(DIRECTORY, "enter.sh"), usr, etc, emulator];
}

function requireX64(name: string): void {
  const { os, arch } = Deno.build;
  if (os === "linux" && arch === "x86_64") return;
  throw new Error(
    `needs Linux on x86_64, found ${os} on ${arch}: on ${name} itself, run ` +
      `deno task test`,
  );
}

function rootOf(fetched: Fetched): string {
  if ("root" in fetched) return fetched.root;
  throw new Error(fetched.reason);
}

/** Runs a program; a missing one has failed, too. */
async function execute(
  [program, ...args]: readonly string[],
): Promise<{ success: boolean; stderr: string }> {
  try {
    const { success, stderr } = await new Deno.Command(program!, {
      args,
      stdin: "null",
    }).output();
    const lines = new TextDecoder().decode(stderr).trim().split("\n");
    return { success, stderr: lines.at(-1)! };
  } catch (error) {
    return { success: false, stderr: (error as Error).message };
  }
}
