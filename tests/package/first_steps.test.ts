/**
 * The first steps of README.md, as they are written there: each command line, in
 * an empty directory, with an empty home and the packed package, under a real
 * systemd without `libnss-systemd`, which a minimal Debian doesn't have.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { forEachHost, ROOT, type Tool, TOOLS } from "../harness/hosts.ts";
import { CLEANUP, test } from "../harness/timed_test.ts";
import {
  type Machine,
  NO_MACHINE,
  useMachine,
} from "../systemd/machine/machine.ts";
import { NODE, PACKAGE_TOOLS } from "./project.ts";

const README = fs.readFileSync(path.join(ROOT, "README.md"), "utf8");
const REGISTRY = path.join(import.meta.dirname!, "registry_host.ts");
const CHECKOUT = "/opt/listenfds";

/** The programs of a minimal Debian that the steps use, or npm does. */
const PROGRAMS =
  "bash cat curl dirname env mkdir rm sed sh systemctl true uname";

const machine = useMachine();

/** Returns each code block of the first steps, without those of other runtimes. */
function stepsOn({ runtime }: Tool): string[] {
  const section = README.split("\n## Five minutes\n")[1]!.split("\n## ")[0]!;
  const blocks = [...section.matchAll(/^```sh\n([^]*?)^```$/gm)]
    .map(([, text]) => text!);
  const commands = { deno: "deno ", bun: "bunx ", node: "npx " };
  const own = commands[runtime];
  const others = Object.values(commands).filter((command) => command !== own);
  return blocks.filter((text) =>
    !others.some((command) =>
      text.includes(`${command}`) && !text.includes(own)
    )
  );
}

/** Starts the registry in the machine's network, and returns its address. */
async function startRegistry(t: TestContext): Promise<string> {
  const [program, ...args] = machine().enter("net");
  const registry = spawn(program!, [...args, NODE, REGISTRY], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(async () => {
    registry.kill();
    await once(registry, "close");
  }, CLEANUP);
  const [address] = await once(registry.stdout.setEncoding("utf8"), "data");
  return address.trimEnd();
}

/** Creates a directory for `PATH` that has one runtime, and little else. */
function addPrograms({ label, runtime }: Tool): string {
  const directory = `/opt/${label.replace(" ", "-")}/bin`;
  const outside = machine().file(directory);
  fs.mkdirSync(outside, { recursive: true });
  const link = (name: string, target: string) =>
    fs.symlinkSync(target, path.join(outside, name));
  for (const name of PROGRAMS.split(" ")) link(name, `/usr/bin/${name}`);
  link(runtime, `/usr/local/bin/${label.replace(" ", "-")}`);
  if (runtime === "bun") link("bunx", runtime);
  if (runtime !== "node") return directory;
  const tools = path.join(CHECKOUT, path.relative(ROOT, PACKAGE_TOOLS));
  for (const name of ["npm", "npx"]) {
    const script =
      `#!/bin/sh\nexec node '${tools}/npm/bin/${name}-cli.js' "$@"\n`;
    fs.writeFileSync(path.join(outside, name), script, { mode: 0o755 });
  }
  return directory;
}

/** Has a machine look up users in files only. */
function removeNssSystemd(machine: Machine): void {
  const file = machine.file("/etc/nsswitch.conf");
  fs.writeFileSync(file, "passwd: files\ngroup: files\nhosts: files\n");
}

/** Runs the steps in one shell, and returns the commands that failed. */
async function runSteps(
  steps: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ failed: string[]; stdout: string; output: string }> {
  const script = [
    `trap 'echo "FAILED $BASH_COMMAND" >&2' ERR`,
    ...steps,
  ].join("\n");
  const { stdout, stderr } = await machine().run(
    "env",
    ...[
      "-i",
      ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
    ],
    ...["bash", "-c", script],
  );
  const failed = [...stderr.matchAll(/^FAILED (.*)$/gm)].map(([, text]) =>
    text!
  );
  return { failed, stdout, output: stdout + stderr };
}

// npm takes seconds for each step, and the steps are the same on each Node.
const HOSTS = TOOLS.filter(({ label }) =>
  label !== "node 22" && label !== "node 26"
);

forEachHost(HOSTS, (tool) => {
  test(`${tool.label}: the first steps of README.md lead to a service`, {
    skip: NO_MACHINE,
  }, async (t) => {
    const steps = stepsOn(tool);
    assert.equal(steps.length, 5);
    const removal = steps.pop()!;
    removeNssSystemd(machine());
    const registry = await startRegistry(t);
    const home = `/run/home-${tool.label.replace(" ", "-")}`;
    fs.mkdirSync(machine().file(home));
    const env = {
      HOME: home,
      PATH: addPrograms(tool),
      NPM_CONFIG_REGISTRY: registry,
      BUN_CONFIG_REGISTRY: registry,
    };
    let isInstalled = true;
    const remove = async () => {
      isInstalled = false;
      return await runSteps([removal], env);
    };
    t.after(() => isInstalled ? remove() : undefined, CLEANUP);

    const { failed, stdout, output } = await runSteps(steps, env);
    // The shell returns the status of the program that was ended.
    assert.deepEqual(
      failed.filter((command) => command !== "wait"),
      [],
      output,
    );
    assert.deepEqual(
      stdout.match(/^hello from .*$/gm),
      ["hello from /world", "hello from /world", "hello from /again"],
      output,
    );
    const shown = await machine().systemctl("show", "hello.service");
    assert.match(shown, /^ActiveState=active$/m);
    assert.match(shown, /^DynamicUser=yes$/m);
    const pid = await machine().mainPid("hello.service");
    assert.match(
      fs.readlinkSync(machine().file(`/proc/${pid}/exe`)),
      new RegExp(tool.runtime),
    );

    const removed = await remove();
    assert.deepEqual(removed.failed, [], removed.output);
    const left = await machine().run("systemctl", "list-unit-files", "hello*");
    assert.match(left.stdout, /^0 unit files listed/m);
    assert.ok(!fs.existsSync(machine().file("/opt/hello")));
  });
});
