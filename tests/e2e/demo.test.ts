/** The demo that newcomers run, with both activators. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { HOSTS, Program, ROOT, SYSTEMD_ACTIVATE } from "./harness.ts";

const [deno] = HOSTS.find(({ label }) => label.endsWith(" -A"))!.command("");

for (const own of [false, true]) {
  const name = own ? "the project's own activator" : "systemd-socket-activate";
  const skip = !own && SYSTEMD_ACTIVATE === undefined &&
    "systemd-socket-activate is not installed";
  test(`the demo gets every answer with ${name}`, { skip }, async (t) => {
    const args = ["run", "-A", "scripts/demo.ts"];
    const demo = new Program(
      t,
      spawn(deno!, own ? [...args, "--own-activator"] : args, {
        cwd: ROOT,
        stdio: ["pipe", "pipe", "pipe"],
      }),
    );
    assert.equal(await demo.exited, 0, demo.stdout + demo.stderr);
    // Five rows for each of Deno, Bun and three times Node.
    assert.equal(demo.stdout.match(/ yes$/gm)?.length, 25, demo.stdout);
    assert.match(demo.stdout, own ? /main\.ts on Node/ : /systemd-socket-act/);
    assert.match(demo.stdout, /^Every answer is right$/m);
  });
}
