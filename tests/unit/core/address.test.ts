import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Address,
  canonicalIpv6,
  formatAddress,
  formatIpv6,
  parseIpv4,
  parseIpv6,
  sameAddress,
} from "../../../src/core/address.ts";
import {
  addressBytes,
  assertThrows,
  ipv4,
  ipv6,
  ipv6Bytes,
} from "../helpers.ts";

const UNNAMED: Address = { kind: "unix-unnamed" };
const VSOCK: Address = { kind: "vsock", contextId: 3, port: 1024 };
const NETLINK: Address = { kind: "netlink", portId: 42, groups: 1 };

test("canonicalIpv6() compresses zeros as in RFC 5952", () => {
  const pairs = [
    ["::", "::"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["::1", "::1"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:DB8::00A0", "2001:db8::a0"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["fe80:0000:0000:0000:0000:0000:0000:0000", "fe80::"],
  ] as const;
  for (const [text, expected] of pairs) {
    assert.equal(canonicalIpv6(text), expected);
  }
});

test("canonicalIpv6() writes v4-mapped addresses with dots", () => {
  assert.equal(canonicalIpv6("::ffff:7f00:1"), "::ffff:127.0.0.1");
  assert.equal(canonicalIpv6("::FFFF:192.0.2.255"), "::ffff:192.0.2.255");
  assert.equal(canonicalIpv6("0:0:0:0:0:ffff:0:0"), "::ffff:0.0.0.0");
  assert.equal(canonicalIpv6("::fffe:7f00:1"), "::fffe:7f00:1");
});

test("canonicalIpv6() rejects text that is not an IPv6 address", () => {
  for (
    const text of [
      "",
      ":",
      "1",
      "127.0.0.1",
      "localhost",
      "1::2::3",
      "1:2:3:4:5:6:7:8:9",
      "12345::",
      "g::",
      "[::1]",
      "fe80::1%eth0",
      "::1/64",
    ]
  ) {
    assert.throws(() => canonicalIpv6(text), TypeError, text);
  }
});

test("canonicalIpv6() rejects text around an address, and white space in it", () => {
  for (
    const text of [
      "::1]:80/[",
      "::1]/[",
      "user@[::1",
      "::\t1",
      "\n::1",
      "::1\r",
      " ::1",
    ]
  ) {
    assert.throws(() => canonicalIpv6(text), TypeError, JSON.stringify(text));
  }
});

test("canonicalIpv6() accepts an IPv4 tail with compressed zeros anywhere", () => {
  const pairs = [
    ["::192.0.2.1", "::c000:201"],
    ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
    ["1:2:3::192.0.2.1", "1:2:3::c000:201"],
    // Four groups beside the tail: the URL parser of Bun 1.2 to 1.4 fails.
    ["1:2:3:4::192.0.2.1", "1:2:3:4::c000:201"],
    ["1::2:3:4:192.0.2.1", "1::2:3:4:c000:201"],
    ["::1:2:3:4:192.0.2.1", "::1:2:3:4:c000:201"],
    ["1:2:3:4:5::192.0.2.1", "1:2:3:4:5:0:c000:201"],
    ["1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:c000:201"],
  ] as const;
  for (const [text, expected] of pairs) {
    assert.equal(canonicalIpv6(text), expected);
  }
  for (const tail of ["192.0.2", "192.0.2.256", "192.0.2.1.1", "192.0.02.1"]) {
    assert.throws(() => canonicalIpv6(`::${tail}`), TypeError, tail);
  }
});

test("canonicalIpv6() keeps the address and is idempotent", () => {
  fc.assert(fc.property(addressBytes(16), fc.boolean(), (bytes, upper) => {
    const groups: string[] = [];
    for (let index = 0; index < 16; index += 2) {
      const group = (bytes[index]! * 256 + bytes[index + 1]!).toString(16);
      groups.push(upper ? group.toUpperCase().padStart(4, "0") : group);
    }
    const text = canonicalIpv6(groups.join(":"));
    assert.deepEqual(ipv6Bytes(text), bytes);
    assert.equal(canonicalIpv6(text), text);
    assert.equal(text, text.toLowerCase());
  }));
});

test("canonicalIpv6() is idempotent for any valid text", () => {
  fc.assert(fc.property(fc.ipV6(), (text) => {
    const once = canonicalIpv6(text);
    assert.equal(canonicalIpv6(once), once);
    assert.deepEqual(ipv6Bytes(once), ipv6Bytes(text));
  }));
});

test("parseIpv4() returns the bytes of a numeric address only", () => {
  fc.assert(fc.property(addressBytes(4), (bytes) => {
    assert.deepEqual(parseIpv4(bytes.join(".")), bytes);
  }));
  for (
    const text of [
      "",
      "1.2.3",
      "1.2.3.4.",
      "1.2.3.4.5",
      "1.2.3.256",
      "1.2.3.04",
      "1.2.3.1e1",
      "1.2.3.-1",
      "1.2.3. 4",
      "0x7f.0.0.1",
      "localhost",
    ]
  ) assert.equal(parseIpv4(text), undefined, text);
});

test("parseIpv6() returns the bytes of any form of an address", () => {
  fc.assert(fc.property(fc.ipV6(), (text) => {
    assert.deepEqual(parseIpv6(text), ipv6Bytes(text));
  }));
  for (
    const text of [
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7::8",
      "1::2:",
      ":1::2",
      "::1 ",
    ]
  ) assert.equal(parseIpv6(text), undefined, text);
});

test("formatIpv6() writes bytes as their canonical text", () => {
  const zeros = Array<number>(8).fill(0);
  assert.equal(formatIpv6([...zeros, ...zeros]), "::");
  assert.equal(
    formatIpv6([0x20, 1, 0x0d, 0xb8, ...zeros, 0, 0, 1, 0]),
    "2001:db8::100",
  );
  fc.assert(fc.property(addressBytes(16), (bytes) => {
    const text = formatIpv6(Uint8Array.from(bytes));
    assert.deepEqual(ipv6Bytes(text), bytes);
    assert.equal(canonicalIpv6(text), text);
  }));
});

test("formatAddress() formats each kind", () => {
  assert.equal(formatAddress(ipv4("127.0.0.1", 80)), "127.0.0.1:80");
  assert.equal(formatAddress(ipv6("::1", 80)), "[::1]:80");
  assert.equal(
    formatAddress({ kind: "unix", path: "/run/a b.sock" }),
    "/run/a b.sock",
  );
  assert.equal(formatAddress({ kind: "unix-abstract", name: "app" }), "@app");
  assert.equal(formatAddress(UNNAMED), "(unnamed)");
  assert.equal(formatAddress(ipv6("fe80::1", 80, 2)), "[fe80::1%2]:80");
  assert.equal(formatAddress(VSOCK), "vsock:3:1024");
  assert.equal(formatAddress(NETLINK), "netlink:42");
  assert.equal(formatAddress(undefined), "(unknown address)");
});

test("sameAddress() compares kind, host and port", () => {
  assert.ok(sameAddress(ipv4("127.0.0.1", 80), ipv4("127.0.0.1", 80)));
  assert.ok(!sameAddress(ipv4("127.0.0.1", 80), ipv4("127.0.0.1", 81)));
  assert.ok(!sameAddress(ipv4("127.0.0.1", 80), ipv4("127.0.0.2", 80)));
  assert.ok(sameAddress(ipv6("::", 80), ipv6("::", 80)));
  assert.ok(!sameAddress(ipv6("::", 80), ipv6("::1", 80)));
  assert.ok(!sameAddress(ipv4("0.0.0.0", 80), ipv6("::", 80)));
});

test("sameAddress() distinguishes paths, abstract names and unbound sockets", () => {
  const path: Address = { kind: "unix", path: "@app" };
  const abstract: Address = { kind: "unix-abstract", name: "app" };
  assert.ok(sameAddress(path, { kind: "unix", path: "@app" }));
  assert.ok(sameAddress(abstract, { kind: "unix-abstract", name: "app" }));
  assert.ok(!sameAddress(path, abstract));
  assert.ok(!sameAddress(abstract, { kind: "unix-abstract", name: "other" }));
  assert.ok(!sameAddress({ kind: "unix", path: "(unnamed)" }, UNNAMED));
  assert.ok(sameAddress(UNNAMED, { kind: "unix-unnamed" }));
});

test("sameAddress() compares known scope ids of IPv6 addresses", () => {
  const [first, second] = [ipv6("fe80::1", 80, 2), ipv6("fe80::1", 80, 3)];
  const unknown = ipv6("fe80::1", 80);
  assert.ok(sameAddress(first, { ...first }));
  assert.ok(!sameAddress(first, second));
  assert.ok(sameAddress(first, unknown) && sameAddress(unknown, second));
  assert.ok(!sameAddress(first, ipv6("fe80::1", 81, 2)));
  assert.ok(!sameAddress(first, ipv6("fe80::2", 80, 2)));
});

test("sameAddress() compares both numbers of a vsock address", () => {
  assert.ok(sameAddress(VSOCK, { ...VSOCK }));
  assert.ok(!sameAddress(VSOCK, { ...VSOCK, port: 1025 }));
  assert.ok(!sameAddress(VSOCK, { ...VSOCK, contextId: 4 }));
  assert.ok(!sameAddress(VSOCK, NETLINK));
});

test("canonicalIpv6() rejects malformed addresses", () => {
  for (const text of ["1::2::3", ":", ":::", "12345::", "1:2:3:4:5:6:7:8:9"]) {
    assertThrows(
      () => canonicalIpv6(text),
      TypeError,
      "Parsing an IPv6 address",
    );
  }
});
