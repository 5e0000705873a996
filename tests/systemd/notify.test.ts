/** Readiness, watchdog, reload and the end of services, as systemd sees them. */

import assert from "node:assert/strict";
import fs from "node:fs";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { NO_MACHINE, SYSTEMD_VERSION, useMachine } from "./machine/machine.ts";
import {
  AUTO_HOSTS,
  serviceUnit,
  type Settings,
  socketUnit,
  type UnitHost,
} from "./machine/units.ts";
import { eventually } from "../harness/eventually.ts";
import { forEachHost } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";

const machine = useMachine();
const PROGRAM = "/opt/listenfds/tests/systemd/programs/notify.ts";
const UNIT = "notify.service";
const SOCKETS = ["notify-web.socket", "notify-admin.socket"];
const WEB = 8080;
const ADMIN = 8081;

/** From then on, the commands of `ExecReload=` alone are awaited. */
const NO_WAITING = SYSTEMD_VERSION >= 259 &&
  "systemd 259 and later wait for a reload with Type=notify-reload only";

/** The hosts that can notify the service manager. */
const NOTIFYING = AUTO_HOSTS.filter(({ http }) => http !== "serve");

/** Installs the two sockets and the service, and starts the sockets. */
async function install(
  t: TestContext,
  host: UnitHost,
  settings: Settings = {},
  ...args: string[]
): Promise<void> {
  const line = [...host.command, PROGRAM, ...args].map((word) =>
    `"${word.replaceAll('"', '\\"')}"`
  );
  await machine().install(t, {
    "notify-web.socket": socketUnit({
      FileDescriptorName: "web",
      ListenStream: `127.0.0.1:${WEB}`,
      Service: UNIT,
    }),
    "notify-admin.socket": socketUnit({
      FileDescriptorName: "admin",
      ListenStream: `127.0.0.1:${ADMIN}`,
      Service: UNIT,
    }),
    [UNIT]: serviceUnit(host, "", {
      Type: "notify",
      ExecStart: line.join(" "),
      Sockets: SOCKETS.join(" "),
      NonBlocking: "yes",
      // Of systemd-notify, where the runtime has no FFI.
      NotifyAccess: "all",
      TimeoutStartSec: 120,
      ...settings,
    }),
  });
  // A killed process of the test before may hold the ports for a moment.
  await eventually(
    "the sockets to listen",
    () => machine().run("systemctl", "start", ...SOCKETS),
    ({ status }) => status === 0,
    { intervalMs: 100 },
  );
}

async function get(path: string, port = WEB): Promise<string> {
  const { status, body } = await machine().request({ port }, { path });
  assert.equal(status, 200);
  return body;
}

function property(name: string): Promise<string> {
  return machine().property(UNIT, name);
}

async function untilProperty(name: string, expected: string): Promise<void> {
  await eventually(
    `${name} to be ${expected}`,
    () => property(name),
    (value) => value === expected,
  );
}

async function untilPrinted(line: string): Promise<void> {
  await eventually(
    `${line} in the journal`,
    () => machine().journal(UNIT),
    (text) => text.split("\n").includes(line),
  );
}

/** Removes a file in the machine, and returns its path outside. */
function absent(t: TestContext, path: string): string {
  const outside = machine().file(path);
  fs.rmSync(outside, { force: true });
  t.after(() => fs.rmSync(outside, { force: true }));
  return outside;
}

