import assert from "node:assert/strict";
import { test } from "node:test";
import { Activation } from "../../../src/core/activation.ts";
import { Descriptor } from "../../../src/core/descriptor.ts";
import type { DescriptorInfo } from "../../../src/core/info.ts";
import { ActivationError } from "../../../src/core/errors.ts";
import {
  checkExpectations,
  type Expectations,
  readExpectations,
} from "../../../src/core/expectations.ts";
import {
  activate,
  assertError,
  assertThrows,
  ipv4,
  recording,
  thrownBy,
} from "../helpers.ts";

const LISTENER: DescriptorInfo = {
  kind: "stream-listener",
  address: ipv4("0.0.0.0", 80),
};

/** Returns the errors in the cause of the thrown error. */
function causes(run: () => void): ActivationError[] {
  const error = thrownBy(run);
  assertError(error, "unexpected-kinds");
  assert.ok(error.cause instanceof AggregateError);
  for (const cause of error.cause.errors) {
    assert.ok(cause instanceof ActivationError);
    const [, detail] = cause.message.split(
      "Checking the expected descriptors: ",
    );
    assert.ok(error.message.includes(detail!), detail!);
  }
  return error.cause.errors;
}

test("checkExpectations() accepts expected descriptors and claims nothing", () => {
  const activation = activate(
    ["web", LISTENER],
    ["log", "fifo"],
    ["web", "stream-listener"],
    ["extra", "closed"],
  );
  checkExpectations(activation, { web: "stream-listener", log: "fifo" });
  checkExpectations(activation, { log: ["file", "fifo"] });
  checkExpectations(activation, {});
  assert.equal(activation.unclaimed.length, 4);
});

test("checkExpectations() checks claimed descriptors", () => {
  const activation = activate(["web", LISTENER], ["log", "fifo"]);
  activation.claim("web");
  activation.claim("log");
  checkExpectations(activation, { web: "stream-listener" });
  assertThrows(
    () => checkExpectations(activation, { log: "file" }),
    "unexpected-kinds",
  );
});

test("checkExpectations() accepts unknown kinds", () => {
  const activation = activate(
    ["a", "unknown"],
    ["a", "socket"],
    ["b", { kind: "socket", type: "stream" }],
  );
  const expected = { a: "datagram", b: "stream-connection" } as const;
  checkExpectations(activation, expected);
  assertThrows(
    () => checkExpectations(activation, { b: "datagram" }),
    "unexpected-kinds",
    'expected a datagram socket, found a socket in descriptor 5 ("b")',
  );
});

test("checkExpectations() rejects a missing name and lists the names", () => {
  const activation = activate(["web", LISTENER], ["log", "fifo"]);
  assertThrows(
    () =>
      checkExpectations(activation, { dns: ["datagram", "stream-listener"] }),
    "unexpected-kinds",
    "Checking the expected descriptors: expected datagram or stream-listener " +
      '"dns", no descriptor has this name; there are "web", "log": set ' +
      "FileDescriptorName= in a socket unit of the service",
  );
  assertThrows(
    () => checkExpectations(activation, { constructor: "fifo" } as never),
    "unexpected-kinds",
    'expected fifo "constructor", no descriptor has this name',
  );
});

test("checkExpectations() rejects a descriptor of another kind and reports the setting", () => {
  assertThrows(
    () => checkExpectations(activate(["web", LISTENER]), { web: "datagram" }),
    "unexpected-kinds",
    "Checking the expected descriptors: expected a datagram socket, found a " +
      'listening stream socket at 0.0.0.0:80 in descriptor 3 ("web"): set ' +
      "ListenDatagram= in the socket unit",
  );
});

test("checkExpectations() checks each descriptor of a name", () => {
  const activation = activate(
    ["web", LISTENER],
    ["web", "stream-connection"],
    ["web", "fifo"],
  );
  const errors = causes(() =>
    checkExpectations(activation, { web: ["stream-listener", "fifo"] })
  );
  assert.equal(errors.length, 1);
  assertError(errors[0], "wrong-kind", 'descriptor 4 ("web")');
});

