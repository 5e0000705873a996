/**
 * The package, installed into empty projects as its users do it: a service is
 * really activated there and asked over HTTP, on every runtime.
 */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { request } from "../harness/client.ts";
import {
  DENO_PERMISSIONS,
  forEachHost,
  ROOT,
  TOOLS,
} from "../harness/hosts.ts";
import { startActivated } from "../harness/program.ts";
import { bindSockets } from "../harness/sockets.ts";
import { test } from "../harness/timed_test.ts";
import {
  bunProject,
  copyConsumer,
  denoProject,
  MANIFEST,
  NODE,
  npmProject,
  run,
  succeed,
} from "./project.ts";

const NODES = TOOLS.filter(({ runtime }) => runtime === "node");
const BUN = TOOLS.find(({ runtime }) => runtime === "bun")!;
const DENO = TOOLS.find(({ runtime }) => runtime === "deno")!;

/** How a service is started. */
interface Service {
  readonly command: readonly string[];
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Activates a service with a socket of each name, and asks each of them. */
async function assertServes(
  t: TestContext,
  { command, folder, env = {} }: Service,
  names: readonly string[],
): Promise<void> {
  const specs = names.map((name) => `${name}=tcp:127.0.0.1:0`);
  // The shell that starts it goes there first: descriptors are inherited so.
  const shell = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', folder];
  const { program, ports } = await bindSockets(specs, (sockets) => ({
    program: startActivated(t, [...shell, ...command], sockets, env),
    ports: sockets.map(({ port }) => port!),
  }));
  for (const [index, port] of ports.entries()) {
    const { status, body } = await program.whileRunning(
      "an answer",
      request({ host: "127.0.0.1", port }),
    );
    assert.deepEqual(
      { status, body },
      { status: 200, body: `hello from ${names[index]}\n` },
    );
  }
  assert.equal(await program.terminate(), 0, program.stderr);
  assert.equal(program.stderr, "");
}

forEachHost(NODES, (node) => {
  test(`${node.label}: a service imports the installed package`, async (t) => {
    const folder = await npmProject(t, { files: ["service.mjs"] });
    const command = [node.path, "service.mjs"];
    await assertServes(t, { command, folder }, ["neutral", "node"]);
  });

  test(`${node.label}: a service requires the installed package`, async (t) => {
    const files = ["service.cjs"];
    const folder = await npmProject(t, { type: "commonjs", files });
    const command = [node.path, "service.cjs"];
    await assertServes(t, { command, folder }, ["neutral", "node"]);
  });
});

test("a program that holds the package several times has one activation", async (t) => {
  const folder = await npmProject(t, { files: ["both.mjs"] });
  const modules = path.join(folder, "node_modules");
  const copy = path.join(modules, "listenfds-copy");
  fs.cpSync(path.join(modules, MANIFEST.name), copy, { recursive: true });
  const command = [NODE, "both.mjs"];
  const names = ["imported", "required", "copied"];
  await assertServes(t, { command, folder }, names);
});

test("bun: a script imports the package that bun added", async (t) => {
  const files = ["service.mjs"];
  const folder = await bunProject(t, BUN, { files });
  const command = [BUN.path, "service.mjs"];
  await assertServes(t, { command, folder }, ["neutral", "node", "bun"]);
});

for (const from of ["registry", "folder"] as const) {
  const title = from === "registry" ? "through npm:" : "from a local path";
  test(`deno: a service imports the package ${title}`, async (t) => {
    const { folder, env } = await denoProject(t, from, ["service.mjs"]);
    const command = [DENO.path, "run", ...DENO_PERMISSIONS, "service.mjs"];
    // Fetched before, and started as a unit does.
    const install = ["install", "--entrypoint", "service.mjs"];
    await succeed(DENO.path, install, folder, env);
    copyConsumer("neutral.ts", folder);
    copyConsumer("deno.ts", folder);
    const check = ["check", "--all", "neutral.ts", "deno.ts"];
    await succeed(DENO.path, check, folder, env);
    await assertServes(t, { command, folder, env }, ["neutral", "node"]);
    const all = [DENO.path, "run", "-A", "--cached-only", "service.mjs"];
    const names = ["deno", "neutral"];
    await assertServes(t, { command: all, folder, env }, names);
  });
}

test("deno: a service imports the package through jsr:", async (t) => {
  const { folder, env } = await denoProject(t, "registry", ["service.mjs"]);
  const { name, version } = MANIFEST;
  fs.writeFileSync(
    path.join(folder, "deno.json"),
    JSON.stringify({
      links: [ROOT],
      imports: { [name]: `jsr:${name}@${version}` },
    }),
  );
  const command = [DENO.path, "run", "-A", "--quiet", "service.mjs"];
  await assertServes(t, { command, folder, env }, ["deno", "neutral", "node"]);
});

test("npm installs the command", async (t) => {
  const folder = await npmProject(t, { files: [] });
  copyConsumer("service.mjs", folder);
  const [name] = Object.keys(MANIFEST.bin);
  assert.equal(name, "listenfds");
  for (const { path: program } of [...NODES, BUN]) {
    const command = path.join(folder, "node_modules/.bin", name!);
    const { output } = await run(program, [command, "--help"], folder);
    assert.match(output, /^(?:listenfds|usage)\b/i);
  }
});