forEachHost(NOTIFYING, (host) => {
  const { label } = host;

  test(`systemctl start on ${label} returns when all names are served`, {
    skip: NO_MACHINE,
  }, async (t) => {
    const file = absent(t, "/run/notify-go");
    await install(t, host, {}, "--wait=/run/notify-go");
    const start = machine().systemctl("start", UNIT);
    assert.equal(await get("/"), await property("MainPID"));
    assert.equal(await property("ActiveState"), "activating");
    fs.writeFileSync(file, "");
    await start;
    assert.match(await machine().journal(UNIT), /^serving admin$/m);
    assert.equal(await property("ActiveState"), "active");
    assert.equal(await get("/", ADMIN), await property("MainPID"));
  });

  test(`a service on ${label} that can't serve a name never becomes ready`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(t, host, {}, "--names=web,missing");
    await assert.rejects(machine().systemctl("start", UNIT), /failed/);
    const journal = await machine().journal(UNIT);
    assert.match(journal, /Serving HTTP on "missing": no descriptor has/);
    assert.equal(await property("ActiveState"), "failed");
  });

  test(`a service on ${label} that serves a part says what it waits for`, {
    skip: NO_MACHINE,
  }, async (t) => {
    const settings = { TimeoutStartSec: 20 };
    await install(t, host, settings, "--names=web,missing", "--catch");
    const started = assert.rejects(machine().systemctl("start", UNIT));
    await untilProperty("StatusText", 'Waiting for "admin" to be served');
    await started;
    assert.equal(await property("Result"), "timeout");
  });

  test(`systemctl reload on ${label} returns after the handler`, {
    skip: NO_MACHINE || NO_WAITING,
  }, async (t) => {
    const file = absent(t, "/run/notify-reloaded");
    await install(t, host, {
      ExecReload: ["/bin/kill -HUP $MAINPID", "/bin/sleep 1"],
    }, "--reload=3000:/run/notify-reloaded");
    await machine().systemctl("start", UNIT);
    const pid = await property("MainPID");
    for (const lines of ["reloaded\n", "reloaded\nreloaded\n"]) {
      await machine().systemctl("reload", UNIT);
      assert.equal(fs.readFileSync(file, "utf8"), lines);
      assert.equal(await property("ActiveState"), "active");
    }
    assert.equal(await get("/"), pid);
  });

  test(`a failed reload on ${label} leaves the service ready, and says why`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(t, host, {
      ExecReload: ["/bin/kill -HUP $MAINPID", "/bin/sleep 1"],
    }, "--fail-reload");
    await machine().systemctl("start", UNIT);
    await machine().systemctl("reload", UNIT);
    await untilProperty("StatusText", 'Reloading failed: port "x" is taken');
    assert.equal(await property("ActiveState"), "active");
  });

  test(`WatchdogSec= on ${label} restarts a blocked event loop`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(t, host, {
      WatchdogSec: 2,
      Restart: "on-failure",
      // Not to write a core file of a gigabyte.
      WatchdogSignal: "SIGKILL",
    });
    await machine().systemctl("start", UNIT);
    const before = await property("MainPID");
    const blocked = get("/block?ms=60000").catch(() => "cut");
    await untilPrinted("blocking");
    // Sent to the process that is blocked, and answered by the next one.
    const waiting = await get("/", ADMIN);
    assert.notEqual(waiting, before);
    assert.equal(await blocked, "cut");
    assert.equal(await property("NRestarts"), "1");
    assert.match(await machine().journal(UNIT), /Watchdog timeout/);
  });

  test(`WatchdogSec= on ${label} never restarts a busy event loop`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(t, host, { WatchdogSec: 2, Restart: "on-failure" });
    await machine().systemctl("start", UNIT);
    const before = await property("MainPID");
    const end = performance.now() + 7000;
    while (performance.now() < end) {
      await Promise.all([1, 2, 3].map(() => get("/block?ms=150")));
    }
    assert.equal(await get("/"), before);
    assert.equal(await property("NRestarts"), "0");
  });

  for (const how of ["systemctl stop", "a signal", "the program itself"]) {
    test(`a drain on ${label} that ${how} begins lasts as the program says`, {
      skip: NO_MACHINE,
    }, async (t) => {
      await install(
        t,
        host,
        { TimeoutStopSec: 2 },
        '--options={"gracefulShutdown":{"timeout":30000}}',
      );
      await machine().systemctl("start", UNIT);
      const pid = await property("MainPID");
      const response = get("/wait?ms=6000");
      await untilPrinted("waiting");
      const done = how === "systemctl stop"
        ? machine().systemctl("stop", UNIT)
        : how === "a signal"
        ? machine().systemctl("kill", "--kill-who=main", UNIT)
        : get("/stop", ADMIN);
      assert.equal(await response, pid);
      await done;
      await untilProperty("ActiveState", "inactive");
      assert.equal(await property("Result"), "success");
    });
  }

  test(`TimeoutStopSec= on ${label} holds where the program sets no timeout`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(t, host, { TimeoutStopSec: 2 });
    await machine().systemctl("start", UNIT);
    const response = assert.rejects(get("/wait?ms=9000"));
    await untilPrinted("waiting");
    await machine().systemctl("stop", UNIT);
    await response;
    assert.equal(await property("Result"), "timeout");
  });

  test(`shutdown() of a server on ${label} doesn't stop the service`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(
      t,
      host,
      { TimeoutStopSec: 1 },
      '--options={"gracefulShutdown":{"timeout":30000}}',
    );
    await machine().systemctl("start", UNIT);
    const pid = await property("MainPID");
    await get("/shutdown?name=admin", WEB);
    await untilPrinted("shut down");
    // TimeoutStopSec= would have passed.
    await sleep(2000);
    assert.equal(await get("/"), pid);
    assert.equal(await property("SubState"), "running");
  });

  test(`a program on ${label} that notifies itself is left alone`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(t, host, {}, '--options={"notify":false}');
    const start = machine().systemctl("start", UNIT);
    await untilPrinted("serving admin");
    const send = (message: object) =>
      get(`/notify?message=${encodeURIComponent(JSON.stringify(message))}`);
    // systemd removes backslashes, and ignores a message that ends with one.
    assert.equal(await send({ status: "C:\\x\\" }), "true");
    await untilProperty("StatusText", "C:\\x\\");
    assert.equal(await send({ status: "loading" }), "true");
    await untilProperty("StatusText", "loading");
    assert.equal(await property("ActiveState"), "activating");
    assert.equal(await send({ ready: true, status: "" }), "true");
    await start;
    await untilProperty("StatusText", "");
    assert.equal(await get("/barrier"), "true");
    await send({ errno: 2, extendTimeoutMs: 1000 });
    await untilProperty("StatusErrno", "2");
  });

  test(`a program on ${label} can spawn systemd-notify`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(t, host, {}, '--options={"notify":false}');
    const start = machine().systemctl("start", UNIT);
    await untilPrinted("serving admin");
    const ran = await get("/spawn?argument=--ready&argument=STATUS=spawned");
    assert.deepEqual(JSON.parse(ran), { status: 0, stderr: "" });
    await start;
    assert.equal(await property("StatusText"), "spawned");
  });
});

