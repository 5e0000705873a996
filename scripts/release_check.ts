/**
 * Checks what is published: builds the npm package with dnt, tests it as
 * `deno task test:package` does, and tests the package for JSR.
 *
 *     deno task release:check
 *
 * The exit status is 0 if everything is right, 1 if something is wrong, and 3
 * where JSR can't be reached: then nothing was built and nothing checked. The
 * result stays in `npm/`: a directory, and the tarball that was tested.
 */

import { fileURLToPath } from "node:url";
import { buildNpm } from "./build_npm.ts";
import { npmPack } from "./pack.ts";
import { packageToolchain, toolchain } from "./toolchain.ts";

const ROOT = new URL("../", import.meta.url);

/** The exit status where JSR can't be reached. */
const UNREACHABLE = 3;

async function main(): Promise<number> {
  try {
    await loadFromJsr();
  } catch (error) {
    const { message } = error as Error;
    if (!isUnreachable(message)) throw error;
    const [line] = message.split("\n");
    console.error(
      `release:check: Loading dnt from JSR: ${line} Nothing was checked: run ` +
        `it where JSR can be reached`,
    );
    return UNREACHABLE;
  }
  // Without JSR, `deno task check` leaves these types unknown.
  const types = ["check", "scripts/release_check.ts", "tests/release/"];
  if (!await deno(types)) return 1;
  const tarball = await buildTarball();
  console.log(`Built ${tarball}`);
  const checks = [
    ["run", "-A", "scripts/test.ts", "package", `--package=${tarball}`],
    ["test", "-A", "tests/release/"],
  ];
  for (const args of checks) if (!await deno(args)) return 1;
  return 0;
}

/** Loads what the build and the tests import from JSR. */
async function loadFromJsr(): Promise<void> {
  await import("@deno/dnt");
  await import("@std/assert");
  await import("@std/net");
}

/**
 * Tells a server that can't be reached, or that fails, from every other error of
 * Deno's loader: a name or a version that JSR doesn't have, or a wrong file.
 */
function isUnreachable(message: string): boolean {
  return /Import '[^']+' failed/.test(message);
}

/** Builds the tarball, the only one in `npm/`. */
async function buildTarball(): Promise<string> {
  const output = fileURLToPath(new URL("npm", ROOT));
  try {
    await Deno.remove(output, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const node = (await toolchain()).find(({ label }) => label === "node 24")!;
  const directory = await buildNpm();
  return await npmPack(directory, output, node, await packageToolchain());
}

async function deno(args: readonly string[]): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    stdin: "null",
  }).spawn().status;
  return success;
}

try {
  Deno.exit(await main());
} catch (error) {
  console.error(`release:check: ${(error as Error).message}`);
  Deno.exit(1);
}
