import assert from "node:assert/strict";
import { test } from "node:test";
import {
  LISTEN_FDS_START,
  LISTEN_VARIABLES,
  type ListenEnvironment,
  type ListenVariables,
  parseListenEnvironment,
} from "../../../src/core/environment.ts";
import { assertThrows, thrownBy } from "../helpers.ts";

const PID = 42;
const MAX_UINT64 = 2n ** 64n - 1n;

/** Parses as the process 42, with `LISTEN_PID=42` by default. */
function parse(
  variables: ListenVariables,
  pidfdId?: bigint,
): ListenEnvironment {
  return parseListenEnvironment(
    { LISTEN_PID: "42", ...variables },
    { pid: PID, pidfdId },
  );
}

test("LISTEN_VARIABLES has the four variables, LISTEN_FDS_START is 3", () => {
  assert.deepEqual([...LISTEN_VARIABLES].sort(), [
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
  ]);
  assert.equal(LISTEN_FDS_START, 3);
});

test("parseListenEnvironment() returns the count and the names in order", () => {
  assert.deepEqual(parse({ LISTEN_FDS: "2", LISTEN_FDNAMES: "web:admin" }), {
    kind: "activated",
    count: 2,
    names: ["web", "admin"],
  });
});

test("parseListenEnvironment() returns no names without LISTEN_FDNAMES", () => {
  assert.deepEqual(parse({ LISTEN_FDS: "3" }), {
    kind: "activated",
    count: 3,
    names: undefined,
  });
});

test("parseListenEnvironment() reports the missing variable", () => {
  const missing = (variables: ListenVariables) =>
    parseListenEnvironment(variables, { pid: PID });
  const noPid = { kind: "absent", missing: "LISTEN_PID" };
  const noFds = { kind: "absent", missing: "LISTEN_FDS" };
  assert.deepEqual(missing({}), noPid);
  assert.deepEqual(missing({ LISTEN_FDS: "1" }), noPid);
  assert.deepEqual(missing({ LISTEN_FDS: "abc" }), noPid);
  assert.deepEqual(missing({ LISTEN_PID: "42" }), noFds);
  assert.deepEqual(missing({ LISTEN_PID: "abc" }), noFds);
  assert.deepEqual(
    missing({ LISTEN_PIDFDID: "x", LISTEN_FDNAMES: "web" }),
    noPid,
  );
});

test("parseListenEnvironment() rejects a LISTEN_FDS that is not a plain decimal number", () => {
  const invalid = [
    ["-1", '"-1"'],
    ["+1", '"+1"'],
    ["abc", '"abc"'],
    ["1e3", '"1e3"'],
    ["0x2", '"0x2"'],
    ["1.0", '"1.0"'],
    [" 2", '" 2"'],
    ["2 ", '"2 "'],
    ["2\n", '"2\\n"'],
    ["٣", '"٣"'],
    ["", '""'],
    ["01", '"01"'],
    ["00", '"00"'],
    ["1_0", '"1_0"'],
    ["1n", '"1n"'],
  ] as const;
  for (const [text, shown] of invalid) {
    assertThrows(
      () => parse({ LISTEN_FDS: text }),
      SyntaxError,
      "Parsing LISTEN_FDS: expected a plain decimal number",
      `found ${shown}`,
      "let the service manager alone set the variables",
    );
  }
});

test("parseListenEnvironment() rejects a LISTEN_FDS out of range", () => {
  for (
    const text of [
      "0",
      "2147483645",
      "2147483647",
      "2147483648",
      "4294967297",
      "18446744073709551617",
      "100000000000000000000000000000",
    ]
  ) {
    assertThrows(
      () => parse({ LISTEN_FDS: text }),
      RangeError,
      "Parsing LISTEN_FDS: expected a number from 1 to 2147483644",
      `found "${text}"`,
      "let the service manager alone set the variables",
    );
  }
});