// Without FFI, descriptors can't be duplicated, and are closed with their server.
forEachHost(
  NOTIFYING.filter(({ label }) => label !== "node 22" && label !== "node 24"),
  (host) => {
    const { label } = host;

    test(`a program on ${label} that knows nothing of it can listen again`, {
      skip: NO_MACHINE,
    }, async (t) => {
      const option = host.runtime === "node" ? "--import" : "--preload";
      const command = [
        ...host.command,
        `${option}=/opt/listenfds/src/preload/mod.ts`,
        "/opt/listenfds/tests/systemd/programs/listen_again.ts",
      ];
      await install(t, host, {
        ExecStart: command.join(" "),
        Environment: [
          "LISTENFDS_MAP=web=3000,admin=3001",
          "LISTENFDS_SHUTDOWN_TIMEOUT=30s",
          "DENO_DIR=/run/deno",
        ],
        TimeoutStopSec: 1,
        WatchdogSec: 2,
      });
      await machine().systemctl("start", UNIT);
      const pid = await property("MainPID");
      assert.equal(await get("/"), pid);
      assert.equal(await get("/again", ADMIN), pid);
      await untilPrinted("listening again");
      // TimeoutStopSec= and WatchdogSec= would have passed.
      await sleep(3000);
      assert.equal(await get("/"), pid);
      assert.equal(await property("SubState"), "running");
      await machine().systemctl("stop", UNIT);
      assert.equal(await property("Result"), "success");
    });
  },
);
