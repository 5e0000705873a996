import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { SocketInfo } from "../../../src/core/info.ts";
import {
  parseFdinfo,
  SOCKET_TABLES,
  SocketSearch,
} from "../../../src/linux/procfs.ts";
import { addressBytes, anyText, ipv4, ipv6, ipv6Bytes } from "../helpers.ts";
import {
  CLOSE,
  CLOSE_WAIT,
  connectionLines,
  CountedLines,
  ESTABLISHED,
  INET_HEADER,
  inetLine,
  kernelAddress,
  LISTEN,
  lookUp,
  NETLINK_HEADER,
  netlinkLine,
  SYN_SENT,
  UNIX_HEADER,
  unixLine,
} from "./proc_lines.ts";

/** Parses the socket in one line of a table. */
function parse(
  file: string,
  line: string,
  inode: string,
): SocketInfo | undefined {
  return lookUp(file, [line], inode).get(inode);
}

const ZEROS = "0".repeat(16);

test("parseFdinfo() reads the flags of open(2) and of exec", () => {
  const read = (flags: string) =>
    parseFdinfo(`pos:\t0\nflags:\t${flags}\nmnt_id:\t24\nino:\t3\n`);
  const cases = [
    ["0100000", false, false],
    ["02004002", true, true],
    ["02", false, false],
    ["04000", true, false],
    ["02000000", false, true],
    ["075773777", false, false],
  ] as const;
  for (const [flags, nonBlocking, closeOnExec] of cases) {
    assert.deepEqual(read(flags), { nonBlocking, closeOnExec }, flags);
  }
});

test("parseFdinfo() knows nothing where there are no flags", () => {
  for (
    const text of ["", "flags:", "flags:\t9", "xflags:\t02", "pos:\t02004000"]
  ) {
    assert.deepEqual(parseFdinfo(text), {}, text);
  }
});

test("parseFdinfo() never throws, whatever the text", () => {
  const text = fc.tuple(
    fc.constantFrom("", "flags:\t", "\nflags: 0"),
    anyText(),
  )
    .map((parts) => parts.join(""));
  fc.assert(fc.property(text, (text) => {
    for (const flag of Object.values(parseFdinfo(text))) {
      assert.equal(typeof flag, "boolean");
    }
  }));
});

test("SocketSearch is done when all sockets were found", () => {
  const search = new SocketSearch(["1", "2", "1"]);
  assert.ok(
    search.isMissing("1") && search.isMissing("2") && !search.isMissing("3"),
  );
  assert.ok(!search.done);
  search.add("1", { kind: "socket" });
  assert.ok(!search.isMissing("1") && !search.done);
  search.add("2", { kind: "datagram" });
  assert.ok(search.done);
  assert.deepEqual([...search.results], [
    ["1", { kind: "socket" }],
    ["2", { kind: "datagram" }],
  ]);
  assert.ok(new SocketSearch([]).done);
});

test("SOCKET_TABLES has each table of /proc/net once, the one that can be forged last", () => {
  assert.equal(SOCKET_TABLES.at(-1)?.file, "unix");
  assert.deepEqual(
    SOCKET_TABLES.map(({ file }) => file).sort(),
    [
      "netlink",
      "raw",
      "raw6",
      "tcp",
      "tcp6",
      "udp",
      "udp6",
      "udplite",
      "udplite6",
      "unix",
    ],
  );
});

test("SOCKET_TABLES reads a listening IPv4 socket", () => {
  const line =
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 " +
    "00000000  1000        0 20615 1 000000000fbfbefc 100 0 0 10 0          ";
  assert.deepEqual(parse("tcp", line, "20615"), {
    kind: "stream-listener",
    family: "ipv4",
    type: "stream",
    // Unknown, because it could be MPTCP.
    protocol: undefined,
    listening: true,
    address: ipv4("127.0.0.1", 8080),
    peer: undefined,
  });
});

test("SOCKET_TABLES reads a connected IPv4 socket with both addresses", () => {
  const line =
    "  12: 0A0200C0:0050 076433C6:D431 01 00000000:00000000 02:000A3D2C " +
    "00000000    33        0 91823 2 00000000d1a5b3c7 20 4 30 10 -1";
  assert.deepEqual(parse("tcp", line, "91823"), {
    kind: "stream-connection",
    family: "ipv4",
    type: "stream",
    // Unknown, because it could be MPTCP.
    protocol: undefined,
    listening: false,
    address: ipv4("192.0.2.10", 80),
    peer: ipv4("198.51.100.7", 54321),
  });
});

