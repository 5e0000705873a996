import assert from "node:assert/strict";
import { test } from "node:test";
import type { Address } from "../../../src/core/address.ts";
import {
  type CompatibilityMap,
  namesFromMap,
} from "../../../src/core/name_map.ts";
import type { DescriptorInfo } from "../../../src/core/info.ts";
import {
  assertError,
  assertThrows,
  file,
  inspector,
  ipv4,
  ipv6,
  recording,
} from "../helpers.ts";

const MAP: CompatibilityMap = {
  web: { port: 80 },
  admin: { path: "/run/app.sock" },
  debug: { path: "@app" },
};

const LISTENER: DescriptorInfo = {
  kind: "stream-listener",
  address: ipv4("0.0.0.0", 80),
};

/** The files of paths; any other path can't be inspected. */
const PATHS = {
  "/run/app.sock": file(5n, "other"),
  "/var/run/app.sock": file(5n, "other"),
  "/run/old.sock": { ...file(5n, "other"), device: 2n },
  "/run/b.sock": file(6n, "other"),
  "/run/gone.sock": null,
  "/run/gone2.sock": null,
};

/** Names descriptors, numbered from 3, by their metadata. */
function namesOf(
  infos: readonly DescriptorInfo[],
  map: CompatibilityMap = MAP,
): string[] {
  const known = Object.fromEntries(
    infos.map((info, index) => [3 + index, info]),
  );
  const fds = Object.keys(known).map(Number);
  return namesFromMap(fds, map, inspector(known, PATHS));
}

/** Names listeners, numbered from 3, by their addresses. */
function names(
  addresses: readonly Address[],
  map?: CompatibilityMap,
): string[] {
  return namesOf(
    addresses.map((address) => ({ kind: "stream-listener", address })),
    map,
  );
}

/** Checks that an entry matches the socket at an address. */
function matches(address: Address, entry: CompatibilityMap[string]): boolean {
  const other = { port: 1 };
  const listeners = [address, ipv4("127.0.0.1", 1)];
  try {
    return names(listeners, { entry, other })[0] === "entry";
  } catch (error) {
    assertError(error, "unmapped", "matches no entry");
    return false;
  }
}

test("namesFromMap() names descriptors by port, path and abstract name, in order", () => {
  assert.deepEqual(
    names([{ kind: "unix-abstract", name: "app" }, ipv4("127.0.0.1", 80), {
      kind: "unix",
      path: "/run/app.sock",
    }]),
    ["debug", "web", "admin"],
  );
});

test("namesFromMap() matches a port on IPv4 and IPv6 and on any host", () => {
  assert.deepEqual(
    names([
      ipv4("0.0.0.0", 80),
      ipv6("::", 80),
      ipv4("192.0.2.1", 80),
      ipv6("::1", 80),
    ]),
    ["web", "web", "web", "web"],
  );
});

test("namesFromMap() matches a port with a hostname on this host only", () => {
  const local = { port: 80, hostname: "127.0.0.1" };
  assert.ok(matches(ipv4("127.0.0.1", 80), local));
  assert.ok(!matches(ipv4("127.0.0.1", 81), local));
  assert.ok(!matches(ipv4("127.0.0.2", 80), local));
  assert.ok(!matches(ipv4("0.0.0.0", 80), local));
  assert.ok(!matches(ipv6("::1", 80), local));
  assert.ok(!matches({ kind: "unix", path: "127.0.0.1" }, local));
  assert.ok(matches(ipv6("::1", 80), { port: 80, hostname: "0:0::0001" }));
  assert.ok(!matches(ipv6("::2", 80), { port: 80, hostname: "::1" }));
});

test("namesFromMap() treats equivalent hostnames as equal", () => {
  const groups = [
    ["127.0.0.1", "::ffff:127.0.0.1", "::FFFF:7f00:1"],
    ["0.0.0.0", "::", "::ffff:0.0.0.0", "0::0"],
  ];
  for (const group of groups) {
    for (const hostname of group) {
      const [four, six] = group as [string, string];
      assert.ok(matches(ipv4(four, 80), { port: 80, hostname }), hostname);
      assert.ok(matches(ipv6(six, 80), { port: 80, hostname }), hostname);
      assert.ok(!matches(ipv4("192.0.2.1", 80), { port: 80, hostname }));
    }
  }
});

test("namesFromMap() distinguishes two sockets of one port by hostname", () => {
  const map = {
    local: { port: 80, hostname: "127.0.0.1" },
    all: { port: 80, hostname: "192.0.2.1" },
  };
  const addresses = [ipv4("192.0.2.1", 80), ipv4("127.0.0.1", 80)];
  assert.deepEqual(names(addresses, map), ["all", "local"]);
  assertThrows(
    () => names(addresses, { ...map, any: { port: 80 } }),
    "unmapped",
    '("all", "any")',
  );
});

test("namesFromMap() treats paths of the same socket as equal", () => {
  const bound: Address = { kind: "unix", path: "/run/app.sock" };
  assert.ok(matches(bound, { path: "/run/app.sock" }));
  assert.ok(matches(bound, { path: "/var/run/app.sock" }));
  assert.ok(!matches(bound, { path: "/run/b.sock" }));
  // The same inode, on another device.
  assert.ok(!matches(bound, { path: "/run/old.sock" }));
  assert.ok(!matches(bound, { path: "/run/gone.sock" }));
  assert.ok(!matches(bound, { path: "/root/app.sock" }));
  assert.ok(!matches(bound, { port: 80 }));
});

