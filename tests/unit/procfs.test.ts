import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DescriptorInfo } from "../../src/core/descriptor.ts";
import { SOCKET_TABLES } from "../../src/core/procfs.ts";
import { addressBytes, ipv4, ipv6, ipv6Bytes } from "./helpers.ts";

/** Reads a line of a table. */
function parse(
  file: string,
  line: string,
  inode: string,
): DescriptorInfo | undefined {
  const table = SOCKET_TABLES.find((each) => each.file === file);
  assert.ok(table !== undefined, `no table ${file}`);
  return table.parse(line, inode);
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}

/** An address as a little-endian kernel prints it: its words' bytes reversed. */
function kernelAddress(bytes: readonly number[], port: number): string {
  let text = "";
  for (let word = 0; word < bytes.length; word += 4) {
    for (const byte of bytes.slice(word, word + 4).reverse()) {
      text += hex(byte, 2);
    }
  }
  return `${text}:${hex(port, 4)}`;
}

/** A line of `tcp`, `tcp6`, `udp` or `udp6`. */
function inetLine(local: string, state: string, inode: string): string {
  const remote = `${"0".repeat(local.length - 5)}:0000`;
  return `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 ` +
    `00000000     0        0 ${inode} 1 000000000fbfbefc 100 0 0 10 0`;
}

/** A line of `unix`. */
function unixLine(
  flags: string,
  type: string,
  inode: string,
  path?: string,
): string {
  return `00000000bd52b0e2: 00000002 00000000 ${flags} ${type} 01 ` +
    inode.padStart(5) + (path === undefined ? "" : ` ${path}`);
}

test("SOCKET_TABLES has the tables of /proc/net, each once", () => {
  assert.deepEqual(
    SOCKET_TABLES.map(({ file }) => file).sort(),
    ["tcp", "tcp6", "udp", "udp6", "unix"],
  );
});

test("SOCKET_TABLES reads a listening IPv4 socket", () => {
  const line =
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 " +
    "00000000  1000        0 20615 1 000000000fbfbefc 100 0 0 10 0          ";
  assert.deepEqual(parse("tcp", line, "20615"), {
    kind: "stream-listener",
    address: ipv4("127.0.0.1", 8080),
  });
});

test("SOCKET_TABLES reads a connected IPv4 socket with its local address", () => {
  const line =
    "  12: 0A0200C0:0050 076433C6:D431 01 00000000:00000000 02:000A3D2C " +
    "00000000    33        0 91823 2 00000000d1a5b3c7 20 4 30 10 -1";
  assert.deepEqual(parse("tcp", line, "91823"), {
    kind: "stream-connection",
    address: ipv4("192.0.2.10", 80),
  });
  // CLOSE_WAIT: the peer has ended its side.
  const ending = inetLine("0A0200C0:0050", "08", "91824");
  assert.equal(parse("tcp", ending, "91824")?.kind, "stream-connection");
});

test("SOCKET_TABLES reads IPv6 sockets", () => {
  const line = "   0: B80D0120000000000000000001000000:0050 " +
    "00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 " +
    "00000000     0        0 30000 1 0000000000000000 100 0 0 10 0";
  assert.deepEqual(parse("tcp6", line, "30000"), {
    kind: "stream-listener",
    address: ipv6("2001:db8::1", 80),
  });
  const address = (words: string) =>
    parse("tcp6", inetLine(`${words}:0050`, "0A", "7"), "7")?.address;
  const zeros = "0".repeat(16);
  assert.deepEqual(address(`${zeros}${zeros}`), ipv6("::", 80));
  assert.deepEqual(address(`${zeros}0000000001000000`), ipv6("::1", 80));
  assert.deepEqual(
    address(`${zeros}FFFF00000100007F`),
    ipv6("::ffff:127.0.0.1", 80),
  );
});

test("SOCKET_TABLES reads datagram sockets, whatever their state", () => {
  const line =
    " 1131: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 " +
    "00000000   102        0 15822 2 0000000000000000 0";
  assert.deepEqual(parse("udp", line, "15822"), {
    kind: "datagram",
    address: ipv4("127.0.0.1", 53),
  });
  const six = inetLine(`${"0".repeat(32)}:0035`, "01", "15823");
  assert.deepEqual(parse("udp6", six, "15823"), {
    kind: "datagram",
    address: ipv6("::", 53),
  });
  const listenState = inetLine("00000000:0035", "0A", "15824");
  assert.equal(parse("udp", listenState, "15824")?.kind, "datagram");
});

test("SOCKET_TABLES takes no other line than that of the inode", () => {
  for (const file of ["tcp", "udp"]) {
    const line = inetLine("0100007F:1F90", "0A", "20615");
    assert.ok(parse(file, line, "20615") !== undefined);
    // Part of the inode, and other fields that hold the number.
    for (const inode of ["2061", "0615", "120615", "206150", "0", "1", "100"]) {
      assert.equal(parse(file, line, inode), undefined, inode);
    }
  }
  const line = unixLine("00010000", "0001", "22913", "/run/20615 22914");
  assert.ok(parse("unix", line, "22913") !== undefined);
  for (const inode of ["2291", "2913", "20615", "22914", "01", "1"]) {
    assert.equal(parse("unix", line, inode), undefined, inode);
  }
});

