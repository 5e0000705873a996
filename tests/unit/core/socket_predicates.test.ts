import assert from "node:assert/strict";
import { test } from "node:test";
import type { Address } from "../../../src/core/address.ts";
import type { Descriptor } from "../../../src/core/descriptor.ts";
import type {
  SocketFamily,
  SocketInfo,
  SocketType,
} from "../../../src/core/info.ts";
import {
  isSocket,
  isSocketInet,
  isSocketSockaddr,
  isSocketUnix,
  type SocketInetQuery,
  type SocketQuery,
  type SocketUnixQuery,
} from "../../../src/core/predicates.ts";
import {
  assertThrows,
  descriptor,
  ipv4,
  ipv6,
  type Result,
} from "../helpers.ts";

/** Creates a listening stream socket of IPv4, with the given changes. */
function socket(
  rest: Partial<SocketInfo> = {},
): Descriptor {
  return descriptor(3, "web", {
    kind: "socket",
    family: "ipv4",
    type: "stream",
    listening: true,
    address: ipv4("127.0.0.1", 80),
    ...rest,
  });
}

/** Creates a Unix socket with an address. */
function unix(address?: Address): Descriptor {
  return socket({ family: "unix", address });
}

const NOTHING = { family: undefined, address: undefined } as const;
const IPV6 = { family: "ipv6", address: ipv6("::1", 80) } as const;

test("isSocket() compares each property of the query", () => {
  const cases: readonly [Partial<SocketInfo>, SocketQuery, Result][] = [
    [{}, {}, true],
    [{}, { family: "ipv4", type: "stream", listening: true }, true],
    [{}, { family: "ipv6" }, false],
    [{}, { type: "datagram" }, false],
    [{}, { listening: false }, false],
    [{ listening: false }, { listening: false }, true],
    [{ listening: false }, { listening: true }, false],
    [{ family: "unix" }, { family: "unix" }, true],
    [{ family: 38, type: 7 }, { family: "unix" }, false],
    [{ family: 38, type: 7 }, { type: "stream" }, false],
    [{ family: undefined }, { family: "ipv4" }, undefined],
    [{ type: undefined }, { type: "stream" }, undefined],
    [{ listening: undefined }, { listening: false }, undefined],
    [{ listening: undefined }, { listening: undefined }, true],
  ];
  for (const [info, query, result] of cases) {
    const text = JSON.stringify([info, query]);
    assert.equal(isSocket(socket(info), query), result, text);
  }
});

test("isSocketInet() compares family and port", () => {
  const cases: readonly [Partial<SocketInfo>, SocketInetQuery, Result][] = [
    [{}, {}, true],
    [IPV6, {}, true],
    [{}, { family: "ipv4", port: 80 }, true],
    [IPV6, { family: "ipv6", port: 80 }, true],
    [IPV6, { family: "ipv4" }, false],
    [{}, { family: "ipv6" }, false],
    [{}, { port: 81 }, false],
    [{}, { port: 0 }, true],
    [{}, { type: "datagram", port: 80 }, false],
    [{}, { listening: false, port: 80 }, false],
    [{ family: "unix", address: undefined }, {}, false],
    [{ family: "unix", address: undefined }, { port: 80 }, false],
    [{ family: "vsock" }, {}, false],
    [NOTHING, {}, undefined],
    [NOTHING, { family: "ipv4" }, undefined],
    [{ family: undefined }, { port: 81 }, false],
    [{ address: undefined }, { port: 80 }, undefined],
    [{ address: undefined }, { port: 0 }, true],
    [{ address: undefined }, { family: "ipv6", port: 80 }, false],
  ];
  for (const [info, query, result] of cases) {
    const text = JSON.stringify([info, query]);
    assert.equal(isSocketInet(socket(info), query), result, text);
  }
});

