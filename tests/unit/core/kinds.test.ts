import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type DescriptorInfo,
  type DescriptorKind,
  isFileInfo,
  isSocketInfo,
  sameFile,
  type SocketType,
} from "../../../src/core/info.ts";
import {
  describeAddress,
  describeInfo,
  EXPECTED_KINDS,
  type ExpectedKind,
  isExpectedKind,
  judgeKind,
  wrongKind,
} from "../../../src/core/kinds.ts";
import {
  assertError,
  descriptor,
  FILE_KINDS,
  ipv4,
  ipv6,
  SOCKET_KINDS,
} from "../helpers.ts";

/** The text of each kind. */
const WORDS: Readonly<Record<DescriptorKind, string>> = {
  "stream-listener": "a listening stream socket",
  "stream-connection": "a connected stream socket",
  "datagram": "a datagram socket",
  "seqpacket-listener": "a listening sequential packet socket",
  "seqpacket-connection": "a connected sequential packet socket",
  "raw": "a raw socket",
  "netlink": "a netlink socket",
  "socket": "a socket",
  "fifo": "a FIFO or pipe",
  "file": "a file",
  "character-device": "a character device",
  "message-queue": "a POSIX message queue",
  "other": "something else",
  "closed": "not open",
  "unknown": "unknown",
};
const KINDS = Object.keys(WORDS) as DescriptorKind[];

/** The setting that passes each kind. */
const SETTINGS: Readonly<Record<ExpectedKind, string>> = {
  "stream-listener": "set ListenStream= with Accept=no in the socket unit",
  "stream-connection": "set ListenStream= with Accept=yes in the socket unit",
  "datagram": "set ListenDatagram= in the socket unit",
  "seqpacket-listener": "set ListenSequentialPacket= with Accept=no",
  "seqpacket-connection": "set ListenSequentialPacket= with Accept=yes",
  "raw": "set FileDescriptorStoreMax= in the service unit",
  "netlink": "set ListenNetlink= in the socket unit",
  "fifo": "set ListenFIFO= in the socket unit",
  "file": "set OpenFile= in the service unit",
  "character-device": "set ListenSpecial= in the socket unit",
  "message-queue": "set ListenMessageQueue= in the socket unit",
};
const EXPECTED = Object.keys(SETTINGS) as ExpectedKind[];

/** Checks that metadata pass for one of the kinds. */
function passes(info: DescriptorInfo, ...expected: ExpectedKind[]): boolean {
  return judgeKind(descriptor(3, "web"), info, expected, "Doing") === undefined;
}

test("describeInfo() has a text for every kind", () => {
  for (const kind of KINDS) {
    assert.ok(describeInfo({ kind }).startsWith(WORDS[kind]), kind);
  }
});

test("describeInfo() appends the address or the link", () => {
  const address = ipv4("127.0.0.1", 53);
  const link = "socket:[4711]";
  assert.equal(
    describeInfo({ kind: "datagram", address, link }),
    "a datagram socket at 127.0.0.1:53",
  );
  assert.equal(
    describeInfo({ kind: "datagram", link }),
    'a datagram socket, "socket:[4711]"',
  );
  assert.equal(
    describeInfo({ kind: "file", link: "/tmp/\n" }),
    String.raw`a file, "/tmp/\n"`,
  );
  assert.equal(describeInfo({ kind: "datagram" }), "a datagram socket");
});

test("describeAddress() quotes paths and names, but not hosts", () => {
  assert.equal(describeAddress(ipv6("::1", 80)), "[::1]:80");
  assert.equal(
    describeAddress({ kind: "unix", path: "/run/\u001b" }),
    String.raw`"/run/\u001b"`,
  );
  assert.equal(
    describeAddress({ kind: "unix-abstract", name: "a\0b" }),
    String.raw`"@a\u0000b"`,
  );
  assert.equal(describeAddress(undefined), "(unknown address)");
});

test("EXPECTED_KINDS and isExpectedKind() agree", () => {
  assert.deepEqual([...EXPECTED_KINDS].sort(), EXPECTED.sort());
  for (const kind of KINDS) {
    assert.equal(isExpectedKind(kind), kind in SETTINGS, kind);
  }
  for (const other of ["", "stream", "toString", 1, null, undefined, []]) {
    assert.ok(!isExpectedKind(other), String(other));
  }
});

test("judgeKind() accepts the expected kind", () => {
  for (const kind of EXPECTED) assert.ok(passes({ kind }, kind), kind);
});

test("judgeKind() accepts an unknown kind", () => {
  for (const expected of EXPECTED) {
    assert.ok(passes({ kind: "unknown" }, expected), expected);
  }
});

test("judgeKind() accepts a socket of unknown type as any socket", () => {
  for (const expected of EXPECTED) {
    const isSocket = SOCKET_KINDS.some((kind) => kind === expected);
    assert.equal(passes({ kind: "socket" }, expected), isSocket, expected);
  }
});

