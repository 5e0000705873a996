import assert from "node:assert/strict";
import { test } from "node:test";
import type { DescriptorInfo } from "../../../src/core/info.ts";
import type { UsableKind } from "../../../src/core/kinds.ts";
import { loadNodeFfi } from "../../../src/ffi/node.ts";
import { requireUsable } from "../../../src/runtime/checks.ts";
import {
  closeOrThrow,
  isClosable,
  once,
} from "../../../src/runtime/descriptors.ts";
import type { Platform } from "../../../src/runtime/platform.ts";
import { currentPlatform } from "../../../src/runtime/current.ts";
import { bunPlatform } from "../../../src/runtime/bun/platform.ts";
import { denoPlatform } from "../../../src/runtime/deno/platform.ts";
import { nodePlatform } from "../../../src/runtime/node/platform.ts";
import {
  assertError,
  assertThrows,
  descriptor,
  SOCKET_KINDS,
  thrownBy,
} from "../helpers.ts";

/** The platform for a version of Deno; nothing but the version is looked at. */
const deno = (version: string): Platform =>
  denoPlatform({ version: { deno: version } } as never);
const bun = (version: string): Platform => bunPlatform({ version } as never);

const ACTION = 'Listening on "web"';

/** Checks descriptors from 3 on, of which this is known; one unless given. */
function check(
  platform: Platform,
  kind: UsableKind,
  ...infos: (DescriptorInfo | DescriptorInfo["kind"])[]
): void {
  if (infos.length === 0) infos = [kind];
  const all = infos.map((info, at) => descriptor(3 + at, "web", info));
  const known = all.map((each) => each.info);
  requireUsable(platform, all, known, kind, ACTION);
}

test("currentPlatform() knows the runtime that this runs on", () => {
  const { name, title, version, pid } = currentPlatform();
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
  assert.equal(currentPlatform(), currentPlatform());
});

test("requireUsable() rejects a version that can't, and says which can", () => {
  const cases: [Platform, UsableKind, string][] = [
    [deno("2.7.14"), "stream-listener", "use Deno 2.8 or later"],
    [deno("2.6.0"), "stream-connection", "use Deno 2.7 or later"],
    [deno("2.9.6"), "datagram", "use Node, or Bun 1.4 or later"],
    [bun("1.3.14"), "stream-listener", "use Bun 1.4 or later"],
    [bun("1.3.0"), "datagram", "use Bun 1.4 or later"],
    [bun("1.1.45"), "stream-connection", "use Bun 1.2 or later"],
  ];
  for (const [platform, kind, advice] of cases) {
    assertThrows(
      () => check(platform, kind),
      "unsupported",
      `Listening on "web": ${platform.title} ${platform.version} can't `,
      'an inherited descriptor, here descriptor 3 ("web"): ',
      advice,
    );
  }
});

test("requireUsable() takes versions that can, by their numbers", () => {
  check(deno("2.8.0"), "stream-listener");
  check(deno("2.10.0"), "stream-listener");
  check(deno("3.0.0"), "stream-listener");
  check(deno("2.8.0-rc.1"), "stream-listener");
  check(bun("1.4.0"), "stream-listener");
  check(bun("1.4.0-canary.1"), "datagram");
  check(bun("1.2.23"), "stream-connection");
});

test("requireUsable() rejects an old version before it looks at a descriptor", () => {
  assertThrows(
    () => check(deno("2.7.0"), "stream-listener", "closed"),
    "unsupported",
  );
});

test("requireUsable() checks every descriptor, and takes none at all", () => {
  const node = nodePlatform();
  check(node, "datagram", "datagram", "socket", "unknown");
  requireUsable(deno("2.0.0"), [], [], "datagram", ACTION);
  assertThrows(
    () => check(node, "stream-listener", "stream-listener", "fifo"),
    "wrong-kind",
    `${ACTION}: expected a listening stream socket, found a FIFO or pipe in `,
    'descriptor 4 ("web")',
  );
  assertThrows(
    () => check(node, "datagram", "datagram", "closed"),
    "not-open",
    `${ACTION}: descriptor 4 ("web") is not open`,
  );
});

test("requireUsable() asks the runtime about what nothing is known of", () => {
  const asked: number[] = [];
  const platform: Platform = {
    ...nodePlatform(),
    wouldRefuse(fd) {
      asked.push(fd);
      return fd === 5;
    },
  };
  check(platform, "datagram", "datagram", "unknown", "socket");
  assert.deepEqual(asked, [4]);
  assertThrows(
    () => check(platform, "datagram", "unknown", "socket", "unknown"),
    "wrong-kind",
    'expected a datagram socket, found something else in descriptor 5 ("web")',
  );
});

test("isClosable() tells what only can have been handed over", () => {
  for (const kind of [...SOCKET_KINDS, "message-queue"] as const) {
    assert.ok(isClosable({ kind }), kind);
  }
  const others = ["file", "character-device", "other", "closed"] as const;
  for (const kind of others) assert.ok(!isClosable({ kind }), kind);
  assert.ok(isClosable({ kind: "fifo", link: "/run/log" }));
  assert.ok(isClosable({ kind: "fifo", link: "/run/pipe:[1]" }));
  assert.ok(!isClosable({ kind: "fifo", link: "pipe:[1]" }));
  assert.ok(!isClosable({ kind: "fifo" }));
});

test("closeOrThrow() says which descriptor could not be closed", () => {
  let closed = 0;
  closeOrThrow(3, () => closed++);
  assert.equal(closed, 1);
  const cause = new Error("EBADF");
  const error = thrownBy(() =>
    closeOrThrow(3, () => {
      throw cause;
    })
  );
  assertError(error, "system", "Closing descriptor 3: EBADF");
  assert.equal(error.cause, cause);
});

test("once() remembers what was made, also that it is nothing", () => {
  let made = 0;
  const get = once(() => {
    made++;
    return undefined;
  });
  assert.equal(made, 0);
  assert.deepEqual([get(), get()], [undefined, undefined]);
  assert.equal(made, 1);
});

test("loadNodeFfi() leaves the process's way to warn as it was", () => {
  const { emitWarning } = process;
  const warned: unknown[] = [];
  const own = (...args: unknown[]) => warned.push(args);
  process.emitWarning = own as typeof emitWarning;
  try {
    loadNodeFfi();
    assert.equal(process.emitWarning, own);
    // Node 26 would warn of its FFI.
    assert.deepEqual(warned, []);
  } finally {
    process.emitWarning = emitWarning;
  }
});

test("denoPlatform() opens the C library only where that is allowed, and once", () => {
  const opened: string[] = [];
  const pidfdId = (state: string) => {
    const platform = denoPlatform({
      version: { deno: "2.9.6" },
      permissions: { querySync: () => ({ state }) },
      dlopen(name: string) {
        opened.push(name);
        throw new Error("there is none");
      },
    } as never);
    platform.pidfdId();
    return platform.pidfdId();
  };
  assert.equal(pidfdId("prompt"), undefined);
  assert.equal(pidfdId("denied"), undefined);
  assert.deepEqual(opened, []);
  assert.equal(pidfdId("granted"), undefined);
  assert.ok(opened.length <= 1, "it was opened again");
});