test("isSocketSockaddr() compares the whole address", () => {
  const scoped = (scopeId?: number, hostname = "fe80::1") => ({
    family: "ipv6",
    address: ipv6(hostname, 80, scopeId),
  } as const);
  const none = { address: undefined } as const;
  const cases: readonly [
    Partial<SocketInfo>,
    Parameters<typeof isSocketSockaddr>[1],
    Result,
  ][] = [
    [{}, ipv4("127.0.0.1", 80), true],
    [{}, ipv4("127.0.0.1", 0), true],
    [{}, ipv4("127.0.0.1", 81), false],
    [{}, ipv4("127.0.0.2", 80), false],
    [{}, ipv6("::ffff:127.0.0.1", 80), false],
    [IPV6, ipv6("::1", 80), true],
    [IPV6, ipv6("0:0::0001", 80), true],
    [IPV6, ipv6("::1", 0), true],
    [IPV6, ipv6("::2", 80), false],
    [IPV6, ipv4("127.0.0.1", 80), false],
    [scoped(2), ipv6("fe80::1", 80, 2), true],
    [scoped(2), ipv6("fe80::1", 80, 3), false],
    [scoped(2), ipv6("fe80::1", 80, 0), true],
    [scoped(2), ipv6("fe80::1", 80), true],
    // Only an address of link scope can have an unknown scope id.
    [scoped(), ipv6("fe80::1", 80, 2), undefined],
    [scoped(), ipv6("fe80::2", 80, 2), false],
    [scoped(undefined, "ff02::1"), ipv6("ff02::1", 80, 2), undefined],
    [scoped(undefined, "ff01::1"), ipv6("ff01::1", 80, 2), undefined],
    [scoped(undefined, "ff05::1"), ipv6("ff05::1", 80, 2), false],
    [scoped(undefined, "febf::1"), ipv6("febf::1", 80, 2), undefined],
    [scoped(undefined, "fec0::1"), ipv6("fec0::1", 80, 2), false],
    [scoped(undefined, "fe8::1"), ipv6("fe8::1", 80, 2), false],
    [scoped(undefined, "ff:2::1"), ipv6("ff:2::1", 80, 2), false],
    [IPV6, ipv6("::1", 80, 2), false],
    [none, ipv4("127.0.0.1", 80), undefined],
    [none, ipv6("::1", 80), false],
    [NOTHING, ipv6("::1", 80), undefined],
    [{ family: undefined }, ipv4("127.0.0.1", 81), false],
    [{ family: "unix", ...none }, ipv4("127.0.0.1", 80), false],
  ];
  for (const [info, address, result] of cases) {
    const text = JSON.stringify([info, address]);
    assert.equal(isSocketSockaddr(socket(info), address), result, text);
  }
});

test("isSocketSockaddr() compares type and state", () => {
  const address = ipv4("127.0.0.1", 80);
  const check = (type: SocketType, listening?: boolean) =>
    isSocketSockaddr(socket(), address, { type, listening });
  assert.equal(check("stream", true), true);
  assert.equal(check("stream"), true);
  assert.equal(check("stream", false), false);
  assert.equal(check("datagram"), false);
});

