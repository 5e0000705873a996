/** Programs that are started through something else, and have a fallback. */

import assert from "node:assert/strict";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import type { TestContext } from "node:test";
import { request } from "../../harness/client.ts";
import {
  forEachHost,
  type Host,
  hostsWith,
  ROOT,
} from "../../harness/hosts.ts";
import {
  findProgram,
  missingProgram,
  temporaryDirectory,
} from "../../harness/machine_tools.ts";
import { type Program, startActivated } from "../../harness/program.ts";
import { bindSockets, freePorts } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const FIXTURE = path.join(ROOT, "tests/fixtures/started_through.ts");
const HOSTS = hostsWith({ runsCommand: true });

/** What the program prints for each function. */
interface Line {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly kind?: string;
  readonly wrapper?: string;
  readonly reason?: string;
}

/** Waits for the first line of the program, or for a number of lines. */
async function linesOf(program: Program, count = 1): Promise<Line[]> {
  return await program.until("the program's lines", () => {
    const lines = program.stdout.split("\n")
      .filter((line) => line.startsWith('{"name"'));
    return lines.length >= count
      ? lines.map((line): Line => JSON.parse(line))
      : undefined;
  });
}

/** Counts the warnings. */
function warnings({ stderr }: Program): number {
  return stderr.split("LISTENFDS_FOREIGN").length - 1;
}

/** A way to start a program through something else. */
interface Way {
  /** What is started in its place. */
  readonly wrapper: string;
  /** Reason to skip the test. */
  readonly skip?: string | false;
  /** Returns the command line, in a directory with the command as a script. */
  readonly command: (own: readonly string[], runtime: string) => string[];
  readonly runtime?: Host["runtime"];
}

const SHELL = ["/bin/sh", "-c", '"$@"; exit $?', "sh"];

const WAYS: Readonly<Record<string, Way>> = {
  "sh -c": { wrapper: "sh", command: (own) => [...SHELL, ...own] },
  "env and nice before sh -c": {
    wrapper: "sh",
    command: (own) => ["env", "A=b", "nice", ...SHELL, ...own],
  },
  "timeout": {
    wrapper: "timeout",
    skip: missingProgram("timeout"),
    command: (own) => ["timeout", "200", ...own],
  },
  "npm": {
    wrapper: "npm",
    skip: missingProgram("npm"),
    command: () => ["npm", "start", "--silent"],
  },
  "npm's own script": {
    wrapper: "npm",
    skip: missingProgram("npm"),
    runtime: "node",
    command: (_, node) => [
      node,
      "--enable-source-maps",
      fs.realpathSync(findProgram("npm")!),
      "start",
      "--silent",
    ],
  },
  "npx": {
    wrapper: "npm",
    skip: missingProgram("npx"),
    command: (own) => ["npx", "--offline", "-c", own.join(" ")],
  },
  "a program like nodemon": {
    wrapper: "nodemon",
    runtime: "node",
    command: (own, node) => [node, "node_modules/.bin/nodemon", ...own],
  },
  "node --watch": {
    wrapper: "node --watch",
    runtime: "node",
    command: ([node, ...args]) => [node!, "--watch", ...args],
  },
  "node --run": {
    wrapper: "node --run",
    runtime: "node",
    command: (_, node) => [node, "--run", "start"],
  },
  "bun run": {
    wrapper: "bun run",
    runtime: "bun",
    command: (_, bun) => [bun, "run", "start"],
  },
  "bun": {
    wrapper: "bun run",
    runtime: "bun",
    command: (_, bun) => [bun, "serve"],
  },
  "deno task": {
    wrapper: "deno task",
    runtime: "deno",
    command: (_, deno) => [deno, "task", "start"],
  },
};

const LAUNCHER = `#!/usr/bin/env node
const { spawn } = require("node:child_process");
const [program, ...args] = process.argv.slice(2);
spawn(program, args, { stdio: "inherit" }).on("exit", (code) => process.exit(code));
`;

/** Starts the program with sockets that are meant for what starts it. */
async function start(
  t: TestContext,
  host: Host,
  way: Way,
  ...args: string[]
): Promise<Program> {
  const directory = temporaryDirectory(t);
  const own = host.command(FIXTURE, ...args);
  fs.mkdirSync(path.join(directory, "node_modules/.bin"), { recursive: true });
  fs.writeFileSync(
    path.join(directory, "node_modules/.bin/nodemon"),
    LAUNCHER,
  );
  const script = own.join(" ");
  fs.writeFileSync(
    path.join(directory, "package.json"),
    JSON.stringify({ scripts: { start: script, serve: script } }),
  );
  return await bindSockets(["web=tcp:127.0.0.1:0"], (sockets) =>
    startActivated(
      t,
      ["env", "-C", directory, ...way.command(own, own[0]!)],
      sockets,
    ));
}

for (const [name, way] of Object.entries(WAYS)) {
  const hosts = HOSTS.filter(({ runtime }) =>
    way.runtime === undefined || runtime === way.runtime
  );
  forEachHost(hosts, (host) => {
    test(
      `a fallback on ${host.label} started through ${name} is bound with one warning`,
      {
        skip: way.skip ?? false,
      },
      async (t) => {
        const [port] = await freePorts(1) as [number];
        const program = await start(t, host, way, String(port));
        const [line] = await linesOf(program);
        assert.equal(line!.code, "bound", line!.message);
        assert.equal(line!.kind, "foreign");
        assert.equal(line!.wrapper, way.wrapper, String(line!.reason));
        const { body } = await request({ host: "127.0.0.1", port });
        assert.equal(body, "hello\n");
        await program.until("the warning", () => warnings(program) > 0);
        assert.equal(warnings(program), 1, program.stderr);
        assert.ok(
          program.stderr.includes(`${way.wrapper} was started in its place: `),
          program.stderr,
        );
      },
    );
  });
}

forEachHost(HOSTS, (host) => {
  test(`each function on ${host.label} warns once in all of a foreign activation`, async (t) => {
    const program = await start(t, host, WAYS["sh -c"]!, "0", "all");
    const lines = await linesOf(program, host.runtime === "node" ? 5 : 7);
    for (const { name, code, message } of lines) {
      assert.equal(code, "bound", `${name}: ${message}`);
    }
    await program.until("the warning", () => warnings(program) > 0);
    assert.equal(warnings(program), 1, program.stderr);
  });

  test(`each function on ${host.label} gives the reason where the fallback can't be bound`, async (t) => {
    const server = net.createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const { port } = server.address() as net.AddressInfo;
    const way = WAYS["sh -c"]!;
    const program = await start(t, host, way, String(port), "all");
    const lines = await linesOf(program, host.runtime === "node" ? 5 : 7);
    for (const { name, code, message } of lines) {
      assert.equal(code, "system", name);
      assert.match(
        message,
        /: binding port \d+ of 127\.0\.0\.1: .+: Not activated: LISTEN_PID is \d+, but this process is \d+: sh was started in its place: begin the last command with exec$/,
        name,
      );
    }
    assert.equal(warnings(program), 0, program.stderr);
  });
});
