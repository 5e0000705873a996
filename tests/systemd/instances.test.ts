/** Instances of a template: how they start, stop, come and go. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import type { Group } from "./load/load.ts";
import { answered, lost, startLoad } from "./load/under_load.ts";
import {
  activeInstances,
  documentedCommands,
  installInstances,
  rollingRestart,
  shell,
  untilActive,
} from "./machine/instances.ts";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import { MAIN_HOSTS, NATIVE_HOSTS } from "./machine/units.ts";
import { installWritten } from "./machine/written.ts";
import { eventually } from "../harness/eventually.ts";
import { forEachHost, ROOT } from "../harness/hosts.ts";
import { CLEANUP, test } from "../harness/timed_test.ts";

const machine = useMachine();
const WEB = { port: 8080, host: "127.0.0.1" };
const BUN = NATIVE_HOSTS.find(({ runtime }) => runtime === "bun")!;
const PRELOADED = "/opt/listenfds/tests/systemd/programs/unmodified.ts";
const RELOADING = "/opt/listenfds/tests/systemd/programs/notify.ts";

/** Clients with new connections, and with those that are kept. */
const GROUPS: readonly Group[] = [false, true].map((keepAlive) => ({
  name: keepAlive ? "keep-alive" : "new connections",
  clients: 8,
  keepAlive,
  handlerMs: 0,
  pauseMs: 20,
}));

/** Runs commands, all of which have to succeed. */
async function run(commands: string): Promise<string> {
  const { status, output } = await shell(machine(), `set -e; ${commands}`);
  assert.equal(status, 0, output);
  return output;
}

async function pid(): Promise<number> {
  return Number((await machine().request(WEB, { path: "/pid" })).body);
}

function mainPids(numbers: readonly number[]): Promise<number[]> {
  return Promise.all(
    numbers.map((number) => machine().mainPid(`hello@${number}.service`)),
  );
}

/** Stops everything, forgets it, and starts the socket, as a machine does. */
async function startAgain(): Promise<void> {
  await machine().systemctl("stop", "hello.socket");
  await untilActive(machine(), []);
  await machine().systemctl("daemon-reload");
  await machine().systemctl("start", "hello.socket");
}