test("SOCKET_TABLES takes no header and no empty line", () => {
  const inet =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when " +
    "retrnsmt   uid  timeout inode";
  const unix = "Num       RefCount Protocol Flags    Type St Inode Path";
  for (const { parse } of SOCKET_TABLES) {
    for (const line of [inet, unix, "", " ", "20615"]) {
      assert.equal(parse(line, "20615"), undefined);
    }
  }
});

test("SOCKET_TABLES reads what a Unix socket is", () => {
  const kinds = [
    ["00010000", "0001", "stream-listener"],
    ["00000000", "0001", "stream-connection"],
    ["00000000", "0002", "datagram"],
    ["00010000", "0005", "seqpacket-listener"],
    ["00000000", "0005", "seqpacket-connection"],
    ["00000000", "0003", "socket"],
    // Other flags than __SO_ACCEPTCON don't matter.
    ["00030001", "0001", "stream-listener"],
    ["00020001", "0001", "stream-connection"],
  ] as const;
  for (const [flags, type, kind] of kinds) {
    assert.deepEqual(
      parse("unix", unixLine(flags, type, "22913", "/run/app.sock"), "22913"),
      { kind, address: { kind: "unix", path: "/run/app.sock" } },
    );
  }
});

test("SOCKET_TABLES reads paths with spaces, abstract names, and none", () => {
  const address = (path?: string) =>
    parse("unix", unixLine("00010000", "0001", "22913", path), "22913")
      ?.address;
  const pairs = [
    ["/run/my app/a  b ", { kind: "unix", path: "/run/my app/a  b " }],
    [" /x", { kind: "unix", path: " /x" }],
    ["app.sock", { kind: "unix", path: "app.sock" }],
    ["@app", { kind: "unix-abstract", name: "app" }],
    ["@/org/x y", { kind: "unix-abstract", name: "/org/x y" }],
    ["@@", { kind: "unix-abstract", name: "@" }],
    [undefined, { kind: "unix-unnamed" }],
  ] as const;
  for (const [path, expected] of pairs) {
    assert.deepEqual(address(path), expected);
  }
});

test("SOCKET_TABLES reads a short inode, padded as the kernel does", () => {
  const line = "00000000bd52b0e2: 00000003 00000000 00000000 0001 03  1594";
  assert.deepEqual(parse("unix", line, "1594"), {
    kind: "stream-connection",
    address: { kind: "unix-unnamed" },
  });
  const long = "0000000000000000: 00000002 00000000 00010000 0001 01 " +
    "4294967295 /run/app.sock";
  assert.equal(parse("unix", long, "4294967295")?.kind, "stream-listener");
});

test("SOCKET_TABLES gives back any IPv4 address that the kernel prints", () => {
  fc.assert(fc.property(
    addressBytes(4),
    fc.nat({ max: 65535 }),
    fc.nat({ max: 2 ** 32 - 1 }).map(String),
    fc.constantFrom("tcp", "udp"),
    (bytes, port, inode, file) => {
      const line = inetLine(kernelAddress(bytes, port), "0A", inode);
      const found = parse(file, line, inode);
      assert.deepEqual(found?.address, ipv4(bytes.join("."), port));
    },
  ));
});

test("SOCKET_TABLES gives back any IPv6 address that the kernel prints", () => {
  const mapped = addressBytes(4).map((four) => [
    ...Array<number>(10).fill(0),
    255,
    255,
    ...four,
  ]);
  fc.assert(fc.property(
    fc.oneof(addressBytes(16), mapped),
    fc.nat({ max: 65535 }),
    fc.constantFrom("tcp6", "udp6"),
    (bytes, port, file) => {
      const line = inetLine(kernelAddress(bytes, port), "0A", "7");
      const address = parse(file, line, "7")?.address;
      assert.ok(address?.kind === "ipv6");
      assert.equal(address.port, port);
      assert.deepEqual(ipv6Bytes(address.hostname), bytes);
    },
  ));
});

test("SOCKET_TABLES gives back any path and abstract name", () => {
  const text = fc.string({ unit: "binary", minLength: 1, maxLength: 107 })
    .map((path) => path.replace(/[\0\n]/g, "_"));
  fc.assert(fc.property(text, fc.boolean(), (text, abstract) => {
    const path = abstract ? `@${text}` : text.replace(/^@/, "/");
    const line = unixLine("00010000", "0001", "22913", path);
    assert.deepEqual(
      parse("unix", line, "22913")?.address,
      abstract ? { kind: "unix-abstract", name: text } : { kind: "unix", path },
    );
  }));
});
