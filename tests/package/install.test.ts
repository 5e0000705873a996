/**
 * The package, installed into empty projects as its users do it: a service is
 * really activated there and asked over HTTP, on every runtime.
 */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { request } from "../harness/client.ts";
import {
  DENO_PERMISSIONS,
  forEachHost,
  ROOT,
  type Tool,
  TOOLS,
} from "../harness/hosts.ts";
import { temporaryDirectory } from "../harness/machine_tools.ts";
import { type Program, startActivated } from "../harness/program.ts";
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

/** The command line of a service, and where it runs. */
interface Service {
  readonly command: readonly string[];
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Activates a service with a socket of each name. */
function startService(
  t: TestContext,
  { command, directory, env = {} }: Service,
  names: readonly string[],
): Promise<{ readonly program: Program; readonly ports: readonly number[] }> {
  const specs = names.map((name) => `${name}=tcp:127.0.0.1:0`);
  // The shell that starts it goes there first: descriptors are inherited so.
  const shell = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', directory];
  return bindSockets(specs, (sockets) => ({
    program: startActivated(t, [...shell, ...command], sockets, env),
    ports: sockets.map(({ port }) => port!),
  }));
}

/** Activates a service with a socket of each name, and asks each of them. */
async function assertServes(
  t: TestContext,
  service: Service,
  names: readonly string[],
): Promise<void> {
  const { program, ports } = await startService(t, service, names);
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
    const directory = await npmProject(t, { files: ["service.mjs"] });
    const command = [node.path, "service.mjs"];
    await assertServes(t, { command, directory }, ["neutral", "node"]);
  });

  test(`${node.label}: a service requires the installed package`, async (t) => {
    const files = ["service.cjs"];
    const directory = await npmProject(t, { type: "commonjs", files });
    const command = [node.path, "service.cjs"];
    await assertServes(t, { command, directory }, ["neutral", "node"]);
  });
});

/** A program that knows nothing of the package. */
const UNMODIFIED = `require("node:http").createServer((_, response) =>
  response.end("hello from web\\n")).listen(3000);`;
const PRELOAD = `${MANIFEST.name}/preload`;

/** Where the package is in a project, and the file of an entry point there. */
function preloadFile(directory: string, condition: "import" | "require") {
  const { default: file } = MANIFEST.exports["./preload"]![condition] as {
    readonly default: string;
  };
  return path.join(directory, "node_modules", MANIFEST.name, file);
}

/** Runs a program with a preload, with `/` as its working directory. */
async function assertPreloads(
  t: TestContext,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
  directory = "/",
): Promise<void> {
  const service = {
    command,
    directory,
    env: { ...env, LISTENFDS_MAP: "web=3000" },
  };
  await assertServes(t, service, ["web"]);
}

forEachHost(NODES, (node) => {
  test(`${node.label}: the preload of the installed package serves a program`, async (t) => {
    const directory = await npmProject(t, { type: "commonjs", files: [] });
    const program = path.join(directory, "app.cjs");
    fs.writeFileSync(program, UNMODIFIED);
    const imported = preloadFile(directory, "import");
    const required = preloadFile(directory, "require");
    await assertPreloads(t, [node.path, "--import", imported, program]);
    await assertPreloads(t, [node.path, "--require", required, program]);
    await assertPreloads(t, [node.path, program], {
      NODE_OPTIONS: `--import=${imported}`,
    });
    const named = [node.path, "--import", PRELOAD, "app.cjs"];
    await assertPreloads(t, named, {}, directory);
  });
});

test("bun: the preload of the installed package serves a program", async (t) => {
  const directory = await bunProject(t, BUN, { type: "commonjs", files: [] });
  const program = path.join(directory, "app.cjs");
  fs.writeFileSync(program, UNMODIFIED);
  const preload = preloadFile(directory, "import");
  await assertPreloads(t, [BUN.path, "--preload", preload, program]);
  fs.writeFileSync(
    path.join(directory, "bunfig.toml"),
    `preload = [${JSON.stringify(PRELOAD)}]\n`,
  );
  await assertPreloads(t, [BUN.path, "app.cjs"], {}, directory);
});

test("a program that holds the package several times has one activation", async (t) => {
  const directory = await npmProject(t, { files: ["both.mjs"] });
  const modules = path.join(directory, "node_modules");
  const copy = path.join(modules, "listenfds-copy");
  fs.cpSync(path.join(modules, MANIFEST.name), copy, { recursive: true });
  const command = [NODE, "both.mjs"];
  const names = ["imported", "required", "copied"];
  await assertServes(t, { command, directory }, names);
});

test("bun: a script imports the package that bun added", async (t) => {
  const files = ["service.mjs"];
  const directory = await bunProject(t, BUN, { files });
  const command = [BUN.path, "service.mjs"];
  await assertServes(t, { command, directory }, ["neutral", "node", "bun"]);
});

