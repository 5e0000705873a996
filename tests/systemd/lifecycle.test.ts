/** When services start, stop, fail, and start again. */

import assert from "node:assert/strict";
import fs from "node:fs";
import type { TestContext } from "node:test";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import {
  MAIN_HOSTS,
  serviceUnit,
  type Settings,
  socketUnit,
  type UnitHost,
} from "./machine/units.ts";
import { eventually } from "../harness/eventually.ts";
import { forEachHost } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";

const machine = useMachine();
/** Installs `pair.socket` on port 8080 and its service. */
function install(
  t: TestContext,
  host: UnitHost,
  settings: Settings = {},
  { args = "", unit = {}, socket = {} } = {},
): Promise<void> {
  return machine().install(t, {
    "pair.socket": socketUnit({
      FileDescriptorName: "web",
      ListenStream: "127.0.0.1:8080",
      ...socket,
    }),
    "pair.service": serviceUnit(
      host,
      `${args} ${host.http}=web`,
      settings,
      unit,
    ),
  });
}

/** The process that answers on the port. */
async function pidOf(): Promise<number> {
  const { status, body } = await machine().request(
    { port: 8080 },
    { path: "/pid" },
  );
  assert.equal(status, 200);
  return Number(body);
}

function state(unit: string): Promise<string> {
  return machine().property(unit, "ActiveState");
}

function isRefused(error: NodeJS.ErrnoException): boolean {
  return error.code === "ECONNREFUSED";
}

forEachHost(MAIN_HOSTS, (host) => {
  const { label } = host;

  test(`a service on ${label} starts with the first connection`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(t, host);
    await machine().systemctl("start", "pair.socket");
    assert.equal(await state("pair.service"), "inactive");
    const pid = await pidOf();
    assert.equal(await machine().mainPid("pair.service"), pid);
    assert.equal(await state("pair.service"), "active");
    assert.equal(await pidOf(), pid);
  });

  test(
    `a service on ${label} is handed its socket when it is started by hand`,
    { skip: NO_MACHINE },
    async (t) => {
      await install(t, host, {}, { unit: { Requires: "pair.socket" } });
      await machine().systemctl("start", "pair.service");
      assert.equal(await state("pair.socket"), "active");
      const pid = await machine().mainPid("pair.service");
      assert.equal(await pidOf(), pid);
    },
  );

  test(`a service on ${label} is restarted on the same socket`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(t, host);
    await machine().systemctl("start", "pair.socket");
    const before = await pidOf();
    await machine().systemctl("restart", "pair.service");
    const after = await pidOf();
    assert.notEqual(after, before);
    assert.equal(await machine().mainPid("pair.service"), after);
    assert.equal(await machine().property("pair.service", "Result"), "success");
  });

  test(
    `a service on ${label} that is stopped first is started by the socket again`,
    { skip: NO_MACHINE },
    async (t) => {
      await install(t, host);
      await machine().systemctl("start", "pair.socket");
      const before = await pidOf();
      await machine().systemctl("stop", "pair.service");
      assert.equal(await state("pair.service"), "inactive");
      assert.equal(await state("pair.socket"), "active");
      assert.notEqual(await pidOf(), before);
      await machine().systemctl("stop", "pair.service");
      await machine().systemctl("stop", "pair.socket");
      await assert.rejects(pidOf(), isRefused);
    },
  );

  test(
    `a service on ${label} goes on serving when its socket unit is stopped first`,
    { skip: NO_MACHINE },
    async (t) => {
      await install(t, host);
      await machine().systemctl("start", "pair.socket");
      const pid = await pidOf();
      await machine().systemctl("stop", "pair.socket");
      assert.equal(await state("pair.service"), "active");
      assert.equal(await pidOf(), pid);
      await machine().systemctl("stop", "pair.service");
      await assert.rejects(pidOf(), isRefused);
      await machine().systemctl("start", "pair.socket");
      assert.notEqual(await pidOf(), pid);
    },
  );

  test(`Restart=on-failure on ${label} serves again after a crash`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(t, host, { Restart: "on-failure" });
    await machine().systemctl("start", "pair.socket");
    const before = await pidOf();
    await machine().systemctl("kill", "--signal=KILL", "pair.service");
    // A request waits, whether it comes before or after the crash is noticed.
    const after = await eventually(
      "another process",
      () => pidOf().catch(() => before),
      (pid) => pid !== before,
    );
    assert.equal(await machine().mainPid("pair.service"), after);
    await machine().systemctl("kill", "--signal=KILL", "pair.service");
    await eventually(
      "the service to be started without a client",
      () => machine().mainPid("pair.service"),
      (pid) => pid !== 0 && pid !== after,
    );
    assert.match(
      await machine().journal("pair.service"),
      /Scheduled restart job, restart counter is at/,
    );
  });

  test(
    `a service on ${label} that fails at start leaves the connection waiting`,
    { skip: NO_MACHINE },
    async (t) => {
      const flag = "/run/fail";
      const reads = host.inspects ? [] : [`--allow-read=${flag}`];
      await install(
        t,
        { ...host, command: [...host.command, ...reads] },
        {},
        {
          args: `--fail-while=${flag}`,
          // As often as it takes: the limits make the socket fail, too.
          unit: { StartLimitIntervalSec: 0 },
          socket: { TriggerLimitIntervalSec: 0 },
        },
      );
      fs.writeFileSync(machine().file(flag), "");
      t.after(() => fs.rmSync(machine().file(flag), { force: true }));
      await machine().systemctl("start", "pair.socket");
      let isAnswered = false;
      const answer = pidOf().finally(() => isAnswered = true);
      await eventually(
        "two failures",
        () => machine().journal("pair.service"),
        (text) => text.split("failing on purpose").length > 2,
      );
      assert.equal(isAnswered, false);
      fs.rmSync(machine().file(flag));
      assert.equal(await answer, await machine().mainPid("pair.service"));
    },
  );
});