test("isSocketUnix() compares paths, abstract names and unbound sockets", () => {
  const path: Address = { kind: "unix", path: "/run/app.sock" };
  const abstract: Address = { kind: "unix-abstract", name: "app\0" };
  const unnamed: Address = { kind: "unix-unnamed" };
  const cases: readonly [Address | undefined, SocketUnixQuery, Result][] = [
    [path, {}, true],
    [undefined, {}, true],
    [path, { path: "/run/app.sock" }, true],
    [path, { path: "/run/app.sock", type: "stream", listening: true }, true],
    [path, { path: "/run/app.sock", type: "seqpacket" }, false],
    [path, { path: "/run/app.sock", listening: false }, false],
    [path, { path: "/run/app" }, false],
    [path, { path: "/run//app.sock" }, false],
    [path, { path: "" }, false],
    [{ kind: "unix", path: "@app" }, { path: "@app" }, false],
    [abstract, { path: "@app\0" }, true],
    [abstract, { path: "@app" }, false],
    [abstract, { path: "app\0" }, false],
    [abstract, { path: "" }, false],
    [{ kind: "unix-abstract", name: "" }, { path: "@" }, true],
    [{ kind: "unix-abstract", name: "" }, { path: "" }, false],
    [unnamed, { path: "" }, true],
    [unnamed, { path: "@" }, false],
    [unnamed, { path: "(unnamed)" }, false],
    [undefined, { path: "" }, undefined],
    [undefined, { path: "/run/app.sock" }, undefined],
    [undefined, { path: "/run/app.sock", type: "datagram" }, false],
  ];
  for (const [address, query, result] of cases) {
    const text = JSON.stringify([address, query]);
    assert.equal(isSocketUnix(unix(address), query), result, text);
  }
  assert.equal(isSocketUnix(socket()), false);
  assert.equal(isSocketUnix(socket(), { path: "/run/app.sock" }), false);
  assert.equal(isSocketUnix(socket({ family: undefined })), undefined);
});

test("isSocket() and the other socket predicates reject an invalid type or family", () => {
  const subject = descriptor(3, "web", "closed");
  for (
    const invalid of ["", "STREAM", "str\neam", "constructor", 1, null, {}]
  ) {
    const type = invalid as SocketType;
    const family = invalid as SocketFamily & SocketInetQuery["family"];
    const shown = `found ${JSON.stringify(String(invalid))}`;
    const checks = [
      () => isSocket(subject, { type }),
      () => isSocketInet(subject, { type }),
      () => isSocketUnix(subject, { type }),
      () => isSocketSockaddr(subject, ipv4("127.0.0.1", 80), { type }),
    ];
    for (const check of checks) {
      const message = "Checking for a socket: expected a socket type, ";
      assertThrows(check, TypeError, message, shown);
    }
    assertThrows(
      () => isSocket(subject, { family }),
      TypeError,
      "Checking for a socket: expected an address family, ",
      shown,
    );
    assertThrows(
      () => isSocketInet(subject, { family }),
      TypeError,
      'Checking for an internet socket: expected "ipv4" or "ipv6" as family, ',
      shown,
    );
  }
  assertThrows(
    () => isSocketInet(subject, { family: "unix" as "ipv4" }),
    TypeError,
    'found "unix"',
  );
});

test("isSocketInet() and isSocketSockaddr() reject an invalid port", () => {
  const subject = descriptor(3, "web", "closed");
  for (const port of [-1, 65536, 80.5, NaN, Infinity, "80", null]) {
    const parts = [
      "Checking a socket's port: expected 0 to 65535, ",
      `found ${port}`,
    ];
    assertThrows(
      () => isSocketInet(subject, { port: port as number }),
      RangeError,
      ...parts,
    );
    assertThrows(
      () => isSocketSockaddr(subject, ipv4("127.0.0.1", port as number)),
      RangeError,
      ...parts,
    );
  }
  assert.equal(isSocketInet(socket(), { port: 65535 }), false);
});

test("isSocketSockaddr() rejects an address that is not numeric", () => {
  const invalid = [
    ipv4("localhost", 80),
    ipv4("127.0.0", 80),
    ipv4("127.0.0.256", 80),
    ipv4("127.0.0.01", 80),
    ipv4("127.0.0.1\n", 80),
    ipv4("::1", 80),
    ipv4("", 80),
    ipv4(undefined as unknown as string, 80),
    { ...ipv4("127.0.0.1", 80), kind: "unix" as "ipv4" },
    { ...ipv4("127.0.0.1", 80), kind: undefined as unknown as "ipv4" },
    ipv6("127.0.0.1", 80),
    ipv6("[::1]", 80),
    ipv6("fe80::1%2", 80),
    ipv6("", 80),
  ];
  for (const address of invalid) {
    assertThrows(
      () => isSocketSockaddr(descriptor(3, "web", "closed"), address),
      TypeError,
      "address",
      "found ",
    );
  }
});
