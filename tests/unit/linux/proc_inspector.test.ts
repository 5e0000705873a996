import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DescriptorInfo, PathInfo } from "../../../src/core/info.ts";
import { SOCKET_TABLES } from "../../../src/linux/procfs.ts";
import {
  procInspector,
  type ProcReader,
} from "../../../src/linux/proc_inspector.ts";
import { anyText, file, FILE_KINDS, ipv4, ipv6 } from "../helpers.ts";
import {
  CLOSE,
  connectionLines,
  CountedLines,
  ESTABLISHED,
  INET_HEADER,
  inetLine,
  LISTEN,
  lookUp,
  netlinkLine,
  UNIX_HEADER,
  unixLine,
} from "./proc_lines.ts";

/** The content of a fake `/proc`; `{ code }` is an error of reading it. */
interface Proc {
  /** Symbolic links by path. */
  readonly links?: Readonly<Record<string, string | { code: string } | null>>;
  /** The text of small files. */
  readonly texts?: Readonly<Record<string, string>>;
  /** Tables below `/proc/self/net`. */
  readonly tables?: Readonly<Record<string, Iterable<string>>>;
  /** What paths lead to. */
  readonly files?: Readonly<Record<string, PathInfo | { code: string }>>;
}

function reader(proc: Proc): ProcReader {
  const read = <T>(
    entries: Readonly<Record<string, T | { code: string } | null>> = {},
    path: string,
  ): T => {
    const entry = entries[path];
    if (entry === undefined) throw fail("ENOENT");
    if (entry === null || typeof entry === "object" && "code" in entry) {
      throw entry;
    }
    return entry;
  };
  return {
    readLink: (path) => read(proc.links, path),
    text: (path) => read(proc.texts, path),
    *lines(path) {
      yield* read(proc.tables, path.replace(/^\/proc\/self\/net\//, ""));
    },
    status: (path) => read(proc.files, path),
  };
}

function fail(code: string): Error & { code: string } {
  return Object.assign(new Error(code), { code });
}

/** What is known of descriptors from 3 on, which lead to these. */
function inspect(
  links: readonly (string | { code: string } | null)[],
  proc: Proc = {},
): DescriptorInfo[] {
  const all = links.map((link, index) => [`/proc/self/fd/${3 + index}`, link]);
  return procInspector(reader({
    ...proc,
    links: { "/proc/self": "42", ...Object.fromEntries(all) },
  })).inspect(links.map((_, index) => 3 + index));
}

/** Inspects one descriptor, whose link this is. */
function inspectOne(link: string, proc?: Proc): DescriptorInfo {
  return inspect([link], proc)[0]!;
}

/** A socket of which no more is known than its number. */
function bare(inode: string): DescriptorInfo {
  return {
    kind: "socket",
    link: `socket:[${inode}]`,
    inode: BigInt(inode),
  };
}

const LISTENER = inetLine("0100007F:1F90", LISTEN, "4711");
const UNIX_LISTENER = unixLine("4712", "/run/a b");
const IPV6_LISTENER = inetLine(`${"0".repeat(32)}:0050`, LISTEN, "4713");
const CONNECTION = inetLine(
  "0100007F:1F90",
  ESTABLISHED,
  "4714",
  "0200007F:D431",
);

test("procInspector() finds sockets in the tables that list them", () => {
  const tables = {
    tcp: [INET_HEADER, inetLine("00000000:0016", LISTEN, "47110"), LISTENER],
    unix: [UNIX_HEADER, UNIX_LISTENER],
    udp: [INET_HEADER, inetLine("00000000:0035", "07", "9")],
    netlink: [netlinkLine("5", 15, 42, 1)],
  };
  // There is no tcp6: IPv6 is switched off.
  const links = ["4712", "4711", "9", "5"].map((inode) => `socket:[${inode}]`);
  const infos = inspect(links, { tables });
  const listed = lookUp("tcp", [LISTENER], "4711").get("4711");
  assert.deepEqual(infos[1], { ...bare("4711"), ...listed });
  assert.deepEqual(
    infos.map(({ kind, inode, address }) => [kind, inode, address]),
    [
      ["stream-listener", 4712n, { kind: "unix", path: "/run/a b" }],
      ["stream-listener", 4711n, ipv4("127.0.0.1", 8080)],
      ["datagram", 9n, ipv4("0.0.0.0", 53)],
      ["netlink", 5n, { kind: "netlink", portId: 42, groups: 1 }],
    ],
  );
});

test("procInspector() finds a connection behind everything else", () => {
  const tables = { tcp: [INET_HEADER, LISTENER, CONNECTION] };
  const info = inspectOne("socket:[4714]", { tables });
  assert.ok(info.kind === "stream-connection");
  assert.deepEqual(info.address, ipv4("127.0.0.1", 8080));
  assert.deepEqual(info.peer, ipv4("127.0.0.2", 54321));
  // Also where an earlier connection ended the first look.
  const others = [...connectionLines(3)];
  const busy = { tcp: [...others, CONNECTION], tcp6: others };
  assert.equal(
    inspectOne("socket:[4714]", { tables: busy }).kind,
    "stream-connection",
  );
});

test("procInspector() knows a socket that two descriptors are open on", () => {
  const links = ["socket:[4711]", "socket:[4711]"];
  const [first, second] = inspect(links, { tables: { tcp: [LISTENER] } });
  assert.equal(first?.kind, "stream-listener");
  assert.deepEqual(first, second);
});

test("procInspector() reads a table no further than the socket's line", () => {
  const tcp = new CountedLines([INET_HEADER, LISTENER, ...connectionLines(3)]);
  const tcp6 = new CountedLines([INET_HEADER]);
  const info = inspectOne("socket:[4711]", { tables: { tcp, tcp6 } });
  assert.equal(info.kind, "stream-listener");
  assert.equal(tcp.taken, 2);
  // What isn't needed is not even opened.
  assert.deepEqual([tcp.opened, tcp6.opened], [1, 0]);
});

test("procInspector() finds listeners without reading through connections", () => {
  const wanted = [
    ["4713", "tcp6", ipv6("::", 80)],
    ["4712", "unix", { kind: "unix", path: "/run/a b" }],
  ] as const;
  for (const [inode, table, address] of wanted) {
    const tcp = new CountedLines([
      INET_HEADER,
      inetLine("00000000:0016", LISTEN, "22"),
      ...connectionLines(20_000),
    ]);
    const tables = {
      tcp,
      tcp6: [INET_HEADER, IPV6_LISTENER, ...connectionLines(3)],
      unix: [UNIX_HEADER, UNIX_LISTENER],
    };
    const info = inspectOne(`socket:[${inode}]`, { tables });
    assert.equal(info.kind, "stream-listener", table);
    assert.deepEqual(info.address, address);
    assert.equal(tcp.taken, 3, table);
  }
});

test("procInspector() reads each table once, also for a socket in none", () => {
  const tcp = new CountedLines([LISTENER, ...connectionLines(20_000)]);
  const all = SOCKET_TABLES.map(({ file }) =>
    [file, file === "tcp" ? tcp : new CountedLines([INET_HEADER])] as const
  );
  const tables = Object.fromEntries(all);
  const info = inspectOne("socket:[1]", { tables });
  assert.deepEqual(info, bare("1"));
  assert.equal(tcp.taken, 20_001);
  for (const [name, { opened, closed }] of all) {
    assert.deepEqual([opened, closed], [1, 1], name);
  }
});

test("procInspector() lets go of every table that it began to read", () => {
  const tcp = new CountedLines([...connectionLines(2), LISTENER]);
  const unix = new CountedLines([UNIX_HEADER, UNIX_LISTENER]);
  const tables = { tcp, unix };
  inspectOne("socket:[4712]", { tables });
  assert.deepEqual([tcp.opened, tcp.closed], [1, 1]);
  assert.deepEqual([unix.opened, unix.closed], [1, 1]);
});

test("procInspector() reports a plain socket if no table lists it", () => {
  const tables = {
    tcp: [
      INET_HEADER,
      inetLine("0100007F:1F90", LISTEN, "47110"),
      inetLine("0100007F:1F90", LISTEN, "14711"),
    ],
  };
  for (const proc of [{}, { tables }]) {
    assert.deepEqual(inspectOne("socket:[4711]", proc), bare("4711"));
  }
});

test("procInspector() doesn't believe a record that a name may hold", () => {
  const name = `@x\n${unixLine("4712", "/run/evil")}`;
  const unix = [UNIX_HEADER, UNIX_LISTENER, unixLine("7", name)].join("\n");
  const tables = { unix: unix.split("\n"), tcp: [LISTENER] };
  assert.deepEqual(
    inspect(["socket:[4712]", "socket:[4711]"], { tables }).map(({ kind }) =>
      kind
    ),
    ["socket", "stream-listener"],
  );
  assert.deepEqual(inspectOne("socket:[4712]", { tables }), bare("4712"));
});

test("procInspector() believes other tables before that of Unix sockets", () => {
  const local = `${"0".repeat(32)}:0050`;
  const tables = {
    tcp: [inetLine("00000000:0050", LISTEN, "1")],
    tcp6: [inetLine(local, LISTEN, "2")],
    udp: [inetLine("00000000:0050", CLOSE, "3")],
    udp6: [inetLine(local, CLOSE, "4")],
    udplite: [inetLine("00000000:0050", CLOSE, "5")],
    udplite6: [inetLine(local, CLOSE, "6")],
    raw: [inetLine("00000000:0001", CLOSE, "7")],
    raw6: [inetLine(local, CLOSE, "8")],
    netlink: [netlinkLine("9", 0, 1, 0)],
  };
  const names = Object.keys(tables);
  // A name with a line break forges a record of each of them.
  const forged = names.map((_, index) => unixLine(`${index + 1}`, "/run/evil"));
  const unix = [UNIX_HEADER, unixLine("99", "@x"), ...forged];
  const links = names.map((_, index) => `socket:[${index + 1}]`);
  const infos = inspect(links, { tables: { ...tables, unix } });
  assert.deepEqual(infos, inspect(links, { tables }));
  assert.ok(infos.every(({ kind }) => kind !== "socket"));
});

test("procInspector() continues with the next table if reading fails", () => {
  function* broken(): Generator<string> {
    yield INET_HEADER;
    throw fail("EIO");
  }
  const tables = {
    tcp: broken(),
    udp: [inetLine("00000000:0035", "07", "4711")],
  };
  const info = inspectOne("socket:[4711]", { tables });
  assert.equal(info.kind, "datagram");
});

test("procInspector() reads the non-blocking and close-on-exec flags", () => {
  const texts = {
    "/proc/self/fdinfo/3": "pos:\t0\nflags:\t02004002\nmnt_id:\t24\n",
  };
  const flags = { nonBlocking: true, closeOnExec: true };
  const tables = { tcp: [LISTENER] };
  const socket = inspectOne("socket:[4711]", { texts, tables });
  assert.equal(socket.kind, "stream-listener");
  const files = { "/proc/self/fd/3": file(5n) };
  const regular = inspectOne("/run/x", { texts, files });
  const unknown = inspectOne("/run/x", { texts });
  assert.deepEqual(unknown, { kind: "unknown", link: "/run/x", ...flags });
  for (const info of [socket, regular]) {
    assert.deepEqual({ ...info, ...flags }, info);
  }
});

test("procInspector() reads the status of files through the descriptor", () => {
  const links = [
    "/run/x",
    "/run/socket:[4711]",
    "socket:[4711] (deleted)",
    "/run/pipe:[1]",
    "pipe:[12]",
    "anon_inode:[eventpoll]",
    "anon_inode:inotify",
    "/jobs",
  ];
  for (const kind of FILE_KINDS) {
    for (const link of links) {
      const status = file(7n, kind, 259n);
      const files = { "/proc/self/fd/3": status };
      assert.deepEqual(inspectOne(link, { files }), { ...status, link });
    }
  }
});

test("procInspector() reports what it may not read as unknown", () => {
  assert.deepEqual(inspectOne("/run/x"), { kind: "unknown", link: "/run/x" });
  assert.deepEqual(inspectOne("pipe:[12]"), {
    kind: "unknown",
    link: "pipe:[12]",
  });
});

test("procInspector() finds a descriptor closed if /proc doesn't list it", () => {
  const links = { "/proc/self": "42", "/proc/self/fd/4": "socket:[4711]" };
  const inspector = procInspector(reader({ links }));
  assert.deepEqual(inspector.inspect([3, 4]), [
    { kind: "closed" },
    bare("4711"),
  ]);
  assert.deepEqual(inspector.inspect([]), []);
});

test("procInspector() knows nothing without /proc or permission", () => {
  const unknown = [{ kind: "unknown" }];
  assert.deepEqual(procInspector(reader({})).inspect([3]), unknown);
  for (const error of [{ code: "EACCES" }, { code: "NotCapable" }, null]) {
    assert.deepEqual(inspect([error]), unknown);
  }
});

test("procInspector() reads the file at a path, or that there is none", () => {
  const files = {
    "/run/x": file(5n, "fifo"),
    "/x/y": { code: "ENOTDIR" },
    "/root/x": { code: "EACCES" },
    "/loop": { code: "ELOOP" },
  };
  const { inspectPath } = procInspector(reader({ files }));
  assert.deepEqual(inspectPath("/run/x"), file(5n, "fifo"));
  assert.equal(inspectPath("/gone"), null);
  assert.equal(inspectPath("/x/y"), null);
  assert.equal(inspectPath("/root/x"), undefined);
  assert.equal(inspectPath("/loop"), undefined);
});

test("procInspector() never fails, whatever /proc holds", () => {
  const field = fc.oneof(
    fc.constantFrom("", ":", "0:0", "zz:yy", "-1", "4711"),
    fc.string({ maxLength: 40 }),
  );
  const line = fc.oneof(
    anyText(),
    fc.tuple(field, field, fc.constant("4711"), field)
      .map((fields) => inetLine(...fields)),
    fc.tuple(fc.constant("4711"), field).map((fields) => unixLine(...fields)),
    field.map((text) => netlinkLine(text, 0, 0, 0)),
    field.map((text) => `0 ${text} 2 3 4 5 6 7 8 4711`),
  );
  const table = fc.array(line, { maxLength: 5 });
  const tables = fc.dictionary(
    fc.constantFrom(...SOCKET_TABLES.map(({ file }) => file)),
    table,
  );
  const link = fc.oneof(
    { weight: 4, arbitrary: fc.constant("socket:[4711]") },
    { weight: 1, arbitrary: anyText() },
  );
  const kinds = new Set<string>();
  fc.assert(
    fc.property(tables, link, anyText(), (tables, link, text) => {
      const texts = { "/proc/self/fdinfo/3": text };
      const info = inspectOne(link, { tables, texts });
      assert.equal(info.link, link);
      kinds.add(info.kind);
    }),
    { numRuns: 500 },
  );
  assert.ok(kinds.size >= 4, [...kinds].join());
});
