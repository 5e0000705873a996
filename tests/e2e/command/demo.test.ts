/** The demo that newcomers run, with both activators. */

import assert from "node:assert/strict";
import { hostsWith, ROOT } from "../../harness/hosts.ts";
import {
  NO_SYSTEMD_ACTIVATE,
  SYSTEMD_ACTIVATE,
} from "../../harness/machine_tools.ts";
import { startProgram } from "../../harness/program.ts";
import { test } from "../../harness/timed_test.ts";

const [deno] = hostsWith({ runtime: "deno" })[0]!.command("");

for (const systemd of [false, true]) {
  const name = systemd ? SYSTEMD_ACTIVATE : "listenfds run";
  const skip = systemd && NO_SYSTEMD_ACTIVATE;
  test(`the demo gets every answer with ${name}`, { skip }, async (t) => {
    const args = ["run", "-A", "scripts/demo.ts"];
    const command = [deno!, ...args, ...systemd ? ["--systemd"] : []];
    const demo = startProgram(t, command, { cwd: ROOT });
    assert.equal(await demo.exited, 0, demo.output);
    // Five rows for each of Deno, Bun and three times Node.
    assert.equal(demo.stdout.match(/ yes$/gm)?.length, 25, demo.stdout);
    assert.ok(demo.stdout.startsWith(`Activator: ${name}\n`), demo.stdout);
    assert.match(demo.stdout, /^Every answer is right$/m);
  });
}
