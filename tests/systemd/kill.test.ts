/** A service that is killed loses what it had accepted, and nothing else. */

import assert from "node:assert/strict";
import type http from "node:http";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import { answered, installLoaded, lost, startLoad } from "./load/under_load.ts";
import { NATIVE_HOSTS } from "./machine/units.ts";
import { eventually } from "../harness/eventually.ts";
import { forEachHost } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";

const machine = useMachine();
/** The number of times that it is killed under load. */
const ROUNDS = 5;

/** Returns the number of connections that a process has accepted. */
async function accepted(pid: number): Promise<number> {
  const { stdout } = await machine().run(
    ...["ss", "-Htnp", "state", "all", "sport = :8080"],
  );
  return stdout.split("\n").filter((line) =>
    !line.startsWith("LISTEN") && line.includes(`pid=${pid},`)
  ).length;
}

function kill(signal: string): Promise<string> {
  const args = ["kill", `--signal=${signal}`, "loaded.service"];
  return machine().systemctl(...args);
}

forEachHost(NATIVE_HOSTS, (host) => {
  test(`killing ${host.label} loses exactly what it had accepted`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await installLoaded(t, machine(), host, "graceful");
    const ask = (options: http.RequestOptions) =>
      machine().request({ port: 8080 }, options);
    const before = Number((await ask({ path: "/pid" })).body);
    const taken = Array.from(
      { length: 10 },
      () =>
        ask({ path: "/work?ms=60000" }).then(() => "answered", () => "lost"),
    );
    await eventually(
      "ten connections to be accepted",
      () => accepted(before),
      (count) => count === 10,
    );
    // From here on it accepts nothing: what comes waits in the kernel.
    await kill("STOP");
    const waiting = Array.from({ length: 40 }, () => ask({ path: "/pid" }));
    await eventually(
      "forty connections to wait",
      () => machine().run("ss", "-Hltn", "sport = :8080"),
      ({ stdout }) => Number(stdout.split(/\s+/)[1]) === 40,
    );
    assert.equal(await accepted(before), 10);
    await kill("KILL");
    const answers = await Promise.all(waiting);
    const pids = new Set(answers.map(({ body }) => body));
    assert.equal(pids.size, 1);
    assert.ok(!pids.has(String(before)));
    assert.deepEqual(await Promise.all(taken), Array(10).fill("lost"));
  });

  test(`killing ${host.label} under load loses no more than it had accepted`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await installLoaded(t, machine(), host, "graceful");
    const common = { clients: 16, handlerMs: 0, pauseMs: 10 };
    const load = startLoad(t, machine(), [
      { ...common, name: "new connections", keepAlive: false },
      { ...common, name: "keep-alive", keepAlive: true },
      { ...common, name: "slow", keepAlive: false, handlerMs: 100 },
    ]);
    let sum = 0;
    for (let round = 0; round < ROUNDS; round++) {
      await load.progress(16);
      const pid = await machine().mainPid("loaded.service");
      await kill("STOP");
      // It can't accept any more meanwhile, nor close what it has.
      sum += await accepted(pid);
      await kill("KILL");
    }
    await load.progress(16);
    const report = await load.stop();
    const failures = lost(report).reduce((a, b) => a + b);
    const message = `${sum} accepted: ${JSON.stringify(report)}`;
    assert.ok(failures > 0, message);
    assert.ok(failures <= sum, message);
    assert.ok(answered(report) > ROUNDS * 3 * 16, message);
    for (const counts of Object.values(report)) {
      assert.equal(counts.refused + counts.wrong + counts.timeout, 0, message);
    }
  });
});
