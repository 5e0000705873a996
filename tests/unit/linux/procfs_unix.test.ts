import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { SocketInfo } from "../../../src/core/info.ts";
import { anyCharacter } from "../helpers.ts";
import { CountedLines, lookUp, UNIX_HEADER, unixLine } from "./proc_lines.ts";

/** What the table says of the socket 22913, of a text with many lines. */
function parse(text: string): SocketInfo | undefined {
  return lookUp("unix", text.split("\n"), "22913").get("22913");
}

/** The address of the socket 22913 with this path. */
function address(path?: string): SocketInfo["address"] {
  return parse(unixLine("22913", path))?.address;
}

/** Other sockets, around the one of the search. */
const BEFORE = `${UNIX_HEADER}\n${unixLine("1", "/run/before")}`;
const AFTER = unixLine("2", "/run/after");

test("the table of Unix sockets has the kind of each socket", () => {
  const kinds = [
    ["00010000", "0001", "01", "stream-listener"],
    ["00000000", "0001", "03", "stream-connection"],
    // Neither listening nor connected, and one that is about to be.
    ["00000000", "0001", "01", "socket"],
    ["00000000", "0001", "02", "socket"],
    ["00000000", "0002", "01", "datagram"],
    ["00000000", "0002", "03", "datagram"],
    ["00010000", "0005", "01", "seqpacket-listener"],
    ["00000000", "0005", "03", "seqpacket-connection"],
    ["00000000", "0003", "01", "raw"],
    // Other flags than __SO_ACCEPTCON don't matter.
    ["00030001", "0001", "01", "stream-listener"],
    ["00020001", "0001", "03", "stream-connection"],
  ] as const;
  const types = { 1: "stream", 2: "datagram", 3: "raw", 5: "seqpacket" };
  for (const [flags, type, state, kind] of kinds) {
    const line = unixLine("22913", "/run/app.sock", { flags, type, state });
    assert.deepEqual(parse(line), {
      kind,
      family: "unix",
      type: types[Number(type) as keyof typeof types],
      protocol: 0,
      listening: kind.endsWith("listener"),
      address: { kind: "unix", path: "/run/app.sock" },
      peer: undefined,
    });
  }
});

test("the table of Unix sockets has paths with spaces, abstract names, and none", () => {
  const pairs = [
    ["/run/my app/a  b ", { kind: "unix", path: "/run/my app/a  b " }],
    [" /x", { kind: "unix", path: " /x" }],
    ["app.sock", { kind: "unix", path: "app.sock" }],
    ["/run/a@b", { kind: "unix", path: "/run/a@b" }],
    ["@app", { kind: "unix-abstract", name: "app" }],
    ["@/org/x y", { kind: "unix-abstract", name: "/org/x y" }],
    ["@", { kind: "unix-abstract", name: "" }],
    [undefined, { kind: "unix-unnamed" }],
  ] as const;
  for (const [path, expected] of pairs) {
    assert.deepEqual(address(path), expected);
  }
});

test("the table of Unix sockets leaves a name unknown that may have NUL bytes", () => {
  for (const path of ["@a@b", "@@", "@app@@@@", "@\n@"]) {
    const info = parse(unixLine("22913", path));
    assert.equal(info?.kind, "stream-listener");
    assert.ok(info !== undefined && "address" in info);
    assert.equal(info.address, undefined, path);
  }
});

test("the table of Unix sockets leaves a name unknown that isn't valid UTF-8", () => {
  for (const path of ["/run/\ufffd", "@\ufffd", "/run/a\nb\ufffdc"]) {
    const info = parse(unixLine("22913", path));
    assert.equal(info?.kind, "stream-listener");
    assert.equal(info?.address, undefined);
  }
});

test("the table of Unix sockets pads a short inode", () => {
  const line = "00000000bd52b0e2: 00000003 00000000 00000000 0001 03  1594";
  const info = lookUp("unix", [line], "1594").get("1594");
  assert.equal(info?.kind, "stream-connection");
  assert.deepEqual(info?.address, { kind: "unix-unnamed" });
  const long = "0000000000000000: 00000002 00000000 00010000 0001 01 " +
    "4294967295 /run/app.sock";
  const socket = lookUp("unix", [long], "4294967295").get("4294967295");
  assert.equal(socket?.kind, "stream-listener");
});

test("the table of Unix sockets has paths with line breaks, read whole", () => {
  const paths = [
    "/run/a\nb",
    "/run/a\n",
    "/run/a\n\n\nb\n",
    "\n/run/a",
    "/run/a\r\nb\u2028c\u0085",
    `/run/a\n${UNIX_HEADER}`,
    "/run/a\n0: 1",
    // What only looks like a record of another socket.
    "/run/a\n 00000000bd52b0e2: 00000002 00000000 00010000 0001 01 1594 /x",
    "/run/a\n00000000BD52B0E2: 00000002 00000000 00010000 0001 01 1594 /x",
    "/run/a\n00000000bd52b0e2: 00000002 00000000 00010000 0001 01 1594/x",
    "/run/a\n00000000bd52b0e2: 00000002 00000000 00010000 0001 01 -1 /x",
  ];
  for (const path of paths) {
    const line = unixLine("22913", path);
    for (const text of [line, `${BEFORE}\n${line}`, `${line}\n${AFTER}`]) {
      assert.deepEqual(parse(text)?.address, { kind: "unix", path });
    }
  }
  assert.deepEqual(address("@a\nb"), { kind: "unix-abstract", name: "a\nb" });
});

