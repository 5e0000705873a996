/** What later versions of systemd have for services that notify it. */

import assert from "node:assert/strict";
import fs from "node:fs";
import type { TestContext } from "node:test";
import { lacksVersion, useMachine } from "./machine/machine.ts";
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
const UNIT = "newer.service";

const NOTIFYING = AUTO_HOSTS.filter(({ http }) => http !== "serve");
const WITHOUT_FFI = AUTO_HOSTS.filter(({ label }) =>
  label === "node 22" || label === "node 24"
);

async function install(
  t: TestContext,
  host: UnitHost,
  settings: Settings,
  ...args: string[]
): Promise<void> {
  await machine().install(t, {
    "newer.socket": socketUnit({
      FileDescriptorName: "web",
      ListenStream: "127.0.0.1:8090",
    }),
    [UNIT]: serviceUnit(host, "", {
      ExecStart: [...host.command, PROGRAM, "--names=web", ...args].join(" "),
      Sockets: "newer.socket",
      NonBlocking: "yes",
      NotifyAccess: "all",
      TimeoutStartSec: 120,
      ...settings,
    }),
  });
}

function property(name: string): Promise<string> {
  return machine().property(UNIT, name);
}

async function get(path: string): Promise<string> {
  return (await machine().request({ port: 8090 }, { path })).body;
}

forEachHost(NOTIFYING, (host) => {
  test(`Type=notify-reload on ${host.label} waits for the handler`, {
    skip: lacksVersion(253),
  }, async (t) => {
    const file = machine().file("/run/newer-reloaded");
    fs.rmSync(file, { force: true });
    await install(
      t,
      host,
      { Type: "notify-reload" },
      "--reload=1500:/run/newer-reloaded",
    );
    await machine().systemctl("start", UNIT);
    for (const lines of ["reloaded\n", "reloaded\nreloaded\n"]) {
      await machine().systemctl("reload", UNIT);
      assert.equal(fs.readFileSync(file, "utf8"), lines);
      assert.equal(await property("ActiveState"), "active");
    }
  });

  test(`LISTEN_PIDFDID on ${host.label} is that of the service itself`, {
    skip: lacksVersion(259),
  }, async (t) => {
    await install(t, host, { Type: "notify" });
    await machine().systemctl("start", UNIT);
    assert.equal(await get("/"), await property("MainPID"));
    const file = machine().file(`/proc/${await property("MainPID")}/environ`);
    assert.match(fs.readFileSync(file, "utf8"), /\0LISTEN_PIDFDID=\d+\0/);
  });
});

forEachHost(NOTIFYING, (host) => {
  test(
    `OpenFile= on ${host.label} passes files that the service can't open itself`,
    {
      skip: lacksVersion(253),
    },
    async (t) => {
      const secret = machine().file("/run/newer-secret");
      const log = machine().file("/run/newer-log");
      fs.writeFileSync(secret, "secret", { mode: 0o600 });
      fs.writeFileSync(log, "old\n", { mode: 0o600 });
      const operations = JSON.stringify([
        ["open", "secret"],
        ["bytes", "secret"],
        ["open", "log"],
        ["write", "log", "new"],
        ["unclaimed"],
      ]).replaceAll('"', '\\"');
      await install(t, host, {
        Type: "oneshot",
        RemainAfterExit: "yes",
        DynamicUser: "yes",
        Sockets: "",
        OpenFile: [
          "/run/newer-secret:secret:read-only",
          "/run/newer-log:log:append",
        ],
        ExecStart: [
          ...host.command,
          "/opt/listenfds/tests/fixtures/file_user.ts",
          `"${operations}"`,
        ].join(" "),
        ...host.runtime === "deno" && {
          CacheDirectory: "newer",
          Environment: "DENO_DIR=%C/newer",
        },
      });
      await machine().systemctl("start", UNIT);
      const lines = (await machine().journal(UNIT)).split("\n");
      const printed = lines.filter((line) => /^["[{]|^null$/.test(line));
      assert.deepEqual(printed.map((line) => JSON.parse(line)), [
        ["file", "read"],
        "secret",
        // systemd opens it for reading, too.
        ["file", "read-write"],
        null,
        [],
      ]);
      assert.equal(fs.readFileSync(log, "utf8"), "old\nnew");
    },
  );
});

forEachHost(WITHOUT_FFI, (host) => {
  test(`OpenFile= of the notify socket is what ${host.label} writes to`, {
    skip: lacksVersion(253),
  }, async (t) => {
    await install(t, host, {
      Type: "notify",
      OpenFile: "/run/systemd/notify:notify",
      // Only the process itself is heard, and as another user than root.
      NotifyAccess: "main",
      DynamicUser: "yes",
      WatchdogSec: 2,
      // A message that comes before the activation is read takes the same way.
    }, "--status=loading");
    await machine().systemctl("start", UNIT);
    assert.equal(await property("StatusText"), "loading");
    const pid = await property("MainPID");
    const message = encodeURIComponent('{"status":"by its descriptor"}');
    assert.equal(await get(`/notify?message=${message}`), "true");
    await eventually(
      "the status",
      () => property("StatusText"),
      (text) => text === "by its descriptor",
    );
    // For longer than the watchdog's time.
    const end = performance.now() + 3000;
    while (performance.now() < end) assert.equal(await get("/"), pid);
    assert.equal(await property("NRestarts"), "0");
  });

  test(
    `OpenFile= of the notify socket alone on ${host.label} activates nothing`,
    {
      skip: lacksVersion(253),
    },
    async (t) => {
      await install(
        t,
        host,
        {
          Type: "notify",
          OpenFile: "/run/systemd/notify:notify",
          Sockets: "",
        },
        '--options={"notify":false,"fallback":{"port":8090}}'.replaceAll(
          '"',
          '\\"',
        ),
      );
      const started = machine().systemctl("start", UNIT);
      const message = encodeURIComponent('{"ready":true}');
      const sent = await eventually(
        "the fallback to listen",
        () => get(`/notify?message=${message}`).catch(() => undefined),
      );
      assert.equal(sent, "true");
      await started;
    },
  );
});