test("parseListenEnvironment() accepts a LISTEN_FDS from 1 to INT_MAX - 3", () => {
  for (const count of [1, 9, 10, 2147483644]) {
    assert.deepEqual(parse({ LISTEN_FDS: String(count) }), {
      kind: "activated",
      count,
      names: undefined,
    });
  }
});

test("parseListenEnvironment() quotes only the beginning of a very long number", () => {
  const error = thrownBy(() => parse({ LISTEN_FDS: "9".repeat(1_000_000) }));
  assert.ok(error instanceof RangeError);
  assert.ok(error.message.includes("(1000000 characters)"));
  assert.ok(error.message.length < 300);
});

test("parseListenEnvironment() rejects a LISTEN_PID that is not a process id", () => {
  const invalid = [
    ["abc", SyntaxError],
    ["", SyntaxError],
    ["042", SyntaxError],
    [" 42", SyntaxError],
    ["-42", SyntaxError],
    ["0", RangeError],
    ["2147483648", RangeError],
  ] as const;
  for (const [text, expected] of invalid) {
    assertThrows(
      () => parse({ LISTEN_PID: text, LISTEN_FDS: "1" }),
      expected,
      "Parsing LISTEN_PID: expected ",
      `found "${text}"`,
      "let the service manager alone set the variables",
    );
  }
});

test("parseListenEnvironment() returns foreign for another LISTEN_PID", () => {
  for (const listenPid of [1, 41, 420, 2147483647]) {
    assert.deepEqual(
      parse({ LISTEN_PID: String(listenPid), LISTEN_FDS: "1" }),
      { kind: "foreign", listenPid, pid: PID },
    );
  }
});

test("parseListenEnvironment() ignores the other variables of a foreign process", () => {
  const foreign = { kind: "foreign", listenPid: 7, pid: PID };
  for (
    const variables of [
      { LISTEN_FDS: "abc" },
      { LISTEN_FDS: "0" },
      { LISTEN_FDS: "" },
      { LISTEN_FDS: "3", LISTEN_FDNAMES: "web" },
      { LISTEN_FDS: "1", LISTEN_PIDFDID: "abc" },
    ]
  ) {
    assert.deepEqual(parse({ LISTEN_PID: "7", ...variables }, 5n), foreign);
  }
});

test("parseListenEnvironment() compares LISTEN_PIDFDID with the process's own id", () => {
  const withPidfdId = (LISTEN_PIDFDID: string, own?: bigint) =>
    parse({ LISTEN_FDS: "1", LISTEN_PIDFDID }, own);
  const activated = { kind: "activated", count: 1, names: undefined };
  const foreign = (listenPidfdId: bigint) => ({
    kind: "foreign",
    listenPid: PID,
    pid: PID,
    listenPidfdId,
  });
  assert.deepEqual(withPidfdId("5", 5n), activated);
  assert.deepEqual(withPidfdId("6", 5n), foreign(6n));
  assert.deepEqual(withPidfdId("0", 5n), foreign(0n));
  assert.deepEqual(withPidfdId("0"), activated);
  assert.deepEqual(withPidfdId(`${MAX_UINT64}`, MAX_UINT64), activated);
  // Two ids that are one and the same as floating-point numbers.
  assert.deepEqual(
    withPidfdId("9007199254740993", 9007199254740992n),
    foreign(9007199254740993n),
  );
});

test("parseListenEnvironment() reads the own pidfd id only if needed, and once", () => {
  let reads = 0;
  const self = {
    pid: PID,
    get pidfdId() {
      reads++;
      return 5n;
    },
  };
  const readsOf = (variables: ListenVariables) => {
    reads = 0;
    parseListenEnvironment({ LISTEN_FDS: "1", ...variables }, self);
    return reads;
  };
  assert.equal(readsOf({}), 0);
  assert.equal(readsOf({ LISTEN_PID: "42" }), 0);
  assert.equal(readsOf({ LISTEN_PID: "7", LISTEN_PIDFDID: "6" }), 0);
  assert.equal(readsOf({ LISTEN_PID: "42", LISTEN_PIDFDID: "5" }), 1);
  assert.equal(readsOf({ LISTEN_PID: "42", LISTEN_PIDFDID: "6" }), 1);
});

