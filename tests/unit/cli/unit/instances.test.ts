/** The units of several processes on the same sockets. */

import assert from "node:assert/strict";
import os from "node:os";
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

const WEB = "--socket=web=127.0.0.1:80";
const BUN = ["--", "bun", "a.ts"];

function request(...args: readonly string[]): ReturnType<typeof planUnits> {
  return planUnits(args, { disk, cwd: "/srv", searchPath: "/usr/bin" });
}

/** The units that arguments ask for, by their names. */
function units(...args: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    unitFiles(request(...args).plan).map(({ name, text }) => [name, text]),
  );
}

/** The values of one setting. */
function values(text: string | undefined, setting: string): string[] {
  return text!.split("\n").flatMap((line) =>
    line.startsWith(`${setting}=`) ? [line.slice(setting.length + 1)] : []
  );
}

test("--instances writes a template, its target and its socket", () => {
  const written = units("hello", WEB, "--instances=3", ...BUN);
  assert.deepEqual(Object.keys(written), [
    "hello@.service",
    "hello.target",
    "hello.socket",
  ]);
  const names = "hello@1.service hello@2.service hello@3.service";
  const service = written["hello@.service"];
  for (
    const [setting, expected] of Object.entries({
      Description: "hello, on Bun: instance %i",
      Requires: "hello.socket",
      After: "hello.socket",
      Sockets: "hello.socket",
      PartOf: "hello.target",
      Wants: `hello.target ${names}`,
      WantedBy: "hello.target hello@1.service",
      NonBlocking: "yes",
      Type: "notify",
      Restart: "on-failure",
      RestartSec: "500ms",
      StartLimitIntervalSec: "0",
    })
  ) assert.deepEqual(values(service, setting), [expected], setting);
  assert.deepEqual(values(service, "ReloadPropagatedFrom"), []);
  assert.deepEqual(values(written["hello.target"], "Wants"), [names]);
  assert.deepEqual(values(written["hello.target"], "Requires"), [
    "hello.socket",
  ]);
  assert.deepEqual(values(written["hello.socket"], "Service"), [
    "hello@1.service",
  ]);
  for (const text of Object.values(written)) {
    for (const line of text.split("\n")) {
      assert.ok(!line.startsWith("#") || line.length <= 90, line);
    }
  }
});

test("--instances gives all sockets to each instance", () => {
  const written = units(
    ...["hello", WEB, "--socket=admin=@hello", "--instances=2", ...BUN],
  );
  const sockets = "hello-web.socket hello-admin.socket";
  for (const setting of ["Requires", "After", "Sockets"]) {
    assert.deepEqual(values(written["hello@.service"], setting), [sockets]);
  }
  assert.deepEqual(values(written["hello.target"], "After"), [sockets]);
  for (const name of sockets.split(" ")) {
    assert.deepEqual(values(written[name], "Service"), ["hello@1.service"]);
  }
});

test("--instances auto writes one for each CPU, and says so", () => {
  const target = units("a", WEB, "--instances=auto", ...BUN)["a.target"]!;
  const count = os.availableParallelism();
  assert.equal(values(target, "Wants")[0]!.split(" ").length, count);
  assert.ok(target.includes(`wrote this file has CPUs: ${count}.`));
});

test("--instances with --reload lets the target reload all", () => {
  const service = units("a", WEB, "--reload", "--instances=2", ...BUN)[
    "a@.service"
  ];
  assert.deepEqual(values(service, "ReloadPropagatedFrom"), ["a.target"]);
});

test("--instances gives each dynamic user on Deno a cache of its own", () => {
  const args = ["a", WEB, "--instances=2", "--native"];
  const cache = (...more: string[]) =>
    values(
      units(...args, ...more, "--", "deno", "a.ts")["a@.service"],
      "CacheDirectory",
    );
  assert.deepEqual(cache(), ["a-%i"]);
  assert.deepEqual(cache("--user=web"), ["a"]);
});

test("--instances notes services that can't say when they serve", () => {
  const warnings = (...args: string[]) =>
    request("a", WEB, "--instances=2", ...args).warnings;
  assert.deepEqual(warnings(...BUN), []);
  const [deno] = warnings("--", "deno", "a.ts");
  assert.match(deno!, /doesn't notify systemd.*: set --native$/);
  const [bun] = warnings("--no-notify", ...BUN);
  assert.match(bun!, /: leave out --no-notify$/);
});

test("--instances refuses what is no number, and --accept", () => {
  for (const value of ["0", "-1", "1025", "1.5", "1e1", "two", "Auto", " 2"]) {
    assertRefused(
      [WEB, `--instances=${value}`],
      /expected --instances to be a number from 1 to 1024, or "auto", found "/,
    );
  }
  assertRefused([WEB, "--instances="], /"--instances" needs a value/);
  assertRefused([WEB, "--instances=2", "--accept"], /leave one of them out$/);
});

test("--instances refuses names that are too long for an instance", () => {
  const limit = 255 - "@1024.service".length;
  units("a".repeat(limit), WEB, "--instances=2", ...BUN);
  assert.throws(
    () => units("a".repeat(limit + 1), WEB, "--instances=2", ...BUN),
    /it is too long/,
  );
});

function assertRefused(
  args: readonly string[],
  message: RegExp,
  name = "hello",
): void {
  assert.throws(() => units(name, ...args, ...BUN), (error) => {
    assert.ok(error instanceof UsageError, String(error));
    assertMessage(error.message);
    assert.match(error.message, message);
    return true;
  });
}

test("the only instance isn't to be removed", () => {
  const target = (count: number) =>
    units("hello", WEB, `--instances=${count}`, ...BUN)["hello.target"]!;
  assert.match(target(2), /mask --now hello@2$/m);
  assert.doesNotMatch(target(1), /mask/);
});

test("unit refuses the name of a unit that is no service", () => {
  for (const suffix of [".target", ".socket"]) {
    assertRefused(
      [WEB, "--instances=2"],
      RegExp(
        "expected the name of a service, found that of another unit, " +
          `"hello\\${suffix}": leave \\${suffix} out$`,
      ),
      `hello${suffix}`,
    );
  }
  for (const name of ["hello", "hello.target", "acme.path"]) {
    const written = units(`${name}.service`, WEB, "--instances=2", ...BUN);
    assert.ok(`${name}@.service` in written);
  }
});
