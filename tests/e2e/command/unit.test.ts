/** The units that `unit` writes for real runtimes; systemd verifies them. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import {
  forEachHost,
  type Host,
  hostsWith,
  NODE_HOST,
  ROOT,
} from "../../harness/hosts.ts";
import {
  missingProgram,
  temporaryDirectory,
} from "../../harness/machine_tools.ts";
import {
  type Program,
  type SpawnSettings,
  startProgram,
} from "../../harness/program.ts";
import { COMMAND } from "../../harness/run.ts";
import { freePorts } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const SERVICE = path.join(ROOT, "examples/service.ts");
const skip = missingProgram("systemd-analyze");

/** Runs `unit` on a runtime, and returns what it has written. */
async function write(
  t: TestContext,
  host: Host,
  args: readonly string[],
  settings: SpawnSettings = {},
): Promise<Program & { status: number | null }> {
  const command = host.command(COMMAND, "unit", ...args);
  const program = startProgram(t, command, { cwd: ROOT, ...settings });
  const status = await program.exited;
  return Object.assign(program, { status });
}

/** Verifies units with systemd, which prints nothing for valid ones. */
function verify(paths: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(
    "systemd-analyze",
    ["verify", ...paths],
    { encoding: "utf8" },
  );
  assert.deepEqual([status, stdout, stderr], [0, "", ""]);
}

/** The program of a host. */
function programOf(host: Host): string {
  return host.command("")[0]!;
}

const sockets = {
  "TCP": ["--socket=web=127.0.0.1:8080", "--socket=web=[::1]:8080"],
  "UDP": ["--socket=dns=udp:127.0.0.1:5353", "--socket=dns=udp:[::1]:5353"],
  "Unix sockets": [
    "--socket=web=unix:/run/with space 100%.sock",
    "--socket=web=unix:@abstract",
    "--socket-mode=0660",
    "--socket-group=daemon",
  ],
  "several names": [
    "--socket=web=127.0.0.1:8080",
    "--socket=admin=unix:/run/admin.sock",
    "--socket=a b=[fe80::1%lo]:7777",
    "--backlog=5",
    "--user=daemon",
    "--description=100% mine",
  ],
  "processes for each connection": [
    "--accept",
    "--socket=web=127.0.0.1:8080",
    "--socket=admin=unix:/run/admin.sock",
  ],
};

forEachHost(hostsWith({ runsCommand: true }), (host) => {
  for (const [what, args] of Object.entries(sockets)) {
    test(`unit on ${host.label} writes ${what}, which systemd verifies`, {
      skip,
    }, async (t) => {
      const directory = temporaryDirectory(t);
      const native = host.runtime === "deno" ? [[], ["--native"]] : [[]];
      for (const more of native) {
        const written = await write(t, host, [
          ...["hello", `--output=${directory}`, "--force", ...args, ...more],
          ...["--", programOf(host), "examples/service.ts", 'a "b" $c %d'],
        ]);
        assert.equal(written.status, 0, written.stderr);
        const paths = written.stdout.trimEnd().split("\n");
        assert.deepEqual(
          paths.toSorted(),
          fs.readdirSync(directory).map((name) => path.join(directory, name)),
        );
        verify(paths);
        const service = fs.readFileSync(paths[0]!, "utf8");
        const line = /^ExecStart=(.*)$/m.exec(service)![1]!;
        assert.ok(line.startsWith(programOf(host)), line);
        assert.ok(
          line.endsWith(` ${SERVICE} "a \\"b\\" $$c %%d"`),
          line,
        );
      }
    });
  }

  test(`unit on ${host.label} writes the same to the standard output`, async (t) => {
    const directory = temporaryDirectory(t);
    const args = [
      ...["hello", "--socket=web=127.0.0.1:80", "--socket=x=unix:@x"],
      ...["--", programOf(host), SERVICE],
    ];
    const shown = await write(t, host, args);
    assert.equal(shown.status, 0, shown.stderr);
    const written = await write(t, host, [
      ...args.slice(0, 1),
      `--output=${directory}`,
      ...args.slice(1),
    ]);
    const paths = written.stdout.trimEnd().split("\n");
    assert.equal(paths.length, 3);
    assert.equal(
      shown.stdout,
      paths.map((file) => fs.readFileSync(file, "utf8")).join("\n"),
    );
    for (const file of paths) {
      assert.equal(fs.statSync(file).mode & 0o777, 0o644 & ~process.umask());
    }
  });

  test(`unit on ${host.label} replaces nothing without --force`, async (t) => {
    const directory = temporaryDirectory(t);
    const socket = path.join(directory, "hello.socket");
    // A masked unit is a link.
    fs.symlinkSync("/dev/null", socket);
    const args = [
      ...["hello", `--output=${directory}`, "--socket=web=127.0.0.1:80"],
      ...["--", programOf(host), SERVICE],
    ];
    const refused = await write(t, host, args);
    assert.equal(refused.status, 2);
    assert.equal(refused.stdout, "");
    assert.match(
      refused.stderr,
      /^(?:Note: .*\n)*listenfds unit: Writing units: "[^"]+hello\.socket" exists already: choose another name, or replace with --force\n$/,
    );
    assert.deepEqual(fs.readdirSync(directory), ["hello.socket"]);
    const replaced = await write(t, host, [
      "hello",
      "--force",
      ...args.slice(1),
    ]);
    assert.equal(replaced.status, 0, replaced.stderr);
    assert.deepEqual(fs.readdirSync(directory), [
      "hello.service",
      "hello.socket",
    ]);
    assert.ok(fs.lstatSync(socket).isFile());
  });
});

