/** The lines with which a written service notifies systemd. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "../../../../src/cli/shared/disk.ts";
import { UsageError } from "../../../../src/cli/shared/verb.ts";
import { unitFiles } from "../../../../src/cli/unit/files.ts";
import { planUnits } from "../../../../src/cli/unit/options.ts";
import { assertMessage } from "../../helpers.ts";

const disk: Disk = {
  status: () => ({ isFile: true, isDirectory: false, mode: 0o755 }),
  isExecutable: (path) => /^\/usr\/bin\/(?:deno|bun|node|app)$/.test(path),
  realPath: (path) => path,
  start: () => "",
};

/** The lines for a command, on a machine with these versions. */
function lines(
  versions: { readonly systemd?: number; readonly node?: number },
  ...args: readonly string[]
): string[] {
  const { plan } = planUnits(["app", "--socket=web=80", ...args], {
    disk,
    cwd: "/srv",
    searchPath: "/usr/bin",
    readVersion: (program) =>
      program === "systemctl"
        ? versions.systemd
        : program === "/usr/bin/node"
        ? versions.node
        : undefined,
  });
  const service = unitFiles(plan).find(({ name }) =>
    name.endsWith(".service")
  )!;
  return service.text.split("\n").filter((line) =>
    /^(?:Type|Notify|OpenFile|Watchdog|Restart|FileDescriptorStore|ExecReload)/
      .test(line)
  );
}

const WATCHDOG = ["WatchdogSec=30", "Restart=on-watchdog"];
const NODE = ["--", "node", "a"];

test("unit lets a program notify systemd in the way that its runtime has", () => {
  const direct = ["Type=notify", ...WATCHDOG];
  for (const systemd of [252, 253]) {
    assert.deepEqual(lines({ systemd }, "--", "bun", "a"), direct);
    assert.deepEqual(lines({ systemd, node: 26 }, ...NODE), direct);
    const deno = lines({ systemd }, "--native", "--", "deno", "run", "a");
    assert.deepEqual(deno, direct);
  }
  assert.deepEqual(lines({ systemd: 253, node: 24 }, ...NODE), [
    "Type=notify",
    "OpenFile=/run/systemd/notify:notify",
    ...WATCHDOG,
  ]);
  for (const versions of [{ systemd: 252, node: 24 }, { node: 24 }, {}]) {
    assert.deepEqual(lines(versions, ...NODE), [
      "Type=notify",
      "NotifyAccess=all",
      ...WATCHDOG,
    ]);
  }
});

test("unit doesn't wait for a program that can't notify systemd", () => {
  for (
    const args of [
      ["--", "deno", "run", "a"],
      ["--", "app"],
      ["--accept", "--", "bun", "a"],
      ["--no-notify", "--", "bun", "a"],
    ]
  ) assert.deepEqual(lines({ systemd: 257 }, ...args), ["Type=exec"]);
});

test("--reload, --watchdog and --store write their settings", () => {
  const bun = ["--", "bun", "a"];
  assert.deepEqual(
    lines({ systemd: 253 }, "--reload", "--watchdog=0", ...bun),
    [
      "Type=notify-reload",
    ],
  );
  assert.deepEqual(
    lines({ systemd: 252 }, "--reload", "--watchdog=5", ...bun),
    [
      "Type=notify",
      "ExecReload=/bin/kill -HUP $MAINPID",
      "ExecReload=/bin/sleep 1",
      "WatchdogSec=5",
      "Restart=on-watchdog",
    ],
  );
  assert.deepEqual(lines({}, "--store=7", "--watchdog=0", ...bun), [
    "Type=notify",
    "FileDescriptorStoreMax=7",
  ]);
});

test("--reload, --watchdog and --store are refused where they can't work", () => {
  const refused = (message: RegExp, ...args: string[]) =>
    assert.throws(() => lines({ node: 24 }, ...args), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assertMessage(error.message);
      assert.match(error.message, message);
      return true;
    });
  for (const option of ["--reload", "--watchdog=5", "--store=1"]) {
    refused(/"--no-notify" excludes/, "--no-notify", option, ...NODE);
    refused(/"--accept" excludes/, "--accept", option, ...NODE);
    refused(/"Deno without --native" excludes/, option, "--", "deno", "a");
    refused(/"a program that isn't run by/, option, "--", "app");
  }
  refused(/--store needs Node 26/, "--store=1", ...NODE);
  for (const value of ["x", "-1", "1.5", "1e3", "9".repeat(20)]) {
    refused(/expected --watchdog to be/, `--watchdog=${value}`, ...NODE);
  }
  refused(
    /expected --store to be a number of 1/,
    "--store=0",
    "--",
    "bun",
    "a",
  );
});
