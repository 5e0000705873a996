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
  assertError,
  assertThrows,
  descriptor,
  ipv4,
  recording,
  thrownBy,
} from "../helpers.ts";

const LISTENER: DescriptorInfo = {
  kind: "stream-listener",
  address: ipv4("0.0.0.0", 80),
};

/** An activation of descriptors from 3 on: their names, and what they are. */
function activate(
  ...passed: [string, DescriptorInfo | DescriptorInfo["kind"]][]
): Activation {
  return new Activation(
    passed.map(([name, info], at) => descriptor(3 + at, name, info)),
    () => assert.fail("nothing is to be closed"),
  );
}

/** The errors behind the one that is thrown. */
function causes(run: () => void): ActivationError[] {
  const error = thrownBy(run);
  assertError(error, "expectation");
  assert.ok(error.cause instanceof AggregateError);
  for (const each of error.cause.errors) {
    assert.ok(each instanceof ActivationError);
    const [, detail] = each.message.split(
      "Checking the expected descriptors: ",
    );
    assert.ok(error.message.includes(detail!), detail!);
  }
  return error.cause.errors;
}

test("checkExpectations() passes what is as expected, and claims nothing", () => {
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

test("checkExpectations() takes claimed descriptors as well", () => {
  const activation = activate(["web", LISTENER], ["log", "fifo"]);
  activation.claim("web");
  activation.claim("log");
  checkExpectations(activation, { web: "stream-listener" });
  assertThrows(
    () => checkExpectations(activation, { log: "file" }),
    "expectation",
  );
});

test("checkExpectations() passes what can't be told", () => {
  const activation = activate(
    ["a", "unknown"],
    ["a", "socket"],
    ["b", { kind: "socket", type: "stream" }],
  );
  const expected = { a: "datagram", b: "stream-connection" } as const;
  checkExpectations(activation, expected);
  assertThrows(
    () => checkExpectations(activation, { b: "datagram" }),
    "expectation",
    'expected a datagram socket, found a socket in descriptor 5 ("b")',
  );
});

test("checkExpectations() rejects a name that was not passed, and lists those there are", () => {
  const activation = activate(["web", LISTENER], ["log", "fifo"]);
  assertThrows(
    () =>
      checkExpectations(activation, { dns: ["datagram", "stream-listener"] }),
    "expectation",
    "Checking the expected descriptors: expected datagram or stream-listener " +
      '"dns", no descriptor has this name; there are "web", "log": set ' +
      "FileDescriptorName= in a socket unit of the service",
  );
  assertThrows(
    () => checkExpectations(activation, { constructor: "fifo" } as never),
    "expectation",
    'expected fifo "constructor", no descriptor has this name',
  );
});

test("checkExpectations() rejects a descriptor of another kind, with the setting", () => {
  assertThrows(
    () => checkExpectations(activate(["web", LISTENER]), { web: "datagram" }),
    "expectation",
    "Checking the expected descriptors: expected a datagram socket, found a " +
      'listening stream socket at 0.0.0.0:80 in descriptor 3 ("web"): set ' +
      "ListenDatagram= in the socket unit",
  );
});

test("checkExpectations() looks at each descriptor of a name", () => {
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

test("checkExpectations() says all that is wrong at once", () => {
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
    ["missing-name", "missing-name", "closed", "wrong-kind"],
  );
  assertError(errors[1], "missing-name", String.raw`expected raw "a\nb"`);
  assertError(errors[2], "closed", 'descriptor 4 ("log") is not open');
  assertError(errors[3], "wrong-kind", 'descriptor 5 ("admin")');
});

test("checkExpectations() reads what is expected, at once, and nothing else", () => {
  const source = recording({ 3: LISTENER, 5: LISTENER });
  const activation = new Activation(
    ["web", "log", "admin"].map((name, at) =>
      new Descriptor(3 + at, name, source)
    ),
    () => true,
  );
  checkExpectations(activation, {
    admin: "stream-listener",
    web: "stream-listener",
  });
  assert.deepEqual(source.asked, [[3, 5]]);
});

test("checkExpectations() shows the first 20 errors, and counts the others", () => {
  const expected = (count: number): Expectations =>
    Object.fromEntries(
      Array.from({ length: count }, (_, at) => [`n${at}`, "fifo"]),
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

test("readExpectations() gives the kinds of each name as a list", () => {
  const expected = { web: "stream-listener", log: ["fifo", "file"] } as const;
  assert.deepEqual([...readExpectations(expected)], [
    ["web", ["stream-listener"]],
    ["log", ["fifo", "file"]],
  ]);
  assert.deepEqual([...readExpectations({})], []);
});

test("readExpectations() rejects what is no object", () => {
  for (const bad of [null, "web", 1, [], ["web"], undefined]) {
    assertThrows(
      () => readExpectations(bad as unknown as Expectations),
      TypeError,
      "Reading the expected kinds: expected an object of kinds by name, ",
      ", found ",
    );
  }
});

test("checkExpectations() rejects what is no kind", () => {
  const activation = activate(["web", LISTENER]);
  const bad: readonly [unknown, string][] = [
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
  for (const [kinds, shown] of bad) {
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
