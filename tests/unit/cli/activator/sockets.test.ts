import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalIpv6 } from "../../../../src/core/address.ts";
import { parseBindAddress } from "../../../../src/core/listen_address.ts";
import {
  decodeSockaddr,
  encodeIpv4,
  encodeIpv6,
  encodeUnix,
} from "../../../../src/core/sockaddr.ts";

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