test("namesFromMap() compares the text of paths without a file", () => {
  for (const path of ["/run/gone.sock", "/root/app.sock"]) {
    const bound: Address = { kind: "unix", path };
    assert.ok(matches(bound, { path }), path);
    assert.ok(!matches(bound, { path: "/run/gone2.sock" }), path);
    assert.ok(!matches(bound, { path: "/root/b.sock" }), path);
  }
});

test("namesFromMap() matches an entry with @ to abstract names only", () => {
  const bound: Address = { kind: "unix", path: "@app" };
  assert.ok(!matches(bound, { path: "@app" }));
  assert.ok(matches({ kind: "unix-abstract", name: "app" }, { path: "@app" }));
});

test("namesFromMap() inspects no path for an abstract name", () => {
  const info = { kind: "stream-listener" } as const;
  const path: Address = { kind: "unix", path: "/run/app.sock" };
  const source = {
    ...inspector({
      3: { ...info, address: { kind: "unix-abstract", name: "app" } },
      4: { ...info, address: path },
    }),
    inspectPath: () => assert.fail("no path may be inspected"),
  };
  const map = { abstract: { path: "@app" }, app: { path: "/run/app.sock" } };
  assert.deepEqual(namesFromMap([3, 4], map, source), ["abstract", "app"]);
});

test("namesFromMap() inspects all descriptors with one call", () => {
  const source = recording({ 3: LISTENER, 4: LISTENER });
  assert.deepEqual(namesFromMap([3, 4], MAP, source), ["web", "web"]);
  assert.deepEqual(source.asked, [[3, 4]]);
});

test("namesFromMap() names datagram sockets", () => {
  const info = { kind: "datagram", address: ipv4("0.0.0.0", 53) } as const;
  assert.deepEqual(namesOf([info], { dns: { port: 53 } }), [
    "dns",
  ]);
});

test("namesFromMap() returns no names for no descriptors", () => {
  assert.deepEqual(namesOf([], MAP), []);
});

test("namesFromMap() rejects a descriptor without a match and reports fd, family and address", () => {
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
      () => names([ipv4("0.0.0.0", 80), address]),
      "unmapped",
      "Naming descriptor 4 by its address: the stream-listener",
      shown,
      listed,
      "add an entry, or remove the socket from the unit",
    );
  }
});

test("namesFromMap() reports that an empty map has no entries", () => {
  assertThrows(
    () => names([ipv4("0.0.0.0", 80)], {}),
    "unmapped",
    "matches no entry of the map (none)",
  );
});

test("namesFromMap() ignores inherited properties of the map", () => {
  assertThrows(
    () => names([ipv4("0.0.0.0", 80)], Object.create(MAP)),
    "unmapped",
    "(none)",
  );
});

test("namesFromMap() rejects two entries that match one descriptor", () => {
  assertThrows(
    () =>
      names([ipv4("0.0.0.0", 80)], {
        web: { port: 80 },
        admin: { port: 81 },
        http: { port: 80 },
      }),
    "unmapped",
    "Naming descriptor 3 by its address",
    "ipv4 address 0.0.0.0:80",
    'matches more than one entry of the map ("web", "http")',
    "keep one of them",
  );
  assertThrows(
    () =>
      names([{ kind: "unix-abstract", name: "app" }], {
        a: { path: "@app" },
        b: { path: "@app" },
      }),
    "unmapped",
    '"@app"',
    '("a", "b")',
  );
});

test("namesFromMap() accepts two entries for an unused address", () => {
  assert.deepEqual(
    names([ipv4("0.0.0.0", 80)], {
      web: { port: 80 },
      a: { port: 81 },
      b: { port: 81 },
    }),
    ["web"],
  );
});

test("namesFromMap() rejects a descriptor of unknown address", () => {
  // Also of a listener: /proc doesn't show every abstract name exactly.
  const kinds = ["socket", "unknown", "stream-listener"] as const;
  for (const kind of kinds) {
    assertThrows(
      () => namesOf([LISTENER, { kind }]),
      "unmapped",
      "Naming descriptor 4 by its address: its address can't be read here",
      "set FileDescriptorName= in the socket unit",
      "--allow-ffi",
    );
  }
});

test("namesFromMap() rejects a descriptor without an address", () => {
  for (
    const [kind, found] of [
      ["fifo", "a FIFO or pipe"],
      ["closed", "not open"],
    ] as const
  ) {
    assertThrows(
      () => namesOf([LISTENER, { kind }]),
      "unmapped",
      `Naming descriptor 4 by its address: expected a socket, found ${found}`,
    );
  }
});

test("namesFromMap() escapes paths and names in messages", () => {
  assertThrows(
    () =>
      names([{ kind: "unix", path: "/run/\u001b[31m" }], {
        "a\nb": { port: 80 },
      }),
    "unmapped",
    String.raw`"/run/\u001b[31m"`,
    String.raw`("a\nb")`,
  );
});

test("namesFromMap() rejects a malformed map even for no descriptors", () => {
  assertThrows(
    () => namesOf([], { ok: { port: 1 }, web: { port: 0 } }),
    RangeError,
    `Reading the map's entry "web": expected a port from 1 to 65535, found 0`,
  );
});