test("SOCKET_TABLES recognizes a connection by its state and peer", () => {
  const remote = "076433C6:D431";
  const kinds = [
    [ESTABLISHED, remote, "stream-connection"],
    // The peer has ended its side.
    [CLOSE_WAIT, remote, "stream-connection"],
    [SYN_SENT, remote, "socket"],
    [CLOSE, remote, "socket"],
    [CLOSE, undefined, "socket"],
  ] as const;
  for (const [state, peer, kind] of kinds) {
    const line = inetLine("0A0200C0:0050", state, "7", peer);
    const info = parse("tcp", line, "7");
    assert.equal(info?.kind, kind, state);
    const isConnected = kind === "stream-connection";
    assert.equal(info?.peer !== undefined, isConnected, state);
  }
});

test("SOCKET_TABLES reads IPv6 sockets", () => {
  const line = "   0: B80D0120000000000000000001000000:0050 " +
    "00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 " +
    "00000000     0        0 30000 1 0000000000000000 100 0 0 10 0";
  const info = parse("tcp6", line, "30000");
  assert.equal(info?.kind, "stream-listener");
  assert.equal(info?.family, "ipv6");
  assert.deepEqual(info?.address, ipv6("2001:db8::1", 80));
  const address = (words: string) =>
    parse("tcp6", inetLine(`${words}:0050`, LISTEN, "7"), "7")?.address;
  assert.deepEqual(address(`${ZEROS}${ZEROS}`), ipv6("::", 80));
  assert.deepEqual(address(`${ZEROS}0000000001000000`), ipv6("::1", 80));
  assert.deepEqual(
    address(`${ZEROS}FFFF00000100007F`),
    ipv6("::ffff:127.0.0.1", 80),
  );
});

test("SOCKET_TABLES reads datagram sockets, with the peer of a connected one", () => {
  const line =
    " 1131: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 " +
    "00000000   102        0 15822 2 0000000000000000 0";
  assert.deepEqual(parse("udp", line, "15822"), {
    kind: "datagram",
    family: "ipv4",
    type: "datagram",
    protocol: 17,
    listening: false,
    address: ipv4("127.0.0.1", 53),
    peer: undefined,
  });
  const local = `${ZEROS}${ZEROS}:0035`;
  const remote = `${ZEROS}0000000001000000:D431`;
  const connected = inetLine(local, ESTABLISHED, "15823", remote);
  assert.deepEqual(parse("udp6", connected, "15823"), {
    kind: "datagram",
    family: "ipv6",
    type: "datagram",
    protocol: 17,
    listening: false,
    address: ipv6("::", 53),
    peer: ipv6("::1", 54321),
  });
});

test("SOCKET_TABLES knows the protocol of a table; raw sockets have it as port", () => {
  const tables = [
    ["udplite", "ipv4", "datagram", 136],
    ["udplite6", "ipv6", "datagram", 136],
    ["raw", "ipv4", "raw", 1],
    ["raw6", "ipv6", "raw", 58],
  ] as const;
  for (const [file, family, type, protocol] of tables) {
    const zeros = family === "ipv4" ? "00000000" : `${ZEROS}${ZEROS}`;
    const port = protocol.toString(16).toUpperCase().padStart(4, "0");
    const info = parse(file, inetLine(`${zeros}:${port}`, CLOSE, "7"), "7");
    assert.equal(info?.kind, type, file);
    assert.equal(info?.family, family, file);
    assert.equal(info?.type, type, file);
    assert.equal(info?.protocol, protocol, file);
    assert.equal(info?.listening, false, file);
  }
});

test("SOCKET_TABLES finds none but TCP and Unix sockets listening", () => {
  for (const file of ["udp", "udplite", "raw"]) {
    const line = inetLine("00000000:0035", LISTEN, "7");
    assert.equal(parse(file, line, "7")?.listening, false, file);
  }
});

test("SOCKET_TABLES reads netlink sockets", () => {
  const lines = [
    NETLINK_HEADER,
    "00000000c3949e59 0   27215      00000001 0        0        0     2        0        1589927 ",
    netlinkLine("5", 16, 4294967295, 0x80000000),
    netlinkLine("6", 15, 0, 0),
  ];
  const sockets = lookUp("netlink", lines, "1589927", "5");
  assert.deepEqual([...sockets], [
    ["1589927", {
      kind: "netlink",
      family: "netlink",
      type: undefined,
      protocol: 0,
      listening: false,
      address: { kind: "netlink", portId: 27215, groups: 1 },
      peer: undefined,
    }],
    ["5", {
      kind: "netlink",
      family: "netlink",
      type: undefined,
      protocol: 16,
      listening: false,
      address: { kind: "netlink", portId: 4294967295, groups: 0x80000000 },
      peer: undefined,
    }],
  ]);
});

