/** The units and programs of docs/notify.md, as they stand. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { HELLO } from "./load/hello.ts";
import {
  lacksVersion,
  NO_MACHINE,
  SYSTEMD_VERSION,
  useMachine,
} from "./machine/machine.ts";
import { LIBRARY, writeProgram } from "./machine/package.ts";
import { socketUnit } from "./machine/units.ts";
import { eventually } from "../harness/eventually.ts";
import { DENO_PERMISSIONS, ROOT } from "../harness/hosts.ts";
import { readBlocks } from "../harness/markdown.ts";
import { test } from "../harness/timed_test.ts";

const machine = useMachine();
const PAGE = "docs/notify.md";
const UNIT = "app.service";

/** The unit of the introduction, which other blocks of the page add settings to. */
const [SERVICE] = readBlocks(PAGE, "ini") as [string];
const PROGRAM = /^ExecStart=\S+ (\S+)$/m.exec(SERVICE)![1]!;

/** Returns the unit of the introduction with another command. */
function withCommand(...command: string[]): string {
  return SERVICE.replace(/^ExecStart=.*$/m, `ExecStart=${command.join(" ")}`);
}

/** Installs a unit with a socket of its name, and a program. */
async function install(
  t: TestContext,
  service: string,
  program: string,
  hasSocket = true,
): Promise<void> {
  writeProgram(machine(), PROGRAM, program);
  await machine().install(t, {
    [UNIT]: service,
    ...hasSocket && {
      "app.socket": socketUnit({
        FileDescriptorName: "web",
        ListenStream: "127.0.0.1:8080",
      }),
    },
  });
  if (hasSocket) await machine().systemctl("start", "app.socket");
}

function property(name: string): Promise<string> {
  return machine().property(UNIT, name);
}

async function get(path: string): Promise<string> {
  return (await machine().request({ port: 8080 }, { path })).body;
}

/** Starts the service, which is then ready, and asks it. */
async function assertServes(): Promise<void> {
  await machine().systemctl("start", UNIT);
  assert.equal(await property("ActiveState"), "active");
  assert.equal(await get("/page"), "hello from /page\n");
  assert.equal(await property("NRestarts"), "0");
}

test("the first unit of docs/notify.md needs no code to be ready", {
  skip: NO_MACHINE,
}, async (t) => {
  await install(t, SERVICE, HELLO);
  await assertServes();
  await machine().systemctl("stop", UNIT);
  assert.equal(await property("Result"), "success");
});

test("the flags of docs/notify.md let a service on Deno notify", {
  skip: NO_MACHINE,
}, async (t) => {
  const page = fs.readFileSync(path.join(ROOT, PAGE), "utf8");
  const [, flags] = /^\| Deno +\|.*`(--.*)`/m.exec(page)!;
  const unit = withCommand(
    "/usr/local/bin/deno run --cached-only",
    `--config=${LIBRARY}/deno.json`,
    ...DENO_PERMISSIONS,
    flags!,
    PROGRAM,
  ) + "Environment=DENO_DIR=/run/deno\n";
  await install(t, unit, HELLO);
  await assertServes();
});

test("the messages of docs/notify.md are sent", {
  skip: NO_MACHINE,
}, async (t) => {
  const [program] = readBlocks(PAGE, "ts", "Messages of the program");
  await install(t, SERVICE, program!, false);
  await machine().systemctl("start", UNIT);
  await eventually(
    "the time of the watchdog",
    () => machine().journal(UNIT),
    (text) => text.split("\n").includes("30000"),
  );
  assert.equal(await property("Result"), "success");
});

test("the reload of docs/notify.md waits for the handler", {
  skip: NO_MACHINE,
}, async (t) => {
  const [newer, older] = readBlocks(PAGE, "ini", "Reload");
  const [program] = readBlocks(PAGE, "ts", "Reload");
  // The last line with a type counts.
  const unit = SERVICE + (SYSTEMD_VERSION < 253 ? older : newer);
  await install(t, unit, program! + HELLO);
  await assertServes();
  const pid = await property("MainPID");
  await machine().systemctl("reload", UNIT);
  assert.match(
    await machine().journal(UNIT),
    /^reading the configuration again$/m,
  );
  assert.equal(await property("MainPID"), pid);
  assert.equal(await property("ActiveState"), "active");
});

test("the store of docs/notify.md keeps the socket of a fallback", {
  skip: NO_MACHINE,
}, async (t) => {
  const heading = "Restarts without a socket unit";
  const [settings] = readBlocks(PAGE, "ini", heading);
  const [program] = readBlocks(PAGE, "ts", heading);
  const unit = `${settings}ExecStart=/usr/local/bin/bun ${PROGRAM}\n`;
  await install(t, unit, program!, false);
  await machine().systemctl("start", UNIT);
  assert.equal(await get("/"), "hello\n");
  await eventually(
    "the stored socket",
    () => property("NFileDescriptorStore"),
    (count) => count === "1",
  );
  await machine().systemctl("restart", UNIT);
  const file = machine().file(`/proc/${await property("MainPID")}/environ`);
  assert.match(fs.readFileSync(file, "utf8"), /(^|\0)LISTEN_FDNAMES=web\0/);
  assert.equal(await get("/"), "hello\n");
  await machine().systemctl("stop", UNIT);
  await eventually(
    "the end of the stored socket",
    () => get("/").catch(({ code }) => code),
    (outcome) => outcome === "ECONNREFUSED",
  );
});

test("the files of docs/notify.md are read and written", {
  skip: lacksVersion(253),
}, async (t) => {
  const [settings] = readBlocks(PAGE, "ini", "Files");
  const [program] = readBlocks(PAGE, "ts", "Files");
  fs.mkdirSync(machine().file("/etc/app"));
  fs.writeFileSync(machine().file("/etc/app/key.pem"), "a key", {
    mode: 0o600,
  });
  const log = machine().file("/var/log/app.log");
  fs.writeFileSync(log, "begun\n", { mode: 0o600 });
  const unit = `${SERVICE}Type=oneshot\nDynamicUser=yes\n${settings}`;
  await install(t, unit, program!, false);
  await machine().systemctl("start", UNIT);
  assert.equal(fs.readFileSync(log, "utf8"), "begun\nread 5 bytes\n");
});
