/** When a program notifies the service manager without a call. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { getBody } from "../../harness/client.ts";
import {
  forEachHost,
  type Host,
  HOSTS,
  hostsWith,
  ROOT,
} from "../../harness/hosts.ts";
import {
  missingProgram,
  temporaryDirectory,
} from "../../harness/machine_tools.ts";
import {
  FakeManager,
  NO_MANAGER,
  NO_SYSTEMD_NOTIFY,
} from "../../harness/manager.ts";
import {
  type Environment,
  type Program,
  startActivated,
  startProgram,
} from "../../harness/program.ts";
import { bindSockets } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const SCRIPT = path.join(ROOT, "tests/fixtures/notifier.ts");

function needsCommand({ label }: Host): boolean {
  return label === "node 22" || label === "node 24";
}

/** Starts operations with the sockets `web` and `admin`. */
async function start(
  t: TestContext,
  host: Host,
  env: Environment,
  ...operations: readonly (readonly unknown[])[]
): Promise<{ readonly program: Program; readonly port: number }> {
  const addresses = ["web=tcp:127.0.0.1:0", "admin=tcp:127.0.0.1:0"];
  return await bindSockets(addresses, (sockets) => ({
    program: startActivated(
      t,
      host.command(SCRIPT, JSON.stringify(operations)),
      sockets,
      { NODE_NO_WARNINGS: undefined, ...env },
    ),
    port: sockets[0]!.port!,
  }));
}

/** Starts operations while the manager is busy, until READY=1 was given up once. */
async function startBusy(
  t: TestContext,
  host: Host,
  ...operations: readonly (readonly unknown[])[]
): Promise<{ readonly manager: FakeManager; readonly program: Program }> {
  const manager = await FakeManager.start(t, "deaf", "full");
  const env = { NOTIFY_SOCKET: manager.address };
  const { program } = await start(t, host, env, ...operations);
  await program.until(
    "the warning",
    () => program.stderr.includes("has not answered in 5000 ms"),
  );
  manager.listen();
  return { manager, program };
}

function done(program: Program, count: number): Promise<unknown> {
  return program.until(
    `${count} operations`,
    () => program.stdout.split("\n").length > count,
  );
}

