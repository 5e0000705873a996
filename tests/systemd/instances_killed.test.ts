/** Instances that are killed, or that reach a limit, under load. */

import assert from "node:assert/strict";
import fs from "node:fs";
import type net from "node:net";
import type { Group } from "./load/load.ts";
import { answered, lost, startLoad } from "./load/under_load.ts";
import {
  addSettings,
  installInstances,
  shell,
  untilActive,
} from "./machine/instances.ts";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import { NATIVE_HOSTS } from "./machine/units.ts";
import { eventually } from "../harness/eventually.ts";
import { forEachHost } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";

const machine = useMachine();
const WEB = { port: 8080, host: "127.0.0.1" };
const INSTANCES = [1, 2];
/** The number of times that an instance is killed. */
const ROUNDS = 3;
/** The other instance answers meanwhile, so no client waits for the restart. */
const LIMIT_MS = 2000;
const BUN = NATIVE_HOSTS.filter(({ runtime }) => runtime === "bun");

const COMMON = { clients: 8, handlerMs: 0, pauseMs: 10 };
const GROUPS: readonly Group[] = [
  { ...COMMON, name: "new connections", keepAlive: false },
  { ...COMMON, name: "keep-alive", keepAlive: true },
  { ...COMMON, name: "slow", keepAlive: false, handlerMs: 100 },
];

/** Returns how often each instance was started again, in ascending order. */
async function restarts(): Promise<string> {
  const counts = await Promise.all(
    INSTANCES.map((number) =>
      machine().property(`hello@${number}.service`, "NRestarts")
    ),
  );
  return counts.sort().join();
}

/** Returns the number of connections that a process has accepted. */
async function accepted(pid: number): Promise<number> {
  const { output } = await shell(
    machine(),
    "ss -Htnp state all 'sport = :8080'",
  );
  return output.split("\n").filter((line) =>
    !line.startsWith("LISTEN") && line.includes(`pid=${pid},`)
  ).length;
}

forEachHost(NATIVE_HOSTS, (host) => {
  test(
    `killing instances on ${host.label} loses what they had accepted, and no client waits`,
    {
      skip: NO_MACHINE,
    },
    async (t) => {
      await installInstances(t, machine(), host, INSTANCES.length);
      await machine().request(WEB);
      await untilActive(machine(), INSTANCES);
      const load = startLoad(t, machine(), GROUPS);
      let sum = 0;
      for (let round = 0; round < ROUNDS; round++) {
        await load.progress(16);
        const unit = `hello@${1 + Math.floor(Math.random() * 2)}.service`;
        const pid = await machine().mainPid(unit);
        // It can't accept any more meanwhile, nor close what it has.
        await machine().systemctl("kill", "--signal=STOP", unit);
        sum += await accepted(pid);
        await machine().systemctl("kill", "--signal=KILL", unit);
        await load.progress(8);
        await eventually(
          "the next process",
          () => machine().mainPid(unit),
          (next) => next !== 0 && next !== pid,
        );
        await untilActive(machine(), INSTANCES);
      }
      await load.progress(16);
      const report = await load.stop();
      const failures = lost(report).reduce((a, b) => a + b);
      const message = `${sum} accepted: ${JSON.stringify(report)}`;
      t.diagnostic(`${answered(report)} answers, ${failures} lost, ${message}`);
      assert.ok(failures <= sum, message);
      for (const counts of Object.values(report)) {
        assert.equal(
          counts.refused + counts.wrong + counts.timeout,
          0,
          message,
        );
        assert.ok(counts.slowestMs <= LIMIT_MS, message);
      }
    },
  );
});

