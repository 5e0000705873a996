import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backoffMs } from "../../../../src/cli/run/supervisor.ts";
import { isAnyWaiting } from "../../../../src/cli/activator/proc_waiting.ts";
import { canonicalIpv6 } from "../../../../src/core/address.ts";
import { parseBindAddress } from "../../../../src/core/listen_address.ts";
import { decodeSockaddr } from "../../../../src/core/sockaddr.ts";
import {
  encodeIpv4,
  encodeIpv6,
  encodeUnix,
} from "../../../../src/ffi/sockets.ts";

test("parseBindAddress() reads every form", () => {
  const cases: readonly [string, unknown][] = [
    ["127.0.0.1:80", { kind: "tcp", hostname: "127.0.0.1", port: 80 }],
    ["tcp:127.0.0.1:80", { kind: "tcp", hostname: "127.0.0.1", port: 80 }],
    ["[::1]:0", { kind: "tcp", hostname: "::1", port: 0 }],
    ["localhost:80", { kind: "tcp", hostname: "localhost", port: 80 }],
    ["udp:127.0.0.1:53", { kind: "udp", hostname: "127.0.0.1", port: 53 }],
    ["udp:[0::1]:53", { kind: "udp", hostname: "::1", port: 53 }],
    ["unix:./a b:c", { kind: "unix", path: "./a b:c" }],
    ["unix:@n", { kind: "unix", path: "@n" }],
  ];
  for (const [text, expected] of cases) {
    assert.deepEqual(parseBindAddress(text), expected, text);
  }
});

test("parseBindAddress() throws a SyntaxError or RangeError only", () => {
  const unit = fc.constantFrom(..."tcpudnix:[]@.1%/ \0");
  fc.assert(fc.property(fc.string({ unit }), (text) => {
    try {
      parseBindAddress(text);
    } catch (error) {
      assert.ok(error instanceof SyntaxError || error instanceof RangeError);
    }
  }));
});

test("encoded socket addresses decode to what they were", () => {
  fc.assert(fc.property(
    fc.ipV6(),
    fc.ipV4(),
    fc.nat(65535),
    fc.nat(2 ** 31 - 1),
    (ipv6, ipv4, port, scopeId) => {
      const hostname = canonicalIpv6(ipv6);
      assert.deepEqual(decodeSockaddr(encodeIpv6(hostname, port, scopeId)), {
        kind: "ipv6",
        hostname,
        port,
        ...(scopeId !== 0 && { scopeId }),
      });
      assert.deepEqual(decodeSockaddr(encodeIpv4(ipv4, port)), {
        kind: "ipv4",
        hostname: ipv4,
        port,
      });
    },
  ));
  assert.deepEqual(decodeSockaddr(encodeUnix("./ü.sock")), {
    kind: "unix",
    path: "./ü.sock",
  });
  assert.deepEqual(decodeSockaddr(encodeUnix("@a@b")), {
    kind: "unix-abstract",
    name: "a@b",
  });
});

test("isAnyWaiting() finds what waits in the kernel's tables", () => {
  const inet = (received: string, inode: number) =>
    `   0: 0100007F:1F90 00000000:0000 0A 00000000:${received} 00:00000000 ` +
    `00000000     0        0 ${inode} 1 0000000000000000 100 0 0 10 0`;
  const unix = (state: string, inode: number, path: string) =>
    `0000000027cba152: 00000002 00000000 00000000 0001 ${state} ` +
    `${String(inode).padStart(5)} ${path}`;
  const waits = (tables: Record<string, string>) =>
    isAnyWaiting(
      [{ inode: "7", path: undefined }, { inode: "8", path: "/run/a b" }],
      (table) => `header\n${tables[table] ?? ""}\n`,
    );
  assert.equal(waits({}), false);
  for (const table of ["tcp", "tcp6", "udp", "udp6"]) {
    assert.equal(waits({ [table]: inet("00000001", 7) }), true, table);
    assert.equal(waits({ [table]: inet("00000000", 7) }), false, table);
    assert.equal(waits({ [table]: inet("00000001", 9) }), false, table);
  }
  assert.equal(waits({ unix: unix("02", 0, "/run/a b") }), true);
  assert.equal(waits({ unix: unix("01", 8, "/run/a b") }), false);
  assert.equal(waits({ unix: unix("02", 0, "/run/a") }), false);
});

test("backoffMs() doubles up to five seconds", () => {
  assert.deepEqual(
    [0, 1, 2, 3, 6, 7, 100].map(backoffMs),
    [0, 100, 200, 400, 3200, 5000, 5000],
  );
});