test("unit leaves nothing behind where it can't write", async (t) => {
  const directory = temporaryDirectory(t);
  // A directory can't be replaced by a file.
  fs.mkdirSync(path.join(directory, "hello.socket"));
  const failed = await write(t, NODE_HOST, [
    ...["hello", `--output=${directory}`, "--force"],
    ...["--socket=web=127.0.0.1:80", "--", programOf(NODE_HOST), SERVICE],
  ]);
  assert.equal(failed.status, 2);
  assert.match(
    failed.stderr,
    /hello\.socket" is a directory: choose another name/,
  );
  assert.deepEqual(fs.readdirSync(directory), ["hello.socket"]);
  const missing = await write(t, NODE_HOST, [
    ...["hello", `--output=${directory}/nowhere`],
    ...["--socket=web=127.0.0.1:80", "--", programOf(NODE_HOST), SERVICE],
  ]);
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /nowhere" isn't a directory: create it\n$/);
});

test("unit finds the program through PATH, and the script from where it is", async (t) => {
  const directory = temporaryDirectory(t);
  const bin = path.join(directory, "bin");
  fs.mkdirSync(bin);
  fs.symlinkSync(programOf(NODE_HOST), path.join(bin, "node"));
  fs.writeFileSync(path.join(directory, "main.ts"), "");
  const written = await write(t, NODE_HOST, [
    ...["hello", "--socket=web=unix:x.sock", "--", "node", "main.ts"],
  ], { cwd: directory, env: { PATH: `/nowhere:${bin}` } });
  const real = fs.realpathSync(directory);
  assert.equal(written.status, 0, written.stderr);
  assert.ok(
    written.stdout.includes(`\nExecStart=${bin}/node ${real}/main.ts\n`),
    written.stdout,
  );
  assert.ok(written.stdout.includes(`\nListenStream=${real}/x.sock\n`));
  // Which the service couldn't read there.
  assert.match(written.stderr, /^Note: ".+" is in a directory for temporary/);
});

test("unit writes what run reads, and inspect shows", async (t) => {
  const directory = temporaryDirectory(t);
  const [web, dns] = await freePorts(2);
  const socket = path.join(directory, "100% a b.sock");
  const written = await write(t, NODE_HOST, [
    ...["hello", `--output=${directory}`, `--socket=web=127.0.0.1:${web}`],
    ...[`--socket=dns=udp:127.0.0.1:${dns}`, `--socket=a b%n=unix:${socket}`],
    ...["--", programOf(NODE_HOST), SERVICE],
  ]);
  assert.equal(written.status, 0, written.stderr);
  const units = written.stdout.trimEnd().split("\n").slice(1);
  const command = NODE_HOST.command(
    COMMAND,
    ...["run", "--from-unit", ...units, "--"],
    ...NODE_HOST.command(COMMAND, "inspect", "--json"),
  );
  const run = startProgram(t, command);
  assert.equal(await run.exited, 0, run.stderr);
  const shown: {
    descriptors: { name: string; kind: string; address: object }[];
  } = JSON.parse(run.stdout);
  const hostname = "127.0.0.1";
  assert.deepEqual(
    shown.descriptors.map(({ name, kind, address }) => [name, kind, address]),
    [
      ["web", "stream-listener", { kind: "ipv4", hostname, port: web }],
      ["dns", "datagram", { kind: "ipv4", hostname, port: dns }],
      ["a b%n", "stream-listener", { kind: "unix", path: socket }],
    ],
  );
});

test("unit names launchers, as they are installed", {
  skip: missingProgram("npm"),
}, async (t) => {
  for (const launcher of ["npm", "npx"]) {
    const refused = await write(t, NODE_HOST, [
      ...["hello", "--socket=web=127.0.0.1:80", "--", launcher, "start"],
    ]);
    assert.equal(refused.status, 2);
    assert.equal(refused.stdout, "");
    assert.ok(
      refused.stderr.includes(`"${launcher}" starts another process`),
      refused.stderr,
    );
  }
});