forEachHost([BUN], (host) => {
  test(
    "the first connection starts all instances, and each one those that ended",
    {
      skip: NO_MACHINE,
    },
    async (t) => {
      const names = await installInstances(t, machine(), host, 2, [
        "--socket=web=127.0.0.1:8080",
        "--socket=admin=unix:/run/admin.sock",
      ], ["native=web", "native=admin"]);
      assert.deepEqual(names, [
        "hello@.service",
        "hello.target",
        "hello-web.socket",
        "hello-admin.socket",
      ]);
      await machine().request({ path: "/run/admin.sock" });
      await untilActive(machine(), [1, 2]);
      const pids = new Set<number>();
      await eventually("both to answer", async () => {
        pids.add(await pid());
        return pids.size === 2;
      });
      assert.deepEqual([...pids].sort(), (await mainPids([1, 2])).sort());
      // As after an exit on idle: the target is still active.
      for (const stopped of [2, 1]) {
        await machine().systemctl("stop", `hello@${stopped}`);
      }
      assert.deepEqual(await activeInstances(machine()), []);
      await pid();
      await untilActive(machine(), [1, 2]);
      // All sockets are stopped for the instances to stay away.
      await machine().systemctl(
        "stop",
        "hello-web.socket",
        "hello-admin.socket",
      );
      await untilActive(machine(), []);
      assert.equal(
        await machine().property("hello.target", "ActiveState"),
        "inactive",
      );
      await machine().systemctl("start", "hello.target");
      await untilActive(machine(), [1, 2]);
    },
  );

  test(
    "an instance comes and goes with the documented commands, and stays so",
    {
      skip: NO_MACHINE,
    },
    async (t) => {
      const commands = (text: string) => {
        const page = fs.readFileSync(
          path.join(ROOT, "docs/instances.md"),
          "utf8",
        );
        assert.ok(page.includes(`\n${text}\n`), text);
        return text;
      };
      t.after(async () => {
        await run("systemctl disable hello@3 hello.socket hello.target");
        await run("systemctl unmask hello@2");
      }, CLEANUP);
      await installInstances(t, machine(), host, 2);
      await machine().systemctl("enable", "hello.socket");
      await run(documentedCommands("## Add and remove an instance"));
      // It starts the others, too, as each instance does.
      await untilActive(machine(), [1, 2, 3]);
      await startAgain();
      await pid();
      await untilActive(machine(), [1, 2, 3]);
      await run(commands("systemctl disable --now hello@3"));
      assert.deepEqual(await activeInstances(machine()), [1, 2]);
      await run(commands("systemctl mask --now hello@2"));
      assert.deepEqual(await activeInstances(machine()), [1]);
      await startAgain();
      await pid();
      await machine().systemctl("restart", "hello@1");
      assert.deepEqual(await activeInstances(machine()), [1]);
      await run(
        commands("systemctl unmask hello@2 && systemctl start hello.target"),
      );
      assert.deepEqual(await activeInstances(machine()), [1, 2]);
      // The target can start all with the machine.
      await machine().systemctl("enable", "hello.target");
      await machine().systemctl("stop", "hello.socket");
      await machine().systemctl("daemon-reload");
      await machine().systemctl("restart", "multi-user.target");
      await untilActive(machine(), [1, 2]);
    },
  );

  test("a version that fails to start ends the documented restart at once", {
    skip: NO_MACHINE,
  }, async (t) => {
    const failing = machine().file("/run/fail");
    await installInstances(t, machine(), host, 2, undefined, [
      "native=web",
      "--fail-while=/run/fail",
    ]);
    await pid();
    await untilActive(machine(), [1, 2]);
    const [, second] = await mainPids([1, 2]);
    const load = startLoad(t, machine(), GROUPS.slice(0, 1));
    await load.progress(8);
    fs.writeFileSync(failing, "");
    const { status, output } = await shell(machine(), rollingRestart(2));
    assert.notEqual(status, 0, output);
    // It is tried again and again, and the other one answers.
    await eventually(
      "six attempts",
      () => machine().property("hello@1.service", "NRestarts"),
      (count) => Number(count) >= 6,
    );
    assert.equal(await pid(), second);
    fs.rmSync(failing);
    await untilActive(machine(), [1, 2]);
    await load.progress(8);
    const report = await load.stop();
    assert.deepEqual(lost(report), [0], JSON.stringify(report));
    await run(rollingRestart(2));
  });

  test("a service that restarts one instance after another loses nothing", {
    skip: NO_MACHINE,
  }, async (t) => {
    const page = fs.readFileSync(path.join(ROOT, "docs/instances.md"), "utf8");
    const [, unit] = /^```ini\n(# hello-restart[^]*?)^```$/m.exec(page)!;
    await machine().install(t, { "hello-restart.service": unit! });
    await installInstances(t, machine(), host, 2);
    await pid();
    await untilActive(machine(), [1, 2]);
    const before = await mainPids([1, 2]);
    const load = startLoad(t, machine(), GROUPS);
    await load.progress(8);
    await machine().systemctl("start", "hello-restart");
    const after = await mainPids([1, 2]);
    await load.progress(8);
    const report = await load.stop();
    assert.deepEqual(lost(report), [0, 0], JSON.stringify(report));
    assert.ok(answered(report) > 16);
    for (const old of before) assert.ok(!after.includes(old));
  });

  test("a restart of the target makes clients wait, and loses nothing", {
    skip: NO_MACHINE,
  }, async (t) => {
    await installInstances(t, machine(), host, 2);
    await pid();
    await untilActive(machine(), [1, 2]);
    const load = startLoad(t, machine(), GROUPS);
    for (let round = 0; round < 3; round++) {
      await load.progress(8);
      const before = await mainPids([1, 2]);
      await machine().systemctl("restart", "hello.target");
      await untilActive(machine(), [1, 2]);
      const after = await mainPids([1, 2]);
      for (const old of before) assert.ok(!after.includes(old));
    }
    await load.progress(8);
    const report = await load.stop();
    t.diagnostic(JSON.stringify(report));
    assert.deepEqual(lost(report), [0, 0], JSON.stringify(report));
  });

  test("instances end before their sockets when the machine shuts down", {
    skip: NO_MACHINE,
  }, async (t) => {
    await installInstances(t, machine(), host, 2);
    await pid();
    await untilActive(machine(), [1, 2]);
    await machine().systemctl("start", "shutdown.target");
    await untilActive(machine(), []);
    const ended: number[] = [];
    for (const unit of ["hello@1.service", "hello@2.service", "hello.socket"]) {
      assert.equal(await machine().property(unit, "Result"), "success");
      ended.push(
        Number(
          await machine().property(unit, "InactiveEnterTimestampMonotonic"),
        ),
      );
    }
    assert.ok(Math.max(ended[0]!, ended[1]!) <= ended[2]!, String(ended));
    await machine().systemctl("stop", "shutdown.target");
  });
});

forEachHost(NATIVE_HOSTS, (host) => {
  test(`the documented reload reloads all instances on ${host.label}`, {
    skip: NO_MACHINE,
  }, async (t) => {
    const { runtime, command } = host;
    await installWritten(t, machine(), [
      ...["hello", "--instances=2", "--socket=web=127.0.0.1:8080", "--reload"],
      ...runtime === "deno" ? ["--native"] : [],
      ...["--", command[0]!, RELOADING],
      ...["--names=web", "--reload=1500:/dev/null"],
    ]);
    await machine().request(WEB);
    await untilActive(machine(), [1, 2]);
    const before = await mainPids([1, 2]);
    const begun = performance.now();
    await run(documentedCommands("## Reload"));
    const elapsedMs = performance.now() - begun;
    assert.ok(elapsedMs >= 1500, `returned after ${elapsedMs} ms`);
    const { stdout } = await machine().run(
      ...["journalctl", "--no-pager", "--output=cat", "--unit=hello@*"],
      ...["--grep=^Reloaded hello@", "--lines=2"],
    );
    assert.match(stdout, /hello@1/);
    assert.match(stdout, /hello@2/);
    assert.deepEqual(await mainPids([1, 2]), before);
  });
});

forEachHost(MAIN_HOSTS.filter(({ http }) => http !== "portable"), (host) => {
  const { label, runtime, command, http } = host;
  if (runtime === "deno" && http === "serve") return;
  test(`instances with --preload on ${label} share the socket`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await installWritten(t, machine(), [
      ...["hello", "--instances=2", "--socket=web=127.0.0.1:8080"],
      ...["--preload=web=3000", "--", command[0]!, PRELOADED],
      runtime === "node" ? "http" : runtime,
    ]);
    await machine().request(WEB);
    await untilActive(machine(), [1, 2]);
    const pids = new Set<number>();
    await eventually("both to answer", async () => {
      const { body } = await machine().request(WEB);
      pids.add(parseInt(body));
      return pids.size === 2;
    });
    assert.deepEqual([...pids].sort(), (await mainPids([1, 2])).sort());
  });
});
