import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalIpv6 } from "../../../src/core/address.ts";
import { quote } from "../../../src/core/errors.ts";
import {
  type BindAddress,
  type ListenAddress,
  parseBindAddress,
  parseListenAddress,
} from "../../../src/core/listen_address.ts";
import { anyText, assertThrows, assertThrowsOnly } from "../helpers.ts";

/** Formats an address as the text of the flag. */
function format(address: ListenAddress): string {
  switch (address.kind) {
    case "systemd":
      return `systemd:${address.name}`;
    case "fd":
      return `fd:${address.fd}`;
    case "tcp":
      return address.hostname.includes(":")
        ? `tcp:[${address.hostname}]:${address.port}`
        : `tcp:${address.hostname}:${address.port}`;
    case "unix":
      return `unix:${address.path}`;
  }
}

test("parseListenAddress() parses every form", () => {
  const pairs: readonly [string, ListenAddress][] = [
    ["systemd:web", { kind: "systemd", name: "web" }],
    ["systemd:/x %n~", { kind: "systemd", name: "/x %n~" }],
    [`systemd:${"x".repeat(255)}`, { kind: "systemd", name: "x".repeat(255) }],
    ["systemd: my app", { kind: "systemd", name: " my app" }],
    ["fd:3", { kind: "fd", fd: 3 }],
    ["fd:2147483647", { kind: "fd", fd: 2147483647 }],
    ["tcp:127.0.0.1:8080", { kind: "tcp", hostname: "127.0.0.1", port: 8080 }],
    ["tcp:localhost:0", { kind: "tcp", hostname: "localhost", port: 0 }],
    ["tcp:[::1]:80", { kind: "tcp", hostname: "::1", port: 80 }],
    ["tcp:[::]:65535", { kind: "tcp", hostname: "::", port: 65535 }],
    [
      "tcp:[fe80::1%eth0.7]:80",
      { kind: "tcp", hostname: "fe80::1%eth0.7", port: 80 },
    ],
    ["unix:/run/x.sock", { kind: "unix", path: "/run/x.sock" }],
    ["unix:/run/a:b c", { kind: "unix", path: "/run/a:b c" }],
    ["unix:x.sock", { kind: "unix", path: "x.sock" }],
    ["unix:@abstract", { kind: "unix", path: "@abstract" }],
  ];
  for (const [text, expected] of pairs) {
    assert.deepEqual(parseListenAddress(text), expected);
  }
});

test("parseListenAddress() returns the canonical text of an IPv6 address", () => {
  assert.deepEqual(parseListenAddress("tcp:[2001:DB8:0:0:0:0:0:1]:80"), {
    kind: "tcp",
    hostname: "2001:db8::1",
    port: 80,
  });
});

