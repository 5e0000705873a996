import assert from "node:assert/strict";
import { test } from "node:test";
import type { Address } from "../../src/core/address.ts";
import {
  type CompatibilityMap,
  namesFromMap,
  type UnnamedDescriptor,
} from "../../src/core/compatibility_map.ts";
import { assertThrows, ipv4, ipv6 } from "./helpers.ts";

const MAP: CompatibilityMap = {
  web: { port: 80 },
  admin: { path: "/run/app.sock" },
  debug: { path: "@app" },
};

/** Descriptors from 3 on, listening at these addresses. */
function listeners(...addresses: Address[]): UnnamedDescriptor[] {
  return addresses.map((address, at) => ({
    fd: 3 + at,
    info: { kind: "stream-listener", address },
  }));
}

test("namesFromMap() names descriptors by port, path and abstract name, in order", () => {
  assert.deepEqual(
    namesFromMap(
      listeners(
        { kind: "unix-abstract", name: "app" },
        ipv4("127.0.0.1", 80),
        { kind: "unix", path: "/run/app.sock" },
      ),
      MAP,
    ),
    ["debug", "web", "admin"],
  );
});

test("namesFromMap() takes a port for IPv4 and IPv6, whatever the host", () => {
  assert.deepEqual(
    namesFromMap(
      listeners(
        ipv4("0.0.0.0", 80),
        ipv6("::", 80),
        ipv4("192.0.2.1", 80),
        ipv6("::1", 80),
      ),
      MAP,
    ),
    ["web", "web", "web", "web"],
  );
});

test("namesFromMap() gives a datagram socket its name, too", () => {
  const info = { kind: "datagram", address: ipv4("0.0.0.0", 53) } as const;
  assert.deepEqual(namesFromMap([{ fd: 3, info }], { dns: { port: 53 } }), [
    "dns",
  ]);
});

test("namesFromMap() has no names for no descriptors", () => {
  assert.deepEqual(namesFromMap([], MAP), []);
});

test("namesFromMap() rejects a descriptor that matches nothing, with fd, family and address", () => {
  const listed = 'matches no entry of the map ("web", "admin", "debug")';
  const cases: readonly [Address, string][] = [
    [ipv4("127.0.0.1", 81), "ipv4 address 127.0.0.1:81"],
    [ipv6("::1", 8080), "ipv6 address [::1]:8080"],
    [{ kind: "unix", path: "/run/b.sock" }, 'unix address "/run/b.sock"'],
    [{ kind: "unix", path: "/run/app.sock/" }, '"/run/app.sock/"'],
    [{ kind: "unix", path: "app" }, 'unix address "app"'],
    [{ kind: "unix-abstract", name: "b" }, 'unix-abstract address "@b"'],
    [{ kind: "unix-abstract", name: "@app" }, 'unix-abstract address "@@app"'],
    [{ kind: "unix-unnamed" }, "unix-unnamed address"],
  ];
  for (const [address, shown] of cases) {
    assertThrows(
      () => namesFromMap(listeners(ipv4("0.0.0.0", 80), address), MAP),
      "map",
      "Naming descriptor 4 by its address: the stream-listener",
      shown,
      listed,
      "add one, or remove the socket from the unit",
    );
  }
});

test("namesFromMap() says that an empty map has no entries", () => {
  assertThrows(
    () => namesFromMap(listeners(ipv4("0.0.0.0", 80)), {}),
    "map",
    "matches no entry of the map (none)",
  );
});

test("namesFromMap() doesn't find names that every object has", () => {
  assertThrows(
    () => namesFromMap(listeners(ipv4("0.0.0.0", 80)), Object.create(MAP)),
    "map",
    "(none)",
  );
});

test("namesFromMap() rejects two entries that match one descriptor", () => {
  assertThrows(
    () =>
      namesFromMap(listeners(ipv4("0.0.0.0", 80)), {
        web: { port: 80 },
        admin: { port: 81 },
        http: { port: 80 },
      }),
    "map",
    "Naming descriptor 3 by its address",
    "ipv4 address 0.0.0.0:80",
    'matches more than one entry of the map ("web", "http")',
    "leave one of them",
  );
  assertThrows(
    () =>
      namesFromMap(listeners({ kind: "unix-abstract", name: "app" }), {
        a: { path: "@app" },
        b: { path: "@app" },
      }),
    "map",
    '"@app"',
    '("a", "b")',
  );
});

test("namesFromMap() allows two entries for one address that nobody has", () => {
  assert.deepEqual(
    namesFromMap(listeners(ipv4("0.0.0.0", 80)), {
      web: { port: 80 },
      a: { port: 81 },
      b: { port: 81 },
    }),
    ["web"],
  );
});

test("namesFromMap() rejects a descriptor whose address isn't known", () => {
  for (const kind of ["socket", "unknown"] as const) {
    assertThrows(
      () => namesFromMap([{ fd: 5, info: { kind } }], MAP),
      "map",
      "Naming descriptor 5 by its address: its address can't be read here",
      "set FileDescriptorName= in the socket unit",
    );
  }
});

test("namesFromMap() rejects a descriptor that has no address", () => {
  for (
    const [kind, found] of [
      ["fifo", "a FIFO or pipe"],
      ["closed", "not open"],
    ] as const
  ) {
    assertThrows(
      () => namesFromMap([{ fd: 5, info: { kind } }], MAP),
      "map",
      `Naming descriptor 5 by its address: expected a socket, found ${found}`,
    );
  }
});

test("namesFromMap() rejects an entry that is neither a port nor a path", () => {
  const bad: readonly unknown[] = [
    {},
    { port: "80" },
    { path: 80 },
    { port: null },
    { port: 80, path: "/run/app.sock" },
    { prot: 80 },
    80,
    "80",
    [],
  ];
  for (const entry of bad) {
    assertThrows(
      () =>
        namesFromMap([], { ok: { port: 1 }, web: entry as { port: number } }),
      TypeError,
      `Reading the map's entry "web": expected { port } or { path }, found`,
    );
  }
});

test("namesFromMap() rejects an entry that is null or undefined, and names it", () => {
  for (const entry of [null, undefined]) {
    assertThrows(
      () => namesFromMap([], { web: entry as unknown as { port: number } }),
      TypeError,
      `Reading the map's entry "web": expected { port } or { path }, found`,
    );
  }
});

test("namesFromMap() rejects an entry that JSON can't write, and names it", () => {
  const port: unknown = 80n;
  assertThrows(
    () => namesFromMap([], { web: { port: port as number } }),
    TypeError,
    `Reading the map's entry "web": expected { port } or { path }, found`,
  );
});

test("namesFromMap() rejects a port out of range", () => {
  for (const port of [0, -1, 65536, 80.5, NaN, Infinity]) {
    assertThrows(
      () => namesFromMap([], { "we\nb": { port } }),
      RangeError,
      String
        .raw`Reading the map's entry "we\nb": expected a port from 1 to 65535`,
      `found ${port}`,
    );
  }
  for (const port of [1, 65535]) {
    assert.deepEqual(
      namesFromMap(listeners(ipv4("::", port)), { web: { port } }),
      ["web"],
    );
  }
});

test("namesFromMap() escapes paths and names in messages", () => {
  assertThrows(
    () =>
      namesFromMap(listeners({ kind: "unix", path: "/run/\u001b[31m" }), {
        "a\nb": { port: 80 },
      }),
    "map",
    String.raw`"/run/\u001b[31m"`,
    String.raw`("a\nb")`,
  );
});
