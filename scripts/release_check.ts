/**
 * Checks what is published: builds the npm package with dnt, tests it as
 * `deno task test:package` does, and tests the package for JSR.
 *
 *     deno task release:check
 *
 * The exit status is 0 if all is right, 1 if something is wrong, and 3 where JSR
 * can't be reached: then nothing was built and nothing checked. What was built
 * stays in `npm/`: a directory, and the tarball that was tested.
 */

import { fileURLToPath } from "node:url";
import { buildNpm, DNT } from "./build_npm.ts";
import { npmPack } from "./pack.ts";
import { packageToolchain, toolchain } from "./toolchain.ts";

const ROOT = new URL("../", import.meta.url);

/** Where JSR can't be reached. */
const NOT_CHECKED = 3;

async function main(): Promise<number> {
  const problem = await whyNoDnt();
  if (problem !== undefined) {
    console.error(`release:check: nothing was checked: ${problem}`);
    return NOT_CHECKED;
  }
  const node = (await toolchain()).find(({ label }) => label === "node 24")!;
  const directory = await buildNpm();
  const output = fileURLToPath(new URL("npm", ROOT));
  const tarball = await npmPack(
    directory,
    output,
    node,
    await packageToolchain(),
  );
  console.log(`Built ${tarball}`);
  const checks = [
    ["run", "-A", "scripts/test.ts", "package", `--package=${tarball}`],
    ["test", "-A", "--no-config", "--no-lock", "--no-check", "tests/release/"],
  ];
  for (const args of checks) if (!await deno(args)) return 1;
  return 0;
}

/** Why dnt can't be loaded, in a line. */
async function whyNoDnt(): Promise<string | undefined> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--no-config", "--no-lock", "--quiet", DNT],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  if (success) return undefined;
  const [line = ""] = new TextDecoder().decode(stderr).trim().split("\n");
  return `${DNT} can't be loaded: ${line.replace(/^error: /, "")}`;
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
