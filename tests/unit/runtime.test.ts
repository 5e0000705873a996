import assert from "node:assert/strict";
import { test } from "node:test";
import type { UsableKind } from "../../src/core/descriptor.ts";
import { requireSupport, type Runtime } from "../../src/runtime/runtime.ts";
import { currentRuntime } from "../../src/runtime/current.ts";
import { bunRuntime } from "../../src/runtime/bun.ts";
import { denoRuntime } from "../../src/runtime/deno.ts";
import { assertThrows, descriptor } from "./helpers.ts";

/** The shim for Deno of a version; nothing but the version is looked at. */
const deno = (version: string): Runtime =>
  denoRuntime({ version: { deno: version } } as never);
const bun = (version: string): Runtime => bunRuntime({ version } as never);

function check(runtime: Runtime, kind: UsableKind): void {
  requireSupport(runtime, descriptor(3, "web"), kind, 'Listening on "web"');
}

test("currentRuntime() knows the runtime that this runs on", () => {
  const { name, title, version, pid } = currentRuntime();
  const { Deno, Bun, process } = globalThis as {
    Deno?: { version: { deno: string } };
    Bun?: { version: string };
    process?: { pid: number; versions: { node: string } };
  };
  assert.equal(name, Deno ? "deno" : Bun ? "bun" : "node");
  assert.equal(title.toLowerCase(), name);
  assert.equal(
    version,
    Deno?.version.deno ?? Bun?.version ?? process?.versions.node,
  );
  assert.equal(pid, process?.pid);
  assert.equal(currentRuntime(), currentRuntime());
});

test("requireSupport() rejects a version that can't, and says which can", () => {
  const cases: [Runtime, UsableKind, string][] = [
    [deno("2.7.14"), "stream-listener", "use Deno 2.8 or later"],
    [deno("2.6.0"), "stream-connection", "use Deno 2.7 or later"],
    [deno("2.9.6"), "datagram", "use Node, or Bun 1.4 or later"],
    [bun("1.3.14"), "stream-listener", "use Bun 1.4 or later"],
    [bun("1.3.0"), "datagram", "use Bun 1.4 or later"],
    [bun("1.1.45"), "stream-connection", "use Bun 1.2 or later"],
  ];
  for (const [runtime, kind, advice] of cases) {
    assertThrows(
      () => check(runtime, kind),
      "unsupported",
      `Listening on "web": ${runtime.title} ${runtime.version} can't `,
      'an inherited descriptor, here descriptor 3 ("web"): ',
      advice,
    );
  }
});

test("requireSupport() takes versions that can, by their numbers", () => {
  check(deno("2.8.0"), "stream-listener");
  check(deno("2.10.0"), "stream-listener");
  check(deno("3.0.0"), "stream-listener");
  check(deno("2.8.0-rc.1"), "stream-listener");
  check(bun("1.4.0"), "stream-listener");
  check(bun("1.4.0-canary.1"), "datagram");
  check(bun("1.2.23"), "stream-connection");
});