test("parseListenAddress() rejects other text and lists the forms", () => {
  for (
    const text of [
      "",
      "web",
      "3",
      "systemdx",
      "unix/",
      ":",
      ":web",
      "http:web",
      "SYSTEMD:web",
      " systemd:web",
      "systemd:",
      "systemd:web:admin",
      "systemd:foo\n",
      "systemd:\tfoo",
      "systemd:foo\x7f",
      "systemd:foo\0",
      "systemd:f\u00f6\u00f6",
      "systemd:\u{1f600}",
      "systemd:\ud800",
      `systemd:${"x".repeat(256)}`,
      "systemd://foo",
      "systemd:///foo",
      "systemd://",
      "fd:",
      "fd:web",
      "fd:-3",
      "fd:03",
      "fd:3 ",
      "fd:0x3",
      "fd:1e1",
      "fd:3\n",
      "fd:+3",
      "fd:3.0",
      "fd://3",
      "fd:3:",
      "fd:-0",
      "fd:٣",
      "tcp:",
      "tcp:80",
      "tcp::80",
      "tcp:localhost",
      "tcp:localhost:",
      "tcp:localhost:http",
      "tcp:localhost:080",
      "tcp:localhost:-1",
      "tcp:local host:80",
      "tcp: localhost:80",
      "tcp:localhost :80",
      "tcp:localhost: 80",
      "tcp:localhost:80\n",
      "tcp:\u00a0:80",
      "tcp:local%68ost:80",
      "tcp:127.0.0.1%lo:80",
      "tcp:localhost:8%30",
      "tcp://localhost:80",
      "tcp:[fe80::1%]:80",
      "tcp:[fe80::1%a%b]:80",
      "tcp:[fe80::1%a/b]:80",
      "tcp:[fe80::1% eth0]:80",
      "tcp:[%eth0]:80",
      "tcp:fe80::1%eth0:80",
      "tcp:localhost/x:80",
      "tcp:::1:80",
      "tcp:[::1]",
      "tcp:[::1]80",
      "tcp:[]:80",
      "tcp:[::1:80",
      "tcp:[[::1]]:80",
      "tcp:[localhost]:80",
      "tcp:[127.0.0.1]:80",
      "tcp:[1::2::3]:80",
      "unix:",
      "unix:@",
      "unix:/run/\0x",
    ]
  ) {
    assertThrows(
      () => parseListenAddress(text),
      SyntaxError,
      `Parsing the address ${quote(text)}: expected `,
      '"systemd:NAME"',
      '"fd:NUMBER"',
      '"tcp:HOST:PORT"',
      '"tcp:[IPV6]:PORT"',
      '"unix:PATH"',
      '"unix:@NAME"',
    );
  }
});

test("parseListenAddress() rejects an IPv6 address with white space in it", () => {
  for (const text of ["tcp:[::\t1]:80", "tcp:[\n::1]:80", "tcp:[::1\r]:80"]) {
    assertThrows(() => parseListenAddress(text), SyntaxError);
  }
});

test("parseListenAddress() rejects a descriptor out of range", () => {
  for (const fd of ["0", "1", "2", "2147483648", "9".repeat(30)]) {
    assertThrows(
      () => parseListenAddress(`fd:${fd}`),
      RangeError,
      `Parsing the address "fd:${fd}": expected a descriptor from 3 to ` +
        `2147483647, found "${fd}"`,
    );
  }
});

test("parseListenAddress() rejects a port out of range", () => {
  for (const host of ["localhost", "[::1]"]) {
    assertThrows(
      () => parseListenAddress(`tcp:${host}:65536`),
      RangeError,
      `Parsing the address "tcp:${host}:65536": expected a port from 0 to ` +
        `65535, found "65536"`,
    );
  }
});

test("parseListenAddress() escapes and cuts text in messages", () => {
  assertThrows(
    () => parseListenAddress("\u001b[31m\n"),
    SyntaxError,
    String.raw`"\u001b[31m\n"`,
  );
  assertThrows(
    () => parseListenAddress("x".repeat(300)),
    SyntaxError,
    `"${"x".repeat(80)}"… (300 characters)`,
  );
});

test("parseListenAddress() parses the text of any address", () => {
  const port = fc.nat({ max: 65535 });
  const ipv6Text = fc.array(fc.nat({ max: 0xffff }), {
    minLength: 8,
    maxLength: 8,
  }).map((groups) =>
    canonicalIpv6(groups.map((group) => group.toString(16)).join(":"))
  );
  const host = fc.oneof(fc.ipV4(), fc.domain(), ipv6Text);
  const path = anyText().filter((text) =>
    text !== "" && text !== "@" && !text.includes("\0")
  );
  const name = fc.string({
    unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) =>
      String.fromCharCode(code)
    ),
    minLength: 1,
    maxLength: 255,
  }).map((text) => text.replaceAll(":", ""))
    .filter((text) => text !== "" && !text.startsWith("//"));
  const address: fc.Arbitrary<ListenAddress> = fc.oneof(
    fc.record({ kind: fc.constant("systemd" as const), name }),
    fc.record({
      kind: fc.constant("fd" as const),
      fd: fc.integer({ min: 3, max: 2 ** 31 - 1 }),
    }),
    fc.record({ kind: fc.constant("tcp" as const), hostname: host, port }),
    fc.record({ kind: fc.constant("unix" as const), path }),
  );
  fc.assert(
    fc.property(address, (input) => {
      // The records of fast-check have no prototype.
      assert.deepEqual(parseListenAddress(format(input)), { ...input });
    }),
    { numRuns: 300 },
  );
});

