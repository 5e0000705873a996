/** The store of descriptors: restarts without a socket unit lose nothing. */

import assert from "node:assert/strict";
import { once } from "node:events";
import process from "node:process";
import type { TestContext } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { forEachHost } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";
import { groups, lost, measureRestarts } from "./load/under_load.ts";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import {
  AUTO_HOSTS,
  serviceUnit,
  type Settings,
  socketUnit,
  type UnitHost,
} from "./machine/units.ts";

const machine = useMachine();
const RESTARTS = Number(process.env["LISTENFDS_RESTARTS"] ?? 4);
const PROGRAM = "/opt/listenfds/tests/systemd/programs/store.ts";
const KINDS = "/opt/listenfds/tests/systemd/programs/store_kinds.ts";
const UNIT = "loaded.service";

const STORING = AUTO_HOSTS.filter(({ http, label }) =>
  http !== "serve" && label !== "node 22" && label !== "node 24"
);
const WITHOUT_FFI = AUTO_HOSTS.filter(({ label }) => label === "node 24");

async function install(
  t: TestContext,
  host: UnitHost,
  args: string,
  settings: Settings = {},
  units: Readonly<Record<string, string>> = {},
): Promise<void> {
  await machine().install(t, {
    ...units,
    [UNIT]: serviceUnit(host, "", {
      Type: "notify",
      ExecStart: [...host.command, PROGRAM, args].join(" "),
      FileDescriptorStoreMax: 10,
      TimeoutStopSec: 60,
      ...settings,
    }, { StartLimitIntervalSec: 0 }),
  });
}

interface About {
  readonly pid: number;
  readonly names: readonly string[];
  readonly backend: string;
}

async function about(): Promise<About> {
  const { status, body } = await machine().request({ port: 8080 }, {
    path: "/about",
  });
  assert.equal(status, 200);
  return JSON.parse(body);
}

async function get(path: string): Promise<unknown> {
  return JSON.parse(
    (await machine().request({ port: 8080 }, { path })).body,
  );
}

async function untilStored(count: number): Promise<void> {
  await eventually(
    `${count} stored descriptors`,
    () => machine().property(UNIT, "NFileDescriptorStore"),
    (found) => found === String(count),
  );
}

forEachHost(STORING, (host) => {
  const { label } = host;

  test(`${RESTARTS} restarts from the store on ${label} lose nothing`, {
    skip: NO_MACHINE,
    timeout: 240_000 + RESTARTS * 10_000,
  }, async (t) => {
    await install(t, host, "");
    await machine().systemctl("start", UNIT);
    const clients = [false, true].flatMap((keepAlive) =>
      groups(keepAlive).filter(({ content }) => content === undefined)
        .map((group) => ({
          ...group,
          name: `${group.name} ${keepAlive ? "kept" : "new"}`,
        }))
    );
    const report = await measureRestarts(t, machine(), clients, RESTARTS);
    const message = JSON.stringify(report);
    t.diagnostic(message);
    assert.deepEqual(lost(report), clients.map(() => 0), message);
    assert.deepEqual((await about()).names, ["web"]);
    await untilStored(1);
  });

  test(`what a service on ${label} stores comes back by name`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(t, host, "raw", { Restart: "always" });
    await machine().systemctl("start", UNIT);
    const first = await about();
    assert.deepEqual(first.names, []);
    await untilStored(2);
    const echo = () => machine().exchange({ port: 8081 }, "ping");
    assert.equal(await echo(), "ping");
    await machine().systemctl("restart", UNIT);
    const second = await about();
    assert.deepEqual([...second.names].sort(), ["raw", "web"]);
    assert.equal(second.backend, first.backend);
    assert.equal(await echo(), "ping");
    await machine().systemctl("kill", "--signal=KILL", UNIT);
    // Waits in the queue of the stored socket.
    const third = await about();
    assert.notEqual(third.pid, second.pid);
    assert.deepEqual([...third.names].sort(), ["raw", "web"]);
    assert.equal(await get("/remove?name=raw"), true);
    await untilStored(1);
    // A listener of the runtime's own, found by its address.
    assert.equal(await get("/store"), true);
    // The same open socket is not stored twice.
    await untilStored(1);
    await machine().systemctl("stop", UNIT);
    // systemd closes what it has stored a moment after the service has stopped.
    await eventually(
      "the end of the stored socket",
      () => about().then(() => "answered", ({ code }) => code),
      (outcome) => outcome === "ECONNREFUSED",
    );
    await machine().systemctl("start", UNIT);
    assert.deepEqual((await about()).names, []);
  });

  test(`a stored fallback on ${label} is served again by the same process`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(t, host, "");
    await machine().systemctl("start", UNIT);
    const { pid } = await about();
    for (const count of [1, 2]) {
      await machine().request({ port: 8080 }, { path: "/again" });
      await eventually(
        "the next server",
        () => machine().journal(UNIT),
        (text) => text.split("serving again").length > count,
      );
      assert.equal((await about()).pid, pid);
    }
    await untilStored(1);
    await machine().systemctl("restart", UNIT);
    assert.deepEqual((await about()).names, ["web"]);
  });

  test(`a path, a memory file and a connection come back on ${label}`, {
    skip: NO_MACHINE,
  }, async (t) => {
    const path = "/run/stored.sock";
    const about = async () => {
      const { body } = await machine().request({ path });
      return JSON.parse(body);
    };
    await install(t, host, "", {
      ExecStart: [...host.command, KINDS, path, 8083].join(" "),
      // systemd passes this as a memory file.
      StandardInput: "data",
      StandardInputText: "remembered",
    });
    await machine().systemctl("start", UNIT);
    const first = await about();
    assert.deepEqual([first.names, first.state], [[], "none"]);
    const client = await machine().connect({ port: 8083 });
    t.after(() => client.destroy());
    const echo = async (text: string) => {
      client.write(text);
      assert.equal(String((await once(client, "data"))[0]), text);
    };
    await echo("one");
    await untilStored(3);
    for (const text of ["two", "three"]) {
      await machine().systemctl("restart", UNIT);
      await echo(text);
      const { pid, names, state } = await about();
      assert.notEqual(pid, first.pid);
      assert.deepEqual(names, ["live", "memory", "web"]);
      assert.equal(state, "remembered\n");
    }
    await machine().systemctl("stop", UNIT);
    await machine().systemctl("start", UNIT);
    // The path of the socket before is there, and nobody listens on it.
    assert.deepEqual((await about()).names, []);
  });

  test(`a fallback that is stored is bound beside other sockets on ${label}`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(t, host, "", { Type: "exec", Sockets: "other.socket" }, {
      "other.socket": socketUnit({
        FileDescriptorName: "other",
        ListenStream: "127.0.0.1:8082",
        Service: UNIT,
      }),
    });
    await machine().systemctl("start", "other.socket");
    await machine().systemctl("start", UNIT);
    const read = () =>
      eventually("an answer", () => about().catch(() => undefined));
    assert.deepEqual((await read()).names, ["other"]);
    await machine().systemctl("restart", UNIT);
    assert.deepEqual([...(await read()).names].sort(), ["other", "web"]);
  });
});

forEachHost(WITHOUT_FFI, (host) => {
  test(`a fallback can't be stored on ${host.label}, which says so`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(t, host, "", { NotifyAccess: "all" });
    await assert.rejects(machine().systemctl("start", UNIT));
    assert.match(
      await machine().journal(UNIT),
      /Serving HTTP on "web": Node 24.* can't send descriptors .* use Node 26/,
    );
  });
});