test("judgeKind() accepts a socket as the kinds that its type allows", () => {
  const allowed: readonly [SocketType | number, ExpectedKind[]][] = [
    ["stream", ["stream-listener", "stream-connection"]],
    ["seqpacket", ["seqpacket-connection", "seqpacket-listener"]],
    ["datagram", ["datagram"]],
    ["raw", ["raw"]],
    ["rdm", []],
    [7, []],
  ];
  for (const [type, kinds] of allowed) {
    const info = { kind: "socket", family: "ipv4", type } as const;
    assert.deepEqual(
      EXPECTED.filter((expected) => passes(info, expected)).sort(),
      kinds.sort(),
    );
  }
  assert.ok(passes({ kind: "socket", type: "raw" }, "netlink"));
  assert.ok(!passes({ kind: "socket", type: "stream" }, "netlink"));
  assert.ok(!passes({ kind: "socket", family: "unix" }, "netlink"));
});

test("judgeKind() rejects a socket that does not listen as a listener", () => {
  for (const type of ["stream", "seqpacket", undefined] as const) {
    const info = { kind: "socket", type, listening: false } as const;
    const name = type ?? "stream";
    assert.ok(!passes(info, `${name}-listener`), name);
    // It may have been connected a moment before.
    assert.ok(passes(info, `${name}-connection`), name);
  }
  const bound: DescriptorInfo = {
    kind: "socket",
    type: "stream",
    listening: false,
    address: ipv4("127.0.0.1", 80),
  };
  assertError(
    judgeKind(descriptor(3, "web"), bound, ["stream-listener"], "Serving"),
    "wrong-kind",
    "found a socket that neither listens nor is connected at 127.0.0.1:80 in ",
  );
});

test("judgeKind() rejects every other kind and reports the setting for the expected kind", () => {
  let rejected = 0;
  for (const expected of EXPECTED) {
    for (const kind of KINDS) {
      if (["socket", "unknown", "closed", expected].includes(kind)) continue;
      const error = judgeKind(
        descriptor(4, "web"),
        { kind },
        [expected],
        "Serving",
      );
      assertError(
        error,
        "wrong-kind",
        `Serving: expected ${WORDS[expected]}, found ${WORDS[kind]}`,
        `in descriptor 4 ("web"): ${SETTINGS[expected]}`,
      );
      rejected++;
    }
  }
  assert.equal(rejected, EXPECTED.length * (KINDS.length - 4));
});

test("judgeKind() accepts any of several kinds and lists them in the error", () => {
  const info: DescriptorInfo = {
    kind: "stream-connection",
    address: ipv6("::1", 80),
  };
  assert.ok(passes(info, "datagram", "stream-connection"));
  const web = descriptor(4, "web");
  const error = judgeKind(web, info, ["stream-listener", "fifo"], "Serving");
  assert.equal(
    error?.message,
    "Serving: expected a listening stream socket or a FIFO or pipe, found a " +
      'connected stream socket at [::1]:80 in descriptor 4 ("web"): set ' +
      "ListenStream= with Accept=no in the socket unit, or set ListenFIFO= " +
      "in the socket unit",
  );
});

test("judgeKind() rejects a descriptor that is not open", () => {
  for (const expected of EXPECTED) {
    const web = descriptor(4, "web");
    assertError(
      judgeKind(web, { kind: "closed" }, [expected], "Serving"),
      "not-open",
      'Serving: descriptor 4 ("web") is not open',
      "LISTEN_FDS counts more descriptors than were passed",
    );
  }
});

test("wrongKind() describes the actual kind in the caller's words", () => {
  const error = wrongKind(descriptor(4, "web"), ["raw"], "nothing", "Serving");
  assertError(
    error,
    "wrong-kind",
    "Serving: expected a raw socket, found nothing in descriptor 4",
  );
});

test("isSocketInfo() and isFileInfo() distinguish sockets, files and other kinds", () => {
  for (const kind of KINDS) {
    const isFile = FILE_KINDS.some((fileKind) => fileKind === kind);
    assert.equal(isFileInfo({ kind }), isFile, kind);
    const isSocket = SOCKET_KINDS.some((socketKind) => socketKind === kind);
    assert.equal(isSocketInfo({ kind }), isSocket, kind);
  }
});

test("sameFile() compares known devices and inodes", () => {
  const file = { device: 1n, inode: 2n };
  assert.equal(sameFile(file, { device: 1n, inode: 2n }), true);
  assert.equal(sameFile(file, { device: 2n, inode: 2n }), false);
  assert.equal(sameFile(file, { device: 1n, inode: 1n }), false);
  for (const part of [{}, { device: 1n }, { inode: 2n }]) {
    assert.equal(sameFile(file, part), undefined);
    assert.equal(sameFile(part, file), undefined);
  }
});
