import assert from "node:assert/strict";
import { test } from "node:test";
import { type CompatibilityMap, readMap } from "../../../src/core/name_map.ts";
import { assertThrows } from "../helpers.ts";

/** Validates a map with a valid entry and another entry of any form. */
function read(entry: unknown, name = "web"): ReturnType<typeof readMap> {
  return readMap({ ok: { port: 1 }, [name]: entry } as CompatibilityMap);
}

test("readMap() returns the entries in their order", () => {
  const map = {
    web: { port: 80 },
    local: { port: 65535, hostname: "0:0::0001" },
    app: { path: "/run/app.sock" },
  };
  assert.deepEqual(readMap(map), [
    ["web", { port: 80, hostname: undefined }],
    ["local", { port: 65535, hostname: "::1" }],
    ["app", { path: "/run/app.sock" }],
  ]);
  assert.deepEqual(readMap({}), []);
});

test("readMap() rejects a value that is not an object", () => {
  for (const invalid of [null, undefined, "web", 80, [], [{ port: 80 }]]) {
    assertThrows(
      () => readMap(invalid as unknown as CompatibilityMap),
      TypeError,
      "Reading the map: expected an object of ports and paths by name, found ",
    );
  }
});

test("readMap() rejects an entry that is neither a port nor a path", () => {
  const invalid: readonly unknown[] = [
    {},
    { port: "80" },
    { path: 80 },
    { port: null },
    { port: 80, path: "/run/app.sock" },
    { prot: 80 },
    { hostname: "127.0.0.1" },
    { path: "/run/app.sock", hostname: "127.0.0.1" },
    { port: 80, hostname: 1 },
    { port: 80, hostname: null },
    80,
    "80",
    [],
    null,
    undefined,
    // A bigint has no JSON.
    { port: 80n },
  ];
  for (const entry of invalid) {
    assertThrows(
      () => read(entry),
      TypeError,
      `Reading the map's entry "web": expected { port }, { port, hostname } ` +
        `or { path }, found `,
    );
  }
});

test("readMap() rejects a hostname that is not a numeric address", () => {
  const invalid = [
    "",
    "localhost",
    "127.0.0",
    "127.0.0.256",
    "127.0.0.01",
    "[::1]",
    "fe80::1%eth0",
    "1::2::3",
    "12345::",
    "::1\n",
  ];
  for (const hostname of invalid) {
    assertThrows(
      () => read({ port: 80, hostname }),
      TypeError,
      `Reading the map's entry "web": expected a numeric IPv4 or IPv6 address ` +
        `as hostname, found ${JSON.stringify(hostname)}`,
    );
  }
});

test("readMap() rejects a port out of range", () => {
  for (const port of [0, -1, 65536, 80.5, NaN, Infinity]) {
    assertThrows(
      () => read({ port }, "we\nb"),
      RangeError,
      String.raw`Reading the map's entry "we\nb": expected a port from 1 to `,
      `found ${port}`,
    );
  }
});
