/**
 * The browser of the tests of the site: Debian's, which is installed where it is
 * missing.
 *
 * @module
 */

import { showProgress } from "../progress.ts";

const PROGRAM = "/usr/bin/chromium";

/** Returns the path of Chromium, which is installed on Debian if it is missing. */
export async function findChromium(): Promise<string> {
  if (await exists(PROGRAM)) return PROGRAM;
  if (!await exists("/usr/bin/apt-get") || Deno.uid() !== 0) {
    throw new Error(
      `Testing the site: expected a browser at ${PROGRAM}, found none: ` +
        `install it, on Debian with "apt-get install chromium" as root`,
    );
  }
  await showProgress("Installing chromium", install());
  return PROGRAM;
}

async function install(): Promise<void> {
  for (
    const args of [
      ["update", "--quiet=2"],
      ["install", "--quiet=2", "--yes", "--no-install-recommends", "chromium"],
    ]
  ) {
    const { success, stderr } = await new Deno.Command("apt-get", {
      args,
      env: { DEBIAN_FRONTEND: "noninteractive" },
      stdin: "null",
    }).output();
    if (success) continue;
    throw new Error(
      `Installing chromium failed: ${new TextDecoder().decode(stderr).trim()}`,
    );
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