test("SOCKET_TABLES takes no other line than that of the inode", () => {
  // Part of the inode, and other fields that hold the number.
  const others = ["2061", "0615", "120615", "206150", "0", "1", "100", "1000"];
  for (const file of ["tcp", "udp", "raw"]) {
    const line = inetLine("0100007F:1F90", LISTEN, "20615");
    assert.ok(parse(file, line, "20615") !== undefined);
    for (const inode of others) {
      assert.equal(parse(file, line, inode), undefined, inode);
    }
  }
  const line = unixLine("22913", "/run/20615 22914");
  assert.ok(parse("unix", line, "22913") !== undefined);
  for (const inode of ["2291", "2913", "20615", "22914", "01", "1"]) {
    assert.equal(parse("unix", line, inode), undefined, inode);
  }
  const netlink = netlinkLine("20615", 16, 4711, 0);
  for (const inode of [...others, "16", "4711", "2"]) {
    assert.equal(parse("netlink", netlink, inode), undefined, inode);
  }
});

test("SOCKET_TABLES takes no header and no empty line", () => {
  const lines = [INET_HEADER, UNIX_HEADER, NETLINK_HEADER, "", " ", "20615"];
  for (const { file } of SOCKET_TABLES) {
    assert.equal(lookUp(file, lines, "20615").size, 0, file);
  }
});

test("SOCKET_TABLES finds many sockets in one pass, and stops after the last", () => {
  const listeners = [1, 2, 3, 4].map((inode) =>
    inetLine(`00000000:000${inode}`, LISTEN, `${inode}`)
  );
  for (const file of ["tcp", "udp", "raw"]) {
    const lines = new CountedLines([INET_HEADER, ...listeners]);
    const sockets = lookUp(file, lines, "3", "1");
    assert.deepEqual([...sockets.keys()], ["1", "3"]);
    assert.equal(lines.taken, 4);
  }
  const netlink = new CountedLines([
    netlinkLine("1", 0, 1, 0),
    netlinkLine("2", 0, 2, 0),
    netlinkLine("3", 0, 3, 0),
  ]);
  assert.equal(lookUp("netlink", netlink, "2").size, 1);
  assert.equal(netlink.taken, 2);
});

test("SOCKET_TABLES of TCP leave connections for a second scan", () => {
  const lines = new CountedLines([
    INET_HEADER,
    inetLine("00000000:0050", LISTEN, "1"),
    inetLine("00000000:0051", LISTEN, "2"),
    inetLine("0A0200C0:0050", ESTABLISHED, "3", "076433C6:D431"),
    inetLine("0A0200C0:0050", ESTABLISHED, "4", "076433C6:D432"),
    ...connectionLines(20_000),
  ]);
  const { scan } = SOCKET_TABLES.find(({ file }) => file === "tcp")!;
  const search = new SocketSearch(["2", "3", "4", "5"]);
  const left = lines[Symbol.iterator]();
  assert.equal(scan(left, search, true), true);
  assert.equal(lines.taken, 4);
  assert.deepEqual([...search.results.keys()], ["2", "3"]);
  assert.equal(scan(left, search, false), false);
  assert.deepEqual([...search.results.keys()], ["2", "3", "4"]);
  assert.equal(lines.taken, 5 + 20_000);
});

test("SOCKET_TABLES other than TCP's are scanned at once", () => {
  for (const { file, scan } of SOCKET_TABLES) {
    if (file.startsWith("tcp")) continue;
    const local = file.endsWith("6")
      ? `${ZEROS}${ZEROS}:0035`
      : "00000000:0035";
    const lines = {
      unix: unixLine("1"),
      netlink: netlinkLine("1", 0, 1, 0),
    }[file] ?? inetLine(local, ESTABLISHED, "1");
    const counted = new CountedLines(Array<string>(9).fill(lines));
    const search = new SocketSearch(["2"]);
    assert.equal(scan(counted[Symbol.iterator](), search, true), false, file);
    assert.equal(counted.taken, 9, file);
  }
});

test("SOCKET_TABLES gives back any IPv4 addresses that the kernel prints", () => {
  const port = fc.integer({ min: 1, max: 65535 });
  fc.assert(fc.property(
    fc.tuple(addressBytes(4), port),
    fc.tuple(addressBytes(4), port),
    fc.nat({ max: 2 ** 32 - 1 }).map(String),
    fc.constantFrom("tcp", "udp"),
    (local, remote, inode, file) => {
      const line = inetLine(
        kernelAddress(...local),
        ESTABLISHED,
        inode,
        kernelAddress(...remote),
      );
      const socket = parse(file, line, inode);
      assert.deepEqual(socket?.address, ipv4(local[0].join("."), local[1]));
      assert.deepEqual(socket?.peer, ipv4(remote[0].join("."), remote[1]));
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
      const line = inetLine(kernelAddress(bytes, port), LISTEN, "7");
      const address = parse(file, line, "7")?.address;
      assert.ok(address?.kind === "ipv6");
      assert.equal(address.port, port);
      assert.deepEqual(ipv6Bytes(address.hostname), bytes);
    },
  ));
});
