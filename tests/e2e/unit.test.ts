/** What `unit` writes, with the real runtimes and systemd's own verification. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import {
  ACTIVATORS,
  COMMAND,
  freePorts,
  type Host,
  Program,
  ROOT,
  SERVICE,
  temporaryFolder,
} from "./harness.ts";

const VERIFIES = spawnSync("systemd-analyze", ["--version"]).status === 0;
const skip = !VERIFIES && "systemd-analyze is not installed";

/** Runs `unit` on a runtime. */
async function write(
  t: TestContext,
  host: Host,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Program & { status: number | null }> {
  const [program, ...rest] = host.command(COMMAND, "unit", ...args);
  const child = new Program(
    t,
    spawn(program!, rest, {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: options.cwd ?? ROOT,
      env: { ...process.env, ...options.env },
    }),
  );
  const status = await child.exited;
  return Object.assign(child, { status });
}

/** Has systemd verify units; it says nothing of those that are right. */
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

for (const host of ACTIVATORS) {
  for (const [what, args] of Object.entries(sockets)) {
    test(`unit on ${host.label} writes ${what}, which systemd verifies`, {
      skip,
    }, async (t) => {
      const folder = temporaryFolder(t);
      const native = host.runtime === "deno" ? [[], ["--native"]] : [[]];
      for (const more of native) {
        const written = await write(t, host, [
          ...["hello", `--output=${folder}`, "--force", ...args, ...more],
          ...["--", programOf(host), "examples/service.ts", 'a "b" $c %d'],
        ]);
        assert.equal(written.status, 0, written.stderr);
        const paths = written.stdout.trimEnd().split("\n");
        assert.deepEqual(
          paths.toSorted(),
          fs.readdirSync(folder).map((name) => path.join(folder, name)),
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
    const folder = temporaryFolder(t);
    const args = [
      ...["hello", "--socket=web=127.0.0.1:80", "--socket=x=unix:@x"],
      ...["--", programOf(host), SERVICE],
    ];
    const shown = await write(t, host, args);
    assert.equal(shown.status, 0, shown.stderr);
    const written = await write(t, host, [
      ...args.slice(0, 1),
      `--output=${folder}`,
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

  test(`unit on ${host.label} replaces nothing unless told to`, async (t) => {
    const folder = temporaryFolder(t);
    const socket = path.join(folder, "hello.socket");
    // A masked unit is a link.
    fs.symlinkSync("/dev/null", socket);
    const args = [
      ...["hello", `--output=${folder}`, "--socket=web=127.0.0.1:80"],
      ...["--", programOf(host), SERVICE],
    ];
    const refused = await write(t, host, args);
    assert.equal(refused.status, 2);
    assert.equal(refused.stdout, "");
    assert.match(
      refused.stderr,
      /^(?:Note: .*\n)*listenfds unit: Writing units: "[^"]+hello\.socket" exists already: choose another name, or replace with --force\n$/,
    );
    assert.deepEqual(fs.readdirSync(folder), ["hello.socket"]);
    const replaced = await write(t, host, [
      "hello",
      "--force",
      ...args.slice(1),
    ]);
    assert.equal(replaced.status, 0, replaced.stderr);
    assert.deepEqual(fs.readdirSync(folder), ["hello.service", "hello.socket"]);
    assert.ok(fs.lstatSync(socket).isFile());
  });
}

const node = ACTIVATORS.find(({ label }) => label === "node 24")!;

test("unit leaves nothing behind where it can't write", async (t) => {
  const folder = temporaryFolder(t);
  // A folder can't be replaced by a file.
  fs.mkdirSync(path.join(folder, "hello.socket"));
  const failed = await write(t, node, [
    ...["hello", `--output=${folder}`, "--force"],
    ...["--socket=web=127.0.0.1:80", "--", programOf(node), SERVICE],
  ]);
  assert.equal(failed.status, 2);
  assert.match(
    failed.stderr,
    /hello\.socket" is a directory: choose another name/,
  );
  assert.deepEqual(fs.readdirSync(folder), ["hello.socket"]);
  const missing = await write(t, node, [
    ...["hello", `--output=${folder}/nowhere`],
    ...["--socket=web=127.0.0.1:80", "--", programOf(node), SERVICE],
  ]);
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /nowhere" isn't a directory: create it\n$/);
});

test("unit finds the program through PATH, and the script from where it is", async (t) => {
  const folder = temporaryFolder(t);
  const bin = path.join(folder, "bin");
  fs.mkdirSync(bin);
  fs.symlinkSync(programOf(node), path.join(bin, "node"));
  fs.writeFileSync(path.join(folder, "main.ts"), "");
  const written = await write(t, node, [
    ...["hello", "--socket=web=unix:x.sock", "--", "node", "main.ts"],
  ], { cwd: folder, env: { PATH: `/nowhere:${bin}` } });
  const real = fs.realpathSync(folder);
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
  const folder = temporaryFolder(t);
  const [web, dns] = await freePorts(2);
  const socket = path.join(folder, "100% a b.sock");
  const written = await write(t, node, [
    ...["hello", `--output=${folder}`, `--socket=web=127.0.0.1:${web}`],
    ...[`--socket=dns=udp:127.0.0.1:${dns}`, `--socket=a b%n=unix:${socket}`],
    ...["--", programOf(node), SERVICE],
  ]);
  assert.equal(written.status, 0, written.stderr);
  const units = written.stdout.trimEnd().split("\n").slice(1);
  const [program, ...args] = node.command(
    COMMAND,
    ...["run", "--from-unit", ...units, "--"],
    ...node.command(COMMAND, "inspect", "--json"),
  );
  const run = new Program(
    t,
    spawn(program!, args, { stdio: ["ignore", "pipe", "pipe"] }),
  );
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
  skip: spawnSync("npm", ["--version"]).status !== 0 && "npm is not installed",
}, async (t) => {
  for (const launcher of ["npm", "npx"]) {
    const refused = await write(t, node, [
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
