import assert from "node:assert/strict";
import { test } from "node:test";
import {
  describeAddress,
  describeInfo,
  Descriptor,
  type DescriptorInfo,
  type DescriptorKind,
  requireKind,
  type UsableKind,
} from "../../src/core/descriptor.ts";
import { assertThrows, descriptor, ipv4, ipv6 } from "./helpers.ts";

/** All kinds, in words. */
const WORDS: Readonly<Record<DescriptorKind, string>> = {
  "stream-listener": "a listening stream socket",
  "stream-connection": "a connected stream socket",
  "datagram": "a datagram socket",
  "seqpacket-listener": "a listening sequential packet socket",
  "seqpacket-connection": "a connected sequential packet socket",
  "socket": "a socket",
  "fifo": "a FIFO or pipe",
  "file": "a file",
  "character-device": "a character device",
  "other": "something else",
  "closed": "not open",
  "unknown": "unknown",
};
const KINDS = Object.keys(WORDS) as DescriptorKind[];

/** Which settings of a socket unit give each usable kind. */
const SETTINGS: Readonly<Record<UsableKind, string>> = {
  "stream-listener": "set ListenStream= with Accept=no in the socket unit",
  "stream-connection": "set ListenStream= with Accept=yes in the socket unit",
  "datagram": "set ListenDatagram= in the socket unit",
};
const USABLE = Object.keys(SETTINGS) as UsableKind[];

test("Descriptor has its number and name, and a text for messages", () => {
  const one = descriptor(3, "web\n");
  assert.equal(one.fd, 3);
  assert.equal(one.name, "web\n");
  assert.equal(String(one), String.raw`descriptor 3 ("web\n")`);
});

test("Descriptor.info is read by its number, and only when asked for", () => {
  const asked: number[] = [];
  const one = new Descriptor(7, "web", (fd) => {
    asked.push(fd);
    return { kind: "fifo", link: "pipe:[1]" };
  });
  assert.deepEqual(asked, []);
  assert.deepEqual(one.info, { kind: "fifo", link: "pipe:[1]" });
  assert.deepEqual(asked, [7]);
});

test("Descriptor.info stays closed once it is, whatever has its number then", () => {
  let asked = 0;
  const one = new Descriptor(7, "web", () => {
    asked++;
    return { kind: "stream-listener" };
  });
  one.markClosed();
  one.markClosed();
  assert.deepEqual(one.info, { kind: "closed" });
  assert.equal(asked, 0);
});

test("describeInfo() has words for every kind", () => {
  for (const kind of KINDS) {
    assert.ok(describeInfo({ kind }).startsWith(WORDS[kind]), kind);
  }
});

test("describeInfo() adds the address, else the operating system's name", () => {
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

test("describeAddress() quotes paths and names, and not hosts", () => {
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

test("requireKind() passes the kind that is wanted, and gives the metadata", () => {
  for (const kind of USABLE) {
    const info: DescriptorInfo = { kind, address: ipv4("127.0.0.1", 80) };
    assert.equal(requireKind(descriptor(3, "web", info), kind, "Doing"), info);
  }
});

test("requireKind() passes what can't be told", () => {
  for (const wanted of USABLE) {
    for (const kind of ["socket", "unknown"] as const) {
      assert.deepEqual(
        requireKind(descriptor(3, "web", kind), wanted, "Doing"),
        {
          kind,
        },
      );
    }
  }
});

test("requireKind() rejects every other kind, with the setting that gives the right one", () => {
  let rejected = 0;
  for (const wanted of USABLE) {
    for (const kind of KINDS) {
      if (["socket", "unknown", "closed", wanted].includes(kind)) continue;
      assertThrows(
        () => requireKind(descriptor(4, "web", kind), wanted, "Serving"),
        "wrong-kind",
        `Serving: expected ${WORDS[wanted]}, found ${WORDS[kind]}`,
        'in descriptor 4 ("web")',
        SETTINGS[wanted],
      );
      rejected++;
    }
  }
  assert.equal(rejected, USABLE.length * (KINDS.length - 4));
});

test("requireKind() says where the wrong descriptor is bound", () => {
  const info: DescriptorInfo = {
    kind: "stream-connection",
    address: ipv6("::1", 80),
  };
  assertThrows(
    () => requireKind(descriptor(4, "web", info), "stream-listener", "Serving"),
    "wrong-kind",
    "found a connected stream socket at [::1]:80 in descriptor",
  );
});

test("requireKind() rejects a descriptor that isn't open", () => {
  const one = descriptor(4, "web");
  one.markClosed();
  for (const wanted of USABLE) {
    assertThrows(
      () => requireKind(one, wanted, "Serving"),
      "closed",
      'Serving: descriptor 4 ("web") is not open',
      "counted it in LISTEN_FDS but passed fewer descriptors",
    );
  }
});
