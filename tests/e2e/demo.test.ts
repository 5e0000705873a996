/** The demo that newcomers run, with both activators. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { HOSTS, Program, ROOT, SYSTEMD_ACTIVATE } from "./harness.ts";

const [deno] = HOSTS.find(({ label }) => label.endsWith(" -A"))!.command("");

for (const systemd of [false, true]) {
  const name = systemd ? "systemd-socket-activate" : "listenfds run";
  const skip = systemd && SYSTEMD_ACTIVATE === undefined &&
    "systemd-socket-activate is not installed";
  test(`the demo gets every answer with ${name}`, { skip }, async (t) => {
    const args = ["run", "-A", "scripts/demo.ts"];
    const demo = new Program(
      t,
      spawn(deno!, systemd ? [...args, "--systemd"] : args, {
        cwd: ROOT,
        stdio: ["pipe", "pipe", "pipe"],
      }),
    );
    assert.equal(await demo.exited, 0, demo.stdout + demo.stderr);
    // Five rows for each of Deno, Bun and three times Node.
    assert.equal(demo.stdout.match(/ yes$/gm)?.length, 25, demo.stdout);
    assert.ok(demo.stdout.startsWith(`Activator: ${name}\n`), demo.stdout);
    assert.match(demo.stdout, /^Every answer is right$/m);
  });
}