forEachHost(HOSTS.filter(({ inspects }) => inspects), (host) => {
  const { label } = host;
  const skip = NO_MANAGER || needsCommand(host) && NO_SYSTEMD_NOTIFY;

  test(`a service on ${label} is ready when all its sockets are served`, {
    skip,
  }, async (t) => {
    const manager = await FakeManager.start(t);
    const { program } = await start(
      t,
      host,
      { NOTIFY_SOCKET: manager.address },
      ["serve", "web", {}],
      ["input"],
      ["serve", "admin", {}],
    );
    await done(program, 1);
    // For longer than the interval of looking.
    await program.staysFor(600);
    assert.deepEqual(manager.lines, []);
    program.process.stdin!.write("\n");
    assert.deepEqual(await manager.until((lines) => lines.length > 0), [
      "READY=1",
    ]);
    program.process.kill();
    await manager.until((lines) => lines.at(-1) === "STOPPING=1");
    await program.exited;
    assert.deepEqual(manager.lines, ["READY=1", "STOPPING=1"]);
  });

  test(`a service on ${label} is not ready while a call opens a server`, {
    skip,
  }, async (t) => {
    const manager = await FakeManager.start(t);
    const { program } = await start(
      t,
      host,
      { NOTIFY_SOCKET: manager.address },
      ["listenOnInput", "admin"],
      ["sleep", 100],
      ["serve", "web", {}],
    );
    await done(program, 3);
    // For longer than the interval of looking.
    await program.staysFor(600);
    assert.deepEqual(manager.lines, []);
    program.process.stdin!.write("\n");
    await done(program, 4);
    await manager.until((lines) => lines.length > 0);
    assert.deepEqual(manager.lines, ["READY=1"]);
  });

  test(
    `a service on ${label} that was passed files is ready with its own server`,
    {
      skip,
    },
    async (t) => {
      const manager = await FakeManager.start(t);
      const fallback = { port: 0, hostname: "127.0.0.1" };
      const operations = [
        ["claim", "key"],
        ["input"],
        ["serve", "web", { fallback }],
      ];
      const fd = fs.openSync(import.meta.filename!, "r");
      const program = startActivated(
        t,
        host.command(SCRIPT, JSON.stringify(operations)),
        [{ name: "key", fd }],
        { NODE_NO_WARNINGS: undefined, NOTIFY_SOCKET: manager.address },
      );
      fs.closeSync(fd);
      await done(program, 1);
      await program.staysFor(600);
      assert.deepEqual(manager.lines, []);
      program.process.stdin!.write("\n");
      await manager.until((lines) => lines[0] === "READY=1");
    },
  );

  test(`a reload on ${label} before all sockets are served is not ready`, {
    skip,
  }, async (t) => {
    const manager = await FakeManager.start(t);
    const { program } = await start(
      t,
      host,
      { NOTIFY_SOCKET: manager.address },
      ["reloads"],
      ["input"],
      ["serve", "web", {}],
      ["sleep", 100],
      ["input"],
      ["serve", "admin", {}],
    );
    const reload = async (count: number) => {
      program.process.kill("SIGHUP");
      await program.until(
        "the handler",
        () => program.stdout.split("reloaded").length > count,
      );
    };
    await done(program, 1);
    await reload(1);
    program.process.stdin!.write("\n");
    await done(program, 5);
    await reload(2);
    // For longer than systemd-notify takes.
    await program.staysFor(600);
    assert.deepEqual(manager.lines, []);
    program.process.stdin!.write("\n");
    await manager.until((lines) => lines.at(-1) === "READY=1");
    await reload(3);
    const lines = await manager.until((all) => all.length > 3);
    assert.deepEqual(lines.filter((line) => !line.startsWith("MONOTONIC")), [
      "READY=1",
      "RELOADING=1",
      "READY=1",
    ]);
  });

  test(`a program on ${label} that only claims its descriptors is ready, too`, {
    skip,
  }, async (t) => {
    const manager = await FakeManager.start(t);
    const { program } = await start(
      t,
      host,
      { NOTIFY_SOCKET: manager.address },
      ["claim", "web"],
      ["input"],
      ["claim", "admin"],
      ["input"],
    );
    await done(program, 1);
    await program.staysFor(600);
    assert.deepEqual(manager.lines, []);
    program.process.stdin!.write("\n");
    await manager.until((lines) => lines[0] === "READY=1");
  });

  test(`a service on ${label} that notifies by itself is not helped`, {
    skip,
  }, async (t) => {
    const manager = await FakeManager.start(t);
    const { program } = await start(
      t,
      host,
      { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: "200000" },
      ["serve", "web", { notify: false }],
      ["serve", "admin", { notify: false }],
      ["sleep", 700],
      ["notify", { status: "own" }],
    );
    await manager.until((lines) => lines.length > 0);
    program.process.kill();
    await program.exited;
    assert.deepEqual(manager.lines, ["STATUS=own"]);
  });

  test(
    `a service on ${label} without notify has a watchdog when it says that it is ready`,
    {
      skip,
    },
    async (t) => {
      const manager = await FakeManager.start(t);
      const { program } = await start(
        t,
        host,
        { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: "300000" },
        ["serve", "web", { notify: false }],
        ["notify", { ready: true }],
      );
      const lines = await manager.until((all) => all.length >= 4);
      const watchdog = Array(3).fill("WATCHDOG=1");
      assert.deepEqual(lines.slice(0, 4), ["READY=1", ...watchdog]);
      program.process.kill();
      await program.exited;
    },
  );

  test(
    `a service on ${label} is ready although the manager was busy for long`,
    {
      skip: skip || needsCommand(host) && "systemd-notify waits by itself",
    },
    async (t) => {
      const { manager, program } = await startBusy(
        t,
        host,
        ["serve", "web"],
        ["serve", "admin"],
      );
      assert.deepEqual(await manager.until((all) => all.length > 0), [
        "READY=1",
      ]);
      program.process.kill();
      await program.exited;
    },
  );

  test(
    `a service on ${label} that says it is ready while the manager is busy can be reloaded`,
    {
      skip: skip || needsCommand(host) && "systemd-notify waits by itself",
    },
    async (t) => {
      const { manager, program } = await startBusy(
        t,
        host,
        ["reloads"],
        ["serve", "web"],
        ["sleep", 500],
        ["serve", "admin"],
        ["sleep", 3000],
        ["notify", { ready: true }],
      );
      await done(program, 6);
      // Longer than until the next attempt.
      await program.staysFor(1500);
      program.process.kill("SIGHUP");
      const lines = await manager.until((all) =>
        all.filter((line) => line === "READY=1").length === 2
      );
      assert.deepEqual(
        lines.filter((line) => !line.startsWith("MONOTONIC")),
        ["READY=1", "RELOADING=1", "READY=1"],
      );
      program.process.kill();
      await program.exited;
    },
  );

  test(`a process on ${label} that was not activated sends nothing by itself`, {
    skip,
  }, async (t) => {
    const manager = await FakeManager.start(t);
    const fallback = { port: 0, hostname: "127.0.0.1" };
    const operations = [
      ["serve", "web", { fallback, gracefulShutdown: true }],
      ["sleep", 500],
      ["notify", { status: "own" }],
    ];
    const program = startProgram(
      t,
      host.command(SCRIPT, JSON.stringify(operations)),
      { env: { NOTIFY_SOCKET: manager.address } },
    );
    await manager.until((lines) => lines.length > 0);
    program.process.kill();
    await program.exited;
    assert.deepEqual(manager.lines, ["STATUS=own"]);
  });

  test(`the watchdog on ${label} gets a message at half of its time`, {
    skip,
  }, async (t) => {
    const manager = await FakeManager.start(t);
    const serve = [["serve", "web", {}], ["serve", "admin", {}]];
    const env = { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: "600000" };
    const other = { ...env, WATCHDOG_PID: "1" };
    const { program } = await start(t, host, other, ...serve);
    await manager.until((lines) => lines.length > 0);
    await program.staysFor(800);
    assert.deepEqual(manager.lines, ["READY=1"]);
    const ours: Host = {
      ...host,
      command: (...args) => [
        ...["sh", "-c", 'WATCHDOG_PID=$$ exec "$0" "$@"'],
        ...host.command(...args),
      ],
    };
    const begun = performance.now();
    await start(t, ours, env, ...serve);
    await manager.until((lines) => lines.length >= 6);
    // Four intervals of 300 ms.
    assert.ok(performance.now() - begun > 1000);
    assert.deepEqual(manager.lines.slice(1, 6), [
      "READY=1",
      ...Array(4).fill("WATCHDOG=1"),
    ]);
  });

  test(`the watchdog on ${label} follows the time that the program sets`, {
    skip,
  }, async (t) => {
    const manager = await FakeManager.start(t);
    // Without WATCHDOG_PID, which stands for any process.
    const env = { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: "60000000" };
    await start(
      t,
      host,
      env,
      ["serve", "web", {}],
      ["serve", "admin", {}],
      ["sleep", 100],
      ["notify", { watchdogMs: 600 }],
      ["watchdog"],
    );
    const begun = performance.now();
    const lines = await manager.until((all) => all.length >= 5);
    assert.ok(performance.now() - begun < 10_000);
    assert.deepEqual([...new Set(lines)].sort(), [
      "READY=1",
      "WATCHDOG=1",
      "WATCHDOG_USEC=600000",
    ]);
  });
});

