/** The units in `examples/`, as they are shipped, with each runtime. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import { eventually } from "../harness/eventually.ts";
import { ROOT, TOOLS } from "../harness/hosts.ts";
import { readBlocks } from "../harness/markdown.ts";
import { test } from "../harness/timed_test.ts";

const machine = useMachine();
const NAMES = ["web", "admin", "echo"] as const;
const RUNTIMES = ["deno", "bun", "node"] as const;
type Runtime = typeof RUNTIMES[number];

/** What is in the machine's `/usr/local/bin`: each runtime, and each Node. */
const PROGRAMS: readonly { runtime: Runtime; program: string }[] = [
  ...RUNTIMES.map((runtime) => ({ runtime, program: runtime })),
  ...TOOLS.map(({ label }) => label.replace(" ", "-"))
    .filter((name) => name === "node-22" || name === "node-26")
    .map((program) => ({ runtime: "node" as const, program })),
];

function read(name: string): string {
  return fs.readFileSync(path.join(ROOT, "examples", name), "utf8");
}

/** A service unit with the command line for a runtime that it has. */
function serviceOn(
  name: string,
  runtime: Runtime,
  program: string,
): string {
  const text = read(`listenfds-${name}.service`);
  const lines = text.match(/^#?ExecStart=.*$/gm)!;
  assert.equal(lines.length, RUNTIMES.length);
  const wanted = lines.find((line) => line.includes(`/bin/${runtime} `))!
    .replace(`/bin/${runtime} `, `/bin/${program} `);
  // As the comments in the units say.
  const network = name === "web" && ["node", "node-22"].includes(program)
    ? "no"
    : "yes";
  const settings = text
    .replace(/^PrivateNetwork=yes$/m, `PrivateNetwork=${network}`)
    .replace(
      /^#?(?=CacheDirectory=|Environment=DENO_DIR=)/gm,
      runtime === "deno" ? "" : "#",
    );
  return settings.replace(/^#?ExecStart=.*\n/gm, "") +
    // The last section is that of the service.
    `${wanted.replace("#", "")}\n`;
}

/** Asks all that a name listens on, which takes one service. */
async function askAll(
  name: typeof NAMES[number],
  runtime: Runtime,
): Promise<void> {
  const expected = `hello from ${runtime} on ${name}\n`;
  if (name === "echo") {
    assert.equal(await machine().exchange({ port: 7777 }, "hi\n"), "hi\n");
    return;
  }
  const targets = name === "web"
    ? [{ port: 8080 }, { port: 8080, host: "::1" }]
    : [{ path: "/run/listenfds/admin.sock" }];
  for (const target of targets) {
    const { status, body } = await machine().request(target);
    assert.deepEqual([status, body], [200, expected]);
  }
}

/**
 * What systemd 258 and later log of every unit that ends where the machine has no
 * controller of the number of processes: nothing of the unit itself.
 */
const NO_PIDS_CONTROLLER =
  /^.*Failed to read pids\.max for control group .*: No data available$/gm;

/** Stops a service as an administrator does. */
async function stop(unit: string): Promise<void> {
  await machine().systemctl("stop", unit);
  const shown = await machine().systemctl("show", unit);
  assert.match(shown, /^Result=success$/m);
  assert.match(shown, /^ExecMainStatus=0$/m);
}

for (const name of NAMES) {
  for (const { runtime, program } of PROGRAMS) {
    test(`listenfds-${name} runs as it is shipped, on ${program}`, {
      skip: NO_MACHINE,
    }, async (t) => {
      const unit = `listenfds-${name}`;
      await machine().install(t, {
        [`${unit}.socket`]: read(`${unit}.socket`),
        [`${unit}.service`]: serviceOn(name, runtime, program),
      });
      await machine().systemctl("enable", "--now", `${unit}.socket`);
      await askAll(name, runtime);
      const shown = await eventually(
        "the service to be ready",
        () => machine().systemctl("show", `${unit}.service`),
        (text) => /^ActiveState=active$/m.test(text),
      );
      assert.match(shown, /^Type=notify$/m);
      const uid = /^UID=(\d+)$/m.exec(shown)![1];
      assert.ok(Number(uid) >= 61184, `the user id ${uid} is a dynamic one`);
      await stop(`${unit}.service`);
      // The sockets are still there, and start it again.
      await askAll(name, runtime);
      await stop(`${unit}.service`);
      await machine().systemctl("disable", "--now", `${unit}.socket`);
      const log = await machine().journal(`${unit}.service`);
      assert.doesNotMatch(
        log.replace(NO_PIDS_CONTROLLER, ""),
        /unknown key|ignoring|not supported|failed/i,
      );
    });
  }
}

async function installOne(t: TestContext): Promise<void> {
  const [service, dropIn] = readBlocks(
    "examples/README.md",
    "ini",
    "One service, three sockets",
  );
  const units: Record<string, string> = { "listenfds.service": service! };
  for (const name of NAMES) {
    const socket = `listenfds-${name}.socket`;
    units[socket] = read(socket);
    const directory = machine().file(`/etc/systemd/system/${socket}.d`);
    fs.mkdirSync(directory);
    t.after(() => fs.rmSync(directory, { recursive: true }));
    fs.writeFileSync(path.join(directory, "service.conf"), dropIn!);
  }
  await machine().install(t, units);
}

test("one service serves three sockets as examples/README.md says", {
  skip: NO_MACHINE,
}, async (t) => {
  await installOne(t);
  await machine().systemctl(
    "start",
    ...NAMES.map((name) => `listenfds-${name}.socket`),
  );
  for (const name of NAMES) await askAll(name, "node");
  const pid = await machine().mainPid("listenfds.service");
  assert.notEqual(pid, 0);
  await stop("listenfds.service");
  await askAll("echo", "node");
  assert.notEqual(await machine().mainPid("listenfds.service"), pid);
});

test("one service that is started by hand gets all three sockets", {
  skip: NO_MACHINE,
}, async (t) => {
  await installOne(t);
  await machine().systemctl("start", "listenfds.service");
  for (const name of NAMES) await askAll(name, "node");
});