forEachHost(BUN, (host) => {
  test(
    "an instance that exceeds MemoryMax= is killed alone, and starts again",
    {
      skip: NO_MACHINE,
    },
    async (t) => {
      const { output } = await shell(
        machine(),
        "cat /sys/fs/cgroup/cgroup.controllers",
      );
      if (!output.includes("memory")) {
        return t.skip("no control of memory here");
      }
      addSettings(t, machine(), "memory", [
        "MemoryMax=200M",
        "MemorySwapMax=0",
      ]);
      await installInstances(t, machine(), host, 2);
      await machine().request(WEB);
      await untilActive(machine(), INSTANCES);
      const load = startLoad(t, machine(), GROUPS.slice(0, 1));
      await load.progress(8);
      await assert.rejects(machine().request(WEB, { path: "/fill?mib=400" }));
      await eventually("one restart", restarts, (counts) => counts === "0,1");
      await untilActive(machine(), INSTANCES);
      await load.progress(8);
      const report = await load.stop();
      const message = JSON.stringify(report);
      t.diagnostic(message);
      assert.ok(lost(report)[0]! <= COMMON.clients, message);
      const { stdout } = await machine().run(
        ...["journalctl", "--no-pager", "--output=cat", "--unit=hello@*"],
        ...["--grep=Failed with result 'oom-kill'", "--lines=1"],
      );
      assert.match(stdout, /hello@\d\.service: Failed with result 'oom-kill'/);
    },
  );

  test("WatchdogSec= ends a blocked instance alone, which starts again", {
    skip: NO_MACHINE,
  }, async (t) => {
    addSettings(t, machine(), "watchdog", [
      "WatchdogSec=2",
      // Without a core dump.
      "WatchdogSignal=SIGKILL",
    ]);
    await installInstances(t, machine(), host, 2);
    await machine().request(WEB);
    await untilActive(machine(), INSTANCES);
    const load = startLoad(t, machine(), GROUPS.slice(0, 2));
    await load.progress(8);
    const before = await Promise.all(
      INSTANCES.map((number) => machine().mainPid(`hello@${number}.service`)),
    );
    const blocked = machine().request(WEB, { path: "/block?ms=60000" })
      .then(() => assert.fail("answered"), () => {});
    // The other instance answers meanwhile, before the watchdog has noticed.
    await load.progress(1);
    await blocked;
    await eventually("one restart", restarts, (counts) => counts === "0,1");
    await untilActive(machine(), INSTANCES);
    await load.progress(8);
    const report = await load.stop();
    const message = JSON.stringify(report);
    t.diagnostic(message);
    const after = await Promise.all(
      INSTANCES.map((number) => machine().mainPid(`hello@${number}.service`)),
    );
    assert.equal(after.filter((pid) => before.includes(pid)).length, 1);
    const [fresh, kept] = lost(report);
    assert.ok(fresh! <= COMMON.clients, message);
    assert.ok(kept! <= COMMON.clients, message);
    for (const counts of Object.values(report)) {
      assert.equal(counts.refused + counts.wrong + counts.timeout, 0, message);
      assert.ok(counts.slowestMs <= LIMIT_MS, message);
    }
  });

  test(
    "clients beyond LimitNOFILE= of all instances wait, and are answered then",
    {
      skip: NO_MACHINE,
    },
    async (t) => {
      addSettings(t, machine(), "files", ["LimitNOFILE=80"]);
      await installInstances(t, machine(), host, 2);
      await machine().request(WEB);
      await untilActive(machine(), INSTANCES);
      let answers = 0;
      const open = async () => {
        const socket = await machine().connect(WEB) as net.Socket;
        t.after(() => socket.destroy());
        socket.once("data", () => answers++);
        socket.on("error", () => {});
        socket.write("GET /pid HTTP/1.1\r\nHost: hello\r\n\r\n");
        return socket;
      };
      const sockets: net.Socket[] = [];
      for (let count = 0; count < 200; count++) sockets.push(await open());
      // Each instance has a limit of its own: together, they have more than one.
      await eventually(
        "more than the limit of one to be answered",
        () => answers,
        (count) => count > 80,
      );
      assert.ok(answers < 160, String(answers));
      for (const socket of sockets.slice(0, 120)) socket.destroy();
      await eventually(
        "all others to be answered",
        () =>
          sockets.slice(120).filter(({ bytesRead }) => bytesRead > 0).length,
        (count) => count === 80,
      );
      for (const number of INSTANCES) {
        const unit = `hello@${number}.service`;
        assert.equal(await machine().property(unit, "NRestarts"), "0");
      }
    },
  );

  test("MaxConnections= of the socket unit limits nothing", {
    skip: NO_MACHINE,
  }, async (t) => {
    const directory = "/etc/systemd/system/hello.socket.d";
    fs.mkdirSync(machine().file(directory), { recursive: true });
    fs.writeFileSync(
      machine().file(`${directory}/limit.conf`),
      "[Socket]\nMaxConnections=1\n",
    );
    t.after(() => fs.rmSync(machine().file(directory), { recursive: true }));
    await installInstances(t, machine(), host, 2);
    const replies = await Promise.all(
      Array.from(
        { length: 20 },
        () => machine().request(WEB, { path: "/work?ms=200" }),
      ),
    );
    assert.ok(replies.every(({ status }) => status === 200));
  });
});
