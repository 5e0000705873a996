import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeSockaddr } from "../../../src/core/sockaddr.ts";
import { anyAddress, ipv4, ipv6, sockaddr } from "../helpers.ts";

/** Parses hexadecimal bytes as strace and gdb show them. */
function bytes(hex: string): Uint8Array {
  const pairs = hex.replaceAll(" ", "").match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}

/** Decodes the address of a Unix socket. */
function unix(path: string): ReturnType<typeof decodeSockaddr> {
  return decodeSockaddr(
    Uint8Array.of(1, 0, ...new TextEncoder().encode(path)),
  );
}

test("decodeSockaddr() decodes an IPv4 address", () => {
  assert.deepEqual(
    decodeSockaddr(bytes("0200 1f90 c0000201 0000000000000000")),
    ipv4("192.0.2.1", 8080),
  );
});

test("decodeSockaddr() decodes an IPv6 address and its scope id", () => {
  const linkLocal = "0a00 0050 00000000 fe800000000000000000000000000001";
  assert.deepEqual(
    decodeSockaddr(bytes(`${linkLocal} 02010000`)),
    ipv6("fe80::1", 80, 258),
  );
  assert.deepEqual(
    decodeSockaddr(bytes(`${linkLocal} 00000000`)),
    ipv6("fe80::1", 80),
  );
  const mapped = "0a00 ffff 12345678 00000000000000000000ffff7f000001 00000000";
  assert.deepEqual(
    decodeSockaddr(bytes(mapped)),
    ipv6("::ffff:127.0.0.1", 65535),
  );
});

test("decodeSockaddr() decodes a Unix socket's path up to its NUL byte", () => {
  const expected = { kind: "unix", path: "/run/app.sock" };
  assert.deepEqual(unix("/run/app.sock\0"), expected);
  assert.deepEqual(unix("/run/app.sock\0rest\0"), expected);
  // A path of 108 bytes has no NUL byte.
  assert.deepEqual(unix("/run/app.sock"), expected);
  assert.deepEqual(unix("é@\n\0"), { kind: "unix", path: "é@\n" });
});

test("decodeSockaddr() decodes an abstract name by its length", () => {
  assert.deepEqual(unix("\0app"), { kind: "unix-abstract", name: "app" });
  assert.deepEqual(unix("\0a\0b\0"), { kind: "unix-abstract", name: "a\0b\0" });
  assert.deepEqual(unix("\0"), { kind: "unix-abstract", name: "" });
  assert.deepEqual(unix("\0\ufeffa"), {
    kind: "unix-abstract",
    name: "\ufeffa",
  });
});

test("decodeSockaddr() decodes an unbound Unix socket", () => {
  assert.deepEqual(unix(""), { kind: "unix-unnamed" });
});

test("decodeSockaddr() returns undefined for a path or name that is not UTF-8", () => {
  assert.equal(decodeSockaddr(bytes("0100 2fff61 00")), undefined);
  assert.equal(decodeSockaddr(bytes("0100 00ff61")), undefined);
  // The bytes after the end of a path are ignored.
  assert.deepEqual(decodeSockaddr(bytes("0100 2f61 00 ff")), {
    kind: "unix",
    path: "/a",
  });
  assert.deepEqual(unix("/\ufffd\0"), { kind: "unix", path: "/\ufffd" });
});

test("decodeSockaddr() decodes a netlink address", () => {
  assert.deepEqual(decodeSockaddr(bytes("1000 0000 2a000000 01000080")), {
    kind: "netlink",
    portId: 42,
    groups: 0x80000001,
  });
});

test("decodeSockaddr() decodes a vsock address", () => {
  const any = bytes("2800 0000 39300000 ffffffff 00000000");
  assert.deepEqual(decodeSockaddr(any), {
    kind: "vsock",
    contextId: 0xffffffff,
    port: 12345,
  });
});

test("decodeSockaddr() returns undefined for an unsupported family", () => {
  for (const family of [0, 3, 17, 38, 44, 255, 0x0201, 0x0a00]) {
    const start = Uint8Array.of(family & 255, family >> 8);
    const full = new Uint8Array(128);
    full.set(start);
    assert.equal(decodeSockaddr(start), undefined, `${family}`);
    assert.equal(decodeSockaddr(full), undefined, `${family}`);
  }
});

test("decodeSockaddr() decodes bytes in the middle of a buffer", () => {
  const memory = new Uint8Array(64).fill(0xff);
  memory.set(sockaddr(ipv4("127.0.0.1", 80)), 5);
  assert.deepEqual(
    decodeSockaddr(memory.subarray(5, 21)),
    ipv4("127.0.0.1", 80),
  );
});

test("decodeSockaddr() decodes any encoded address", () => {
  fc.assert(
    fc.property(anyAddress(), (address) => {
      assert.deepEqual(decodeSockaddr(sockaddr(address)), address);
    }),
    { numRuns: 500 },
  );
});

test("decodeSockaddr() returns undefined for a truncated address, except a path", () => {
  fc.assert(fc.property(anyAddress(), (address) => {
    const full = sockaddr(address);
    // The bytes after an IPv4 or vsock address are padding.
    const needed = { ipv4: 8, vsock: 12 }[address.kind as string] ??
      full.length;
    for (let length = 0; length < full.length; length++) {
      const decoded = decodeSockaddr(full.subarray(0, length));
      if (address.kind.startsWith("unix")) {
        assert.match(decoded?.kind ?? "unix", /^unix/);
      } else {
        assert.deepEqual(decoded, length < needed ? undefined : address);
      }
    }
  }));
});

test("decodeSockaddr() never throws for any bytes", () => {
  const family = fc.constantFrom(0, 1, 2, 10, 16, 17, 40);
  const rest = fc.uint8Array({ maxLength: 128 });
  fc.assert(
    fc.property(family, rest, (family, rest) => {
      decodeSockaddr(rest);
      decodeSockaddr(Uint8Array.of(family, ...rest));
      decodeSockaddr(Uint8Array.of(family, 0, ...rest));
    }),
    { numRuns: 500 },
  );
});
