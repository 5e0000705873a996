import assert from "node:assert/strict";
import { test } from "node:test";
import { inspectDescriptor, type ProcReader } from "../../src/linux/inspect.ts";
import { ipv4 } from "./helpers.ts";

/** What a made-up `/proc` holds. */
interface Proc {
  /** Symbolic links by path, or what reading them throws. */
  readonly links?: Readonly<Record<string, string | { code: string } | null>>;
  /** Tables below `/proc/self/net`. */
  readonly tables?: Readonly<Record<string, Iterable<string>>>;
  /** The file type of what descriptor 3 leads to. */
  readonly type?: ReturnType<ProcReader["fileType"]>;
}

function reader({ links = {}, tables = {}, type }: Proc): ProcReader {
  return {
    readLink(path) {
      const link = links[path];
      if (typeof link === "string") return link;
      throw link === undefined ? fail("ENOENT") : link;
    },
    lines(path) {
      const table = tables[path];
      if (table === undefined) throw fail("ENOENT");
      return table;
    },
    fileType(path) {
      if (path !== "/proc/self/fd/3" || type === undefined) {
        throw fail("EACCES");
      }
      return type;
    },
  };
}

function fail(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** A `/proc` in which descriptor 3 leads to something. */
function leadsTo(link: string, rest: Proc = {}): ProcReader {
  return reader({
    ...rest,
    links: { "/proc/self": "42", "/proc/self/fd/3": link },
  });
}

const INET_HEADER = "  sl  local_address rem_address   st tx_queue rx_queue";
const UNIX_HEADER = "Num       RefCount Protocol Flags    Type St Inode Path";

function inetLine(local: string, state: string, inode: string): string {
  return `   0: ${local} 00000000:0000 ${state} 00000000:00000000 ` +
    `00:00000000 00000000     0        0 ${inode} 1 000000000fbfbefc 100 0 0`;
}

test("inspectDescriptor() finds a socket in the table that lists it", () => {
  const tables = {
    "/proc/self/net/tcp": [
      INET_HEADER,
      inetLine("00000000:0016", "0A", "47110"),
      inetLine("0100007F:1F90", "0A", "4711"),
    ],
    "/proc/self/net/unix": [
      UNIX_HEADER,
      "00000000bd52b0e2: 00000002 00000000 00010000 0001 01  4712 /run/a b",
    ],
    "/proc/self/net/udp": [INET_HEADER, inetLine("00000000:0035", "07", "9")],
  };
  assert.deepEqual(inspectDescriptor(3, leadsTo("socket:[4711]", { tables })), {
    kind: "stream-listener",
    address: ipv4("127.0.0.1", 8080),
    link: "socket:[4711]",
  });
  // There is no tcp6: IPv6 is switched off.
  assert.deepEqual(inspectDescriptor(3, leadsTo("socket:[4712]", { tables })), {
    kind: "stream-listener",
    address: { kind: "unix", path: "/run/a b" },
    link: "socket:[4712]",
  });
  assert.deepEqual(inspectDescriptor(3, leadsTo("socket:[9]", { tables })), {
    kind: "datagram",
    address: ipv4("0.0.0.0", 53),
    link: "socket:[9]",
  });
});

test("inspectDescriptor() reads a table no further than the socket's line", () => {
  function* lines(): Generator<string> {
    yield INET_HEADER;
    yield inetLine("0100007F:1F90", "0A", "4711");
    assert.fail("read too far");
  }
  const tables = { "/proc/self/net/tcp": lines() };
  const info = inspectDescriptor(3, leadsTo("socket:[4711]", { tables }));
  assert.equal(info.kind, "stream-listener");
});

test("inspectDescriptor() knows no more than that a socket is one, if no table lists it", () => {
  const tables = {
    "/proc/self/net/tcp": [
      INET_HEADER,
      inetLine("0100007F:1F90", "0A", "47110"),
      inetLine("0100007F:1F90", "0A", "14711"),
    ],
  };
  for (const proc of [{}, { tables }]) {
    assert.deepEqual(inspectDescriptor(3, leadsTo("socket:[4711]", proc)), {
      kind: "socket",
      link: "socket:[4711]",
    });
  }
});

test("inspectDescriptor() goes on to the next table if reading one fails", () => {
  function* broken(): Generator<string> {
    yield INET_HEADER;
    throw fail("EIO");
  }
  const tables = {
    "/proc/self/net/tcp": broken(),
    "/proc/self/net/udp": [inetLine("00000000:0035", "07", "4711")],
  };
  assert.deepEqual(inspectDescriptor(3, leadsTo("socket:[4711]", { tables })), {
    kind: "datagram",
    address: ipv4("0.0.0.0", 53),
    link: "socket:[4711]",
  });
});

test("inspectDescriptor() knows pipes and the kernel's anonymous files", () => {
  assert.deepEqual(inspectDescriptor(3, leadsTo("pipe:[12]")), {
    kind: "fifo",
    link: "pipe:[12]",
  });
  for (const link of ["anon_inode:[eventpoll]", "anon_inode:inotify"]) {
    assert.deepEqual(inspectDescriptor(3, leadsTo(link)), {
      kind: "other",
      link,
    });
  }
});

test("inspectDescriptor() asks for the file type of a path", () => {
  for (const type of ["fifo", "file", "character-device", "other"] as const) {
    for (const link of ["/run/x", "/run/socket:[4711]", "/run/pipe:[1]"]) {
      assert.deepEqual(inspectDescriptor(3, leadsTo(link, { type })), {
        kind: type,
        link,
      });
    }
  }
});

test("inspectDescriptor() doesn't guess a file type that can't be read", () => {
  assert.deepEqual(inspectDescriptor(3, leadsTo("/run/x")), {
    kind: "unknown",
    link: "/run/x",
  });
});

test("inspectDescriptor() finds a descriptor closed if /proc doesn't list it", () => {
  const links = { "/proc/self": "42", "/proc/self/fd/4": "pipe:[1]" };
  assert.deepEqual(inspectDescriptor(3, reader({ links })), { kind: "closed" });
  assert.equal(inspectDescriptor(4, reader({ links })).kind, "fifo");
});

test("inspectDescriptor() knows nothing without /proc or permission", () => {
  assert.deepEqual(inspectDescriptor(3, reader({})), { kind: "unknown" });
  for (const error of [{ code: "EACCES" }, { code: "NotCapable" }, null]) {
    const links = { "/proc/self": "42", "/proc/self/fd/3": error };
    assert.deepEqual(inspectDescriptor(3, reader({ links })), {
      kind: "unknown",
    });
  }
});