forEachHost(hostsWith({ inspects: false }), (host) => {
  test(`a service on ${host.label} is served although it can't notify`, async (t) => {
    const env = { NOTIFY_SOCKET: "/nonexistent/notify" };
    const serve = [["serve", "web", {}], ["serve", "admin", {}]];
    const { program, port } = await start(t, host, env, ...serve);
    assert.equal(await getBody(port, "/"), "hello\n");
    assert.equal(program.stderr, "");
    const readable: Host = {
      ...host,
      command: (...args) =>
        host.command(...args).map((word) =>
          word.startsWith("--allow-env") ? "--allow-env" : word
        ),
    };
    const warned = await start(t, readable, env, ...serve);
    assert.equal(await getBody(warned.port, "/"), "hello\n");
    await warned.program.until(
      "a warning",
      () => warned.program.stderr,
      (text) => /missing permission to call the C library: run with/.test(text),
    );
  });
});

forEachHost(HOSTS.filter(({ runtime }) => runtime !== "deno"), (host) => {
  test(
    `a service on ${host.label} opens nothing for a manager that isn't there`,
    {
      skip: missingProgram("strace"),
    },
    async (t) => {
      const log = path.join(temporaryDirectory(t), "log");
      // The shell of a traced program has another pid than the program.
      const traced: Host = {
        ...host,
        command: (...args) => [
          "strace",
          ..."-D -f -e trace=%file,socket -o".split(" "),
          log,
          ...host.command(...args),
        ],
      };
      await bindSockets(["web=tcp:127.0.0.1:0"], async (sockets) => {
        const script = path.join(ROOT, "tests/systemd/programs/graceful.ts");
        startActivated(t, traced.command(script, "none"), sockets, {
          NOTIFY_SOCKET: undefined,
        });
        assert.equal(await getBody(sockets[0]!.port!, "/"), "hello\n");
      });
      const calls = fs.readFileSync(log, "utf8");
      assert.match(calls, /service\/readiness\.ts/);
      assert.doesNotMatch(calls, /notifier\.ts|manager\.ts|sendmsg|AF_UNIX/);
    },
  );
});
