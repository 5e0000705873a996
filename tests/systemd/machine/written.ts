/** Units that the command `listenfds unit` writes, in a machine. */

import assert from "node:assert/strict";
import fs from "node:fs";
import type { TestContext } from "node:test";
import { CLEANUP } from "../../harness/timed_test.ts";
import type { Machine } from "./machine.ts";

const COMMAND = "/opt/listenfds/src/cli/bin.ts";
/** The directory of units in a machine. */
export const UNITS = "/etc/systemd/system";

/**
 * Writes units as the command does, has systemd verify them, and starts the
 * sockets. All is stopped and removed after the test.
 *
 * @param args The arguments of the command; the name of the service first.
 * @returns The names of the units.
 */
export async function installWritten(
  t: TestContext,
  machine: Machine,
  args: readonly string[],
): Promise<string[]> {
  const written = await machine.run(
    "/usr/local/bin/node",
    ...[
      COMMAND,
      "unit",
      ...args.slice(0, 1),
      `--output=${UNITS}`,
      ...args.slice(1),
    ],
  );
  assert.equal(written.status, 0, written.stderr);
  assert.equal(written.stderr, "", "nothing is to be looked at again");
  const paths = written.stdout.trimEnd().split("\n");
  const names = paths.map((path) => path.slice(UNITS.length + 1));
  const sockets = names.filter((name) => name.endsWith(".socket"));
  t.after(async () => {
    const all = names.map((name) => name.replace("@.", "@*."));
    await machine.run("systemctl", "stop", ...sockets);
    await machine.run("systemctl", "stop", ...all);
    await machine.run("systemctl", "reset-failed", ...all);
    if (!(t as { passed?: boolean }).passed) {
      for (const name of all) {
        t.diagnostic(`${name}:\n${await machine.journal(name)}`);
      }
    }
    for (const path of paths) fs.rmSync(machine.file(path));
    await machine.systemctl("daemon-reload");
  }, CLEANUP);
  const verified = await machine.run("systemd-analyze", "verify", ...paths);
  assert.deepEqual(verified, { status: 0, stdout: "", stderr: "" });
  await machine.systemctl("daemon-reload");
  await machine.systemctl("start", ...sockets);
  return names;
}