test("the table of Unix sockets gives lines of one path to no other", () => {
  const lines = [
    UNIX_HEADER,
    unixLine("5", "/run/five"),
    unixLine("1", "/run/one\nmore"),
    unixLine("6"),
    unixLine("2", "/run/two"),
  ].join("\n").split("\n");
  const sockets = lookUp("unix", lines, "5", "6");
  assert.deepEqual(sockets.get("5")?.address, {
    kind: "unix",
    path: "/run/five",
  });
  assert.deepEqual(sockets.get("6")?.address, { kind: "unix-unnamed" });
  assert.equal(sockets.size, 2);
});

test("the table of Unix sockets believes no socket that is listed twice", () => {
  const real = unixLine("22913", "/run/app.sock");
  const forged = unixLine("22913", "/run/evil");
  // An abstract name of somebody else, with a record behind a line break.
  const name = unixLine("7", `@x\n${forged}`);
  for (const lines of [[real, name], [name, real], [name, AFTER, real]]) {
    assert.deepEqual(parse(lines.join("\n")), { kind: "socket" });
  }
  const connection = unixLine("22913", undefined, {
    flags: "00000000",
    state: "03",
  });
  assert.deepEqual(parse([real, connection].join("\n")), { kind: "socket" });
  assert.deepEqual(parse([real, real, real].join("\n")), { kind: "socket" });
});

test("the table of Unix sockets is read to its end for what is listed twice", () => {
  const real = unixLine("22913", "/run/app.sock");
  const others = Array.from(
    { length: 500 },
    (_, index) => unixLine(`${index}`),
  );
  const lines = new CountedLines([real, ...others, `${real}x`]);
  const sockets = lookUp("unix", lines, "22913");
  assert.deepEqual(sockets.get("22913"), { kind: "socket" });
  assert.equal(lines.taken, 502);
});

test("the table of Unix sockets gives back any path and abstract name", () => {
  const text = fc.string({ unit: anyCharacter(), minLength: 1, maxLength: 107 })
    .map((path) => path.replace(/[\0@\ufffd]/g, "_"));
  fc.assert(fc.property(text, fc.boolean(), (text, isAbstract) => {
    const path = isAbstract ? `@${text}` : text;
    const expected = isAbstract
      ? { kind: "unix-abstract", name: text }
      : { kind: "unix", path };
    const lines = [BEFORE, unixLine("22913", path), AFTER].join("\n");
    assert.deepEqual(parse(lines)?.address, expected);
  }));
});

test("the table of Unix sockets can't be made to lie about a socket in it", () => {
  // Whatever somebody's name holds, it adds lines and takes none away.
  const record = fc.record({
    flags: fc.constantFrom("00000000", "00010000"),
    type: fc.constantFrom("0001", "0002", "0005"),
    state: fc.constantFrom("01", "03"),
  });
  const line = fc.oneof(
    fc.tuple(
      fc.constantFrom("22913", "1594"),
      fc.constantFrom(undefined, "/run/evil", "@evil"),
      record,
    ).map((parts) => unixLine(...parts)),
    fc.constantFrom("", "x", UNIX_HEADER, "22913", " /run/app.sock"),
  );
  const real = unixLine("22913", "/run/app.sock");
  const truth = parse(real);
  const known = new Set<boolean>();
  fc.assert(fc.property(
    fc.array(line, { minLength: 1, maxLength: 3 }),
    fc.boolean(),
    (lines, isFirst) => {
      const name = unixLine("7", `@x\n${lines.join("\n")}`);
      const text = isFirst ? [name, real] : [real, name];
      const socket = parse(text.join("\n"));
      if (socket?.kind === "socket") {
        assert.deepEqual(socket, { kind: "socket" });
      } else assert.deepEqual(socket, truth);
      known.add(socket?.kind !== "socket");
    },
  ));
  assert.equal(known.size, 2);
});

test("the table of Unix sockets never fails, whatever the lines", () => {
  const line = fc.oneof(
    fc.string({ unit: anyCharacter() }),
    fc.string({ unit: anyCharacter() }).map((text) => unixLine("22913", text)),
    fc.string({ unit: anyCharacter() }).map((text) => unixLine(text)),
  );
  fc.assert(fc.property(fc.array(line), (lines) => {
    const info = lookUp("unix", lines, "22913").get("22913");
    assert.equal(info?.family ?? "unix", "unix");
  }));
});