test("parseListenEnvironment() ignores LISTEN_PIDFDID if the own pidfd id is unknown", () => {
  assert.equal(
    parse({ LISTEN_FDS: "1", LISTEN_PIDFDID: "6" }).kind,
    "activated",
  );
});

test("parseListenEnvironment() accepts a missing LISTEN_PIDFDID", () => {
  assert.equal(parse({ LISTEN_FDS: "1" }, 5n).kind, "activated");
});

test("parseListenEnvironment() checks LISTEN_PIDFDID before LISTEN_FDS", () => {
  assert.equal(
    parse({ LISTEN_FDS: "abc", LISTEN_PIDFDID: "6" }, 5n).kind,
    "foreign",
  );
});

test("parseListenEnvironment() rejects a malformed LISTEN_PIDFDID", () => {
  const invalid = [
    ["abc", SyntaxError],
    ["", SyntaxError],
    ["05", SyntaxError],
    ["0x5", SyntaxError],
    ["-1", SyntaxError],
    [`${MAX_UINT64 + 1n}`, RangeError],
  ] as const;
  for (const [text, expected] of invalid) {
    for (const own of [5n, undefined]) {
      assertThrows(
        () => parse({ LISTEN_FDS: "1", LISTEN_PIDFDID: text }, own),
        expected,
        "Parsing LISTEN_PIDFDID: expected ",
        `found "${text}"`,
      );
    }
  }
});

test("parseListenEnvironment() rejects too many and too few names and reports both counts", () => {
  const invalid = [
    ["1", "web:admin", 2],
    ["3", "web:admin", 2],
    ["2", "", 1],
    ["2", "web:admin:", 3],
    ["2", ":web:admin", 3],
    ["2147483644", "web", 1],
  ] as const;
  for (const [count, names, found] of invalid) {
    assertThrows(
      () => parse({ LISTEN_FDS: count, LISTEN_FDNAMES: names }),
      "name-count",
      `Parsing LISTEN_FDNAMES: expected ${count} names`,
      `found ${found} in "${names}"`,
    );
  }
});

test("parseListenEnvironment() accepts empty and repeated names", () => {
  const names = (text: string) => {
    const count = text.split(":").length;
    const found = parse({ LISTEN_FDS: `${count}`, LISTEN_FDNAMES: text });
    return found.kind === "activated" ? found.names : found.kind;
  };
  assert.deepEqual(names(""), [""]);
  assert.deepEqual(names("x::z"), ["x", "", "z"]);
  assert.deepEqual(names("::"), ["", "", ""]);
  assert.deepEqual(names("web:web:admin:web"), ["web", "web", "admin", "web"]);
  assert.deepEqual(names(" web :unknown"), [" web ", "unknown"]);
  assert.deepEqual(names("n".repeat(300)), ["n".repeat(300)]);
  assert.deepEqual(names("a\nb:\u001b[31m"), ["a\nb", "\u001b[31m"]);
});

test("parseListenEnvironment() cuts long names in messages", () => {
  assertThrows(
    () => parse({ LISTEN_FDS: "2", LISTEN_FDNAMES: "n".repeat(300) }),
    "name-count",
    `found 1 in "${"n".repeat(80)}"… (300 characters)`,
  );
});

test("parseListenEnvironment() escapes control characters in messages", () => {
  assertThrows(
    () =>
      parse({
        LISTEN_FDS: "1",
        LISTEN_FDNAMES: "a\n\u001b[31m:\u009b\u202e\ud800\u2028",
      }),
    "name-count",
    String.raw`found 2 in "a\n\u001b[31m:\u009b\u202e\ud800\u2028"`,
  );
  assertThrows(
    () => parse({ LISTEN_FDS: "\u001b[2J" }),
    SyntaxError,
    String.raw`found "\u001b[2J"`,
  );
});
