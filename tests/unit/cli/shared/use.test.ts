import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import type { DescriptorInfo } from "../../../../src/core/info.ts";
import { bunPlatform } from "../../../../src/runtime/bun/platform.ts";
import { currentPlatform } from "../../../../src/runtime/current.ts";
import { denoPlatform } from "../../../../src/runtime/deno/platform.ts";
import { nodePlatform } from "../../../../src/runtime/node/platform.ts";
import { statInspector } from "../../../../src/runtime/stat_inspector.ts";
import { PORTABLE_VERSIONS } from "../../../../src/runtime/versions.ts";
import {
  judgeUse,
  RUNTIMES,
  verdictOf,
} from "../../../../src/cli/shared/use.ts";
import { ipv4 } from "../../helpers.ts";

/** The verdicts for Deno, Bun and Node, and whether each says why. */
function verdicts(info: DescriptorInfo): string {
  return RUNTIMES.map((runtime) => {
    const use = judgeUse(runtime, info);
    const verdict = verdictOf(use);
    // Who can't is told why.
    if (verdict === "none" || verdict === "unknown") assert.ok(use.reason);
    return verdict;
  }).join(" ");
}

const TCP = { family: "ipv4", address: ipv4("127.0.0.1", 80) } as const;
const UNIX = {
  family: "unix",
  address: { kind: "unix", path: "/run/x" },
} as const;

const cases: [string, DescriptorInfo, string][] = [
  [
    "a TCP listener",
    { kind: "stream-listener", ...TCP },
    "native native native",
  ],
  [
    "a Unix listener",
    { kind: "stream-listener", ...UNIX },
    "native native native",
  ],
  [
    "a Unix listener whose path can't be told",
    { kind: "stream-listener", family: "unix" },
    "portable portable native",
  ],
  [
    "a listener of virtual machines",
    { kind: "stream-listener", family: "vsock" },
    "none portable none",
  ],
  [
    "a listener of another family",
    { kind: "stream-listener", family: 43 },
    "unknown unknown unknown",
  ],
  [
    "a connection",
    { kind: "stream-connection", ...UNIX },
    "portable portable native",
  ],
  [
    "a connection of virtual machines",
    { kind: "stream-connection", family: "vsock" },
    "unknown unknown unknown",
  ],
  ["a UDP socket", { kind: "datagram", ...TCP }, "native native native"],
  ["a Unix datagram socket", { kind: "datagram", ...UNIX }, "none none none"],
  ["a datagram socket", { kind: "datagram" }, "unknown unknown unknown"],
  ["packets", { kind: "seqpacket-listener", ...UNIX }, "none none none"],
  ["a raw socket", { kind: "raw", ...TCP }, "none none none"],
  ["netlink", { kind: "netlink", family: "netlink" }, "none none none"],
  [
    "an idle socket",
    { kind: "socket", listening: false, ...TCP },
    "none none none",
  ],
  ["a socket", { kind: "socket" }, "unknown unknown unknown"],
  ["a FIFO", { kind: "fifo" }, "none portable portable"],
  ["a file", { kind: "file" }, "none portable portable"],
  ["a device", { kind: "character-device" }, "none portable portable"],
  ["a message queue", { kind: "message-queue" }, "none none none"],
  ["a folder", { kind: "other" }, "none none none"],
  ["what is closed", { kind: "closed" }, "none none none"],
  ["what is not known", { kind: "unknown" }, "unknown unknown unknown"],
];

for (const [what, info, expected] of cases) {
  test(`judgeUse() of ${what}`, () => {
    assert.equal(verdicts(info), expected);
  });
}

test("judgeUse() names the permissions that Deno's own servers need", () => {
  const needs = (info: DescriptorInfo) =>
    judgeUse("deno", info).native!.needs.join(" ");
  assert.equal(
    needs({ kind: "stream-listener", ...TCP }),
    "--allow-ffi --allow-net",
  );
  assert.equal(
    needs({ kind: "stream-listener", ...UNIX }),
    "--allow-ffi --allow-net --allow-read --allow-write",
  );
  assert.equal(
    needs({ kind: "datagram", ...TCP }),
    "--allow-ffi --allow-net --unstable-net",
  );
});

test("the shims have the versions that judgeUse() tells", () => {
  const shims = {
    deno: denoPlatform({ version: { deno: "2.9.6" } } as never),
    bun: bunPlatform({ version: "1.4.5" } as never),
    node: nodePlatform(),
  };
  for (const name of RUNTIMES) {
    assert.equal(shims[name].minimumVersions, PORTABLE_VERSIONS[name]);
  }
});

test("statInspector tells what fstat(2) tells", () => {
  // Deno's node:fs knows only what it opened.
  const fd = openSync(new URL(import.meta.url), "r");
  const [file] = statInspector.inspect([fd]);
  assert.equal(file!.kind, "file");
  assert.equal(typeof file!.inode, "bigint");
  closeSync(fd);
  assert.deepEqual(statInspector.inspect([fd]), [{ kind: "closed" }]);
  if (currentPlatform().name === "deno") return;
  const device = openSync("/dev/null", "r");
  assert.equal(statInspector.inspect([device])[0]!.kind, "character-device");
  closeSync(device);
});