test("checkExpectations() reports every mismatch at once", () => {
  const activation = activate(
    ["web", LISTENER],
    ["log", "closed"],
    ["admin", "fifo"],
  );
  const errors = causes(() =>
    checkExpectations(activation, {
      admin: "stream-listener",
      dns: "datagram",
      web: "stream-listener",
      "a\nb": "raw",
      log: "fifo",
    })
  );
  assert.deepEqual(
    errors.map(({ code }) => code),
    ["missing-name", "missing-name", "not-open", "wrong-kind"],
  );
  assertError(errors[1], "missing-name", String.raw`expected raw "a\nb"`);
  assertError(errors[2], "not-open", 'descriptor 4 ("log") is not open');
  assertError(errors[3], "wrong-kind", 'descriptor 5 ("admin")');
});

test("checkExpectations() inspects the expected descriptors with one call", () => {
  const source = recording({ 3: LISTENER, 5: LISTENER });
  const activation = new Activation(
    ["web", "log", "admin"].map((name, index) =>
      new Descriptor(3 + index, name, source)
    ),
    () => true,
  );
  checkExpectations(activation, {
    admin: "stream-listener",
    web: "stream-listener",
  });
  assert.deepEqual(source.asked, [[3, 5]]);
});

test("checkExpectations() reports the first 20 errors and counts the others", () => {
  const expected = (count: number): Expectations =>
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`n${index}`, "fifo"]),
    );
  const activation = activate(["web", LISTENER]);
  const message = (count: number) =>
    thrownBy(() => checkExpectations(activation, expected(count))).message;
  const parts = (count: number) => message(count).split("; expected ").length;
  assert.deepEqual([parts(19), parts(20), parts(22)], [19, 20, 20]);
  assert.doesNotMatch(message(20), /more$/);
  assert.match(message(22), /expected fifo "n19", .*; and 2 more$/);
  const error = thrownBy(() => checkExpectations(activation, expected(22)));
  assert.equal((error.cause as AggregateError).errors.length, 22);
});

test("readExpectations() returns the kinds of each name as a list", () => {
  const expected = { web: "stream-listener", log: ["fifo", "file"] } as const;
  assert.deepEqual([...readExpectations(expected)], [
    ["web", ["stream-listener"]],
    ["log", ["fifo", "file"]],
  ]);
  assert.deepEqual([...readExpectations({})], []);
});

test("readExpectations() rejects a value that is not an object", () => {
  for (const invalid of [null, "web", 1, [], ["web"], undefined]) {
    assertThrows(
      () => readExpectations(invalid as unknown as Expectations),
      TypeError,
      "Reading the expected kinds: expected an object of kinds by name, ",
      ", found ",
    );
  }
});

test("checkExpectations() rejects an invalid kind", () => {
  const activation = activate(["web", LISTENER]);
  const invalid: readonly [unknown, string][] = [
    ["listener", "listener"],
    ["socket", "socket"],
    ["unknown", "unknown"],
    ["closed", "closed"],
    ["other", "other"],
    ["toString", "toString"],
    ["a\nb", "nb"],
    [null, '"null"'],
    [1, '"1"'],
    [{}, '"{}"'],
    [[], "none"],
    [["fifo", "listener"], "listener"],
    [[["raw"]], "raw"],
  ];
  for (const [kinds, shown] of invalid) {
    assertThrows(
      () => checkExpectations(activation, { "we\nb": kinds } as Expectations),
      TypeError,
      String
        .raw`Reading the expected kinds of "we\nb": expected one or more of `,
      "stream-listener, stream-connection, datagram, ",
      "message-queue, found ",
      shown,
    );
  }
});

test("readExpectations() rejects undefined, alone and in a list", () => {
  for (const kinds of [undefined, [undefined], ["fifo", undefined]]) {
    assertThrows(
      () => readExpectations({ web: kinds } as never),
      TypeError,
      'the expected kinds of "web": expected one or more of',
      'found "undefined"',
    );
  }
});