for (const from of ["registry", "directory"] as const) {
  const title = from === "registry" ? "through npm:" : "from a local path";
  test(`deno: a service imports the package ${title}`, async (t) => {
    const { directory, env } = await denoProject(t, from, ["service.mjs"]);
    const command = [DENO.path, "run", ...DENO_PERMISSIONS, "service.mjs"];
    // Fetched before, and started as a unit does.
    const install = ["install", "--entrypoint", "service.mjs"];
    await succeed(DENO.path, install, directory, env);
    copyConsumer("neutral.ts", directory);
    copyConsumer("deno.ts", directory);
    const check = ["check", "--all", "neutral.ts", "deno.ts"];
    await succeed(DENO.path, check, directory, env);
    await assertServes(t, { command, directory, env }, ["neutral", "node"]);
    const all = [DENO.path, "run", "-A", "--cached-only", "service.mjs"];
    const names = ["deno", "neutral"];
    await assertServes(t, { command: all, directory, env }, names);
  });
}

test("deno: a service imports the package through jsr:", async (t) => {
  const { directory, env } = await denoProject(t, "registry", ["service.mjs"]);
  const { name, version } = MANIFEST;
  fs.writeFileSync(
    path.join(directory, "deno.json"),
    JSON.stringify({
      links: [ROOT],
      imports: { [name]: `jsr:${name}@${version}` },
    }),
  );
  const command = [DENO.path, "run", "-A", "--quiet", "service.mjs"];
  await assertServes(t, { command, directory, env }, [
    "deno",
    "neutral",
    "node",
  ]);
});

/** Installs the package, and returns how a script of the project is run. */
async function installed(
  t: TestContext,
  tool: Tool,
  script: string,
): Promise<Service> {
  const files = [script];
  if (tool.runtime === "deno") {
    const project = await denoProject(t, "registry", files);
    const command = [tool.path, "run", ...DENO_PERMISSIONS, "--quiet", script];
    return { ...project, command };
  }
  const directory = tool.runtime === "bun"
    ? await bunProject(t, tool, { files })
    : await npmProject(t, { files });
  const command = [tool.path, script];
  return { command, directory, env: { NO_COLOR: "1" } };
}

forEachHost(TOOLS, (tool) => {
  test(`${tool.label}: an uncaught error shows real names and little source`, async (t) => {
    const service = await installed(t, tool, "wrong_name.mjs");
    const { program } = await startService(t, service, ["web"]);
    assert.equal(await program.exited, 1, program.output);
    const { stderr } = program;
    assert.match(
      stderr,
      /^(?:error: Uncaught .*)?ActivationError: Serving HTTP on "wrong": no descriptor has this name; there are "web": /m,
    );
    assert.match(stderr, /^(?:\d+ \|)? *throw new ActivationError\($/m);
    // Bun leaves out functions that end in a call of another one.
    assert.match(stderr, /^ +at claim(?:Target|Inherited) \(.*\.js:/m);
    assert.match(stderr, /^ +at (?:async )?serve \(.*\.js:/m);
    const lines = stderr.split("\n");
    assert.deepEqual(lines.filter((line) => line.length >= 200), []);
    assert.ok(lines.length < 30, stderr);
  });
});

test("what an entry point exports has its own name", async (t) => {
  const directory = await npmProject(t, { files: [] });
  const entries = Object.keys(MANIFEST.exports)
    .map((entry) => path.posix.join(MANIFEST.name, entry));
  const script = `
    for (const entry of ${JSON.stringify(entries)}) {
      for (const [name, value] of Object.entries(await import(entry))) {
        if (typeof value !== "function" || value.name === name) continue;
        console.log(entry, name, value.name);
      }
    }`;
  const args = ["--input-type=module", "--eval", script];
  assert.equal(await succeed(NODE, args, directory), "");
});

test("npm installs the command", async (t) => {
  const directory = await npmProject(t, { files: [] });
  copyConsumer("service.mjs", directory);
  const [name] = Object.keys(MANIFEST.bin);
  assert.equal(name, "listenfds");
  for (const { path: program } of [...NODES, BUN]) {
    const command = path.join(directory, "node_modules/.bin", name!);
    const { output } = await run(program, [command, "--help"], directory);
    assert.match(output, /^(?:listenfds|usage)\b/i);
  }
});

test("the installed command reads --env-file itself", {
  skip: process.platform === "win32" && "the command is a shell script",
}, async (t) => {
  const directory = await npmProject(t, { files: [] });
  const command = path.join(directory, "node_modules/.bin/listenfds");
  fs.writeFileSync(path.join(directory, "given.env"), "GIVEN=yes\n");
  const print = "console.log(process.env.GIVEN)";
  for (const { path: node } of NODES) {
    // Found in PATH, as under npx.
    const bin = temporaryDirectory(t);
    fs.symlinkSync(node, path.join(bin, "node"));
    const env = { PATH: `${bin}:${path.dirname(command)}:/usr/bin:/bin` };
    const start = (file: string) =>
      run(
        "listenfds",
        [
          ...["run", "--socket=web=127.0.0.1:0", `--env-file=${file}`],
          ...["--", "node", "-e", print],
        ],
        directory,
        env,
      );
    const missing = await start("missing");
    assert.equal(missing.status, 2, missing.output);
    assert.match(
      missing.output,
      /^listenfds run: Reading the variables in "[^"]*missing": ENOENT: give a/,
    );
    const given = await start("given.env");
    assert.equal(given.status, 0, given.output);
    assert.match(given.output, /^yes$/m);
  }
});