test("parseListenAddress() throws a SyntaxError or RangeError only, for any text", () => {
  const text = fc.oneof(
    anyText(),
    fc.tuple(
      fc.constantFrom("systemd:", "fd:", "tcp:", "tcp:[", "unix:", "tcp:h:"),
      fc.oneof(anyText(), fc.ipV6(), fc.bigInt().map(String)),
      fc.constantFrom("", "]:80", ":80", ":65536", "]"),
    ).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (input) => {
      assertThrowsOnly(
        () => parseListenAddress(input),
        [SyntaxError, RangeError],
      );
    }),
    { numRuns: 1000 },
  );
});

test("parseBindAddress() parses addresses as systemfd and socket units have them", () => {
  const tcp = (hostname: string, port: number): BindAddress => ({
    kind: "tcp",
    hostname,
    port,
  });
  const udp = (hostname: string, port: number): BindAddress => ({
    kind: "udp",
    hostname,
    port,
  });
  const unix = (path: string): BindAddress => ({ kind: "unix", path });
  const pairs: readonly [string, BindAddress][] = [
    ["8080", tcp("127.0.0.1", 8080)],
    ["0", tcp("127.0.0.1", 0)],
    [":8080", tcp("127.0.0.1", 8080)],
    ["tcp:8080", tcp("127.0.0.1", 8080)],
    ["tcp::8080", tcp("127.0.0.1", 8080)],
    ["http::8080", tcp("127.0.0.1", 8080)],
    ["https::[::]:443", tcp("::", 443)],
    ["tcp::0.0.0.0:80", tcp("0.0.0.0", 80)],
    ["localhost:80", tcp("localhost", 80)],
    ["[::1]:80", tcp("::1", 80)],
    ["http:80", tcp("http", 80)],
    ["udp:53", udp("127.0.0.1", 53)],
    ["udp::53", udp("127.0.0.1", 53)],
    ["udp:[::1]:53", udp("::1", 53)],
    ["/run/x.sock", unix("/run/x.sock")],
    ["./x.sock", unix("./x.sock")],
    ["../x", unix("../x")],
    ["run/x:y", unix("run/x:y")],
    ["@abstract", unix("@abstract")],
    ["unix:x.sock", unix("x.sock")],
    ["unix::/run/x.sock", unix("/run/x.sock")],
  ];
  for (const [text, expected] of pairs) {
    assert.deepEqual(parseBindAddress(text), expected, text);
  }
});

test("parseBindAddress() parses whatever TCP and Unix addresses parse strictly", () => {
  for (
    const text of [
      "tcp:127.0.0.1:8080",
      "tcp:[fe80::1%eth0]:80",
      "tcp:localhost:0",
      "unix:/run/x",
      "unix:@x",
    ]
  ) assert.deepEqual(parseBindAddress(text), parseListenAddress(text));
});

test("parseListenAddress() leaves the short forms to activators", () => {
  for (const text of ["8080", ":8080", "tcp:8080", "./x", "/x", "@x"]) {
    assertThrows(() => parseListenAddress(text), SyntaxError, "expected ");
  }
});

test("parseBindAddress() throws nothing but SyntaxError and RangeError", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        anyText(),
        fc.ipV6(),
        fc.webUrl(),
        fc.stringMatching(/^[:.%[\]0-9a-f/@*]+$/),
      ),
      (text) => {
        assertThrowsOnly(() => parseBindAddress(text), [
          SyntaxError,
          RangeError,
        ]);
      },
    ),
  );
});
