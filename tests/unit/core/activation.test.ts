import assert from "node:assert/strict";
import { test } from "node:test";
import { Activation } from "../../../src/core/activation.ts";
import { Descriptor } from "../../../src/core/descriptor.ts";
import {
  activate,
  assertThrows,
  descriptor,
  ipv4,
  recording,
} from "../helpers.ts";

function fdsOf(descriptors: readonly Descriptor[]): number[] {
  return descriptors.map(({ fd }) => fd);
}

test("Activation.names lists each name once, in order", () => {
  assert.deepEqual(activate("web", "admin", "web", "").names, [
    "web",
    "admin",
    "",
  ]);
});

test("Activation.names and has() include claimed names", () => {
  const activation = activate("web", "admin");
  activation.claim("web");
  assert.deepEqual(activation.names, ["web", "admin"]);
  assert.ok(activation.has("web"));
  assert.ok(activation.has("admin"));
  assert.ok(!activation.has("other"));
  assert.ok(!activation.has(""));
  assert.ok(!activation.has("__proto__"));
});

test("Activation.descriptors lists all, Activation.unclaimed the unclaimed ones, in order", () => {
  const activation = activate("a", "b", "a", "c");
  activation.claim("b");
  assert.deepEqual(fdsOf(activation.descriptors), [3, 4, 5, 6]);
  assert.deepEqual(fdsOf(activation.unclaimed), [3, 5, 6]);
});

test("Activation.claim() claims all descriptors of a name, in order", () => {
  const activation = activate("web", "admin", "web", "web");
  const claimed = activation.claim("web");
  assert.deepEqual(fdsOf(claimed), [3, 5, 6]);
  assert.equal(claimed[1], activation.descriptors[2]);
  assert.deepEqual(fdsOf(activation.unclaimed), [4]);
});

test("Activation.tryClaim() returns an empty array the second time", () => {
  const activation = activate("web");
  assert.equal(activation.tryClaim("web").length, 1);
  assert.deepEqual(activation.tryClaim("web"), []);
});

test("Activation.tryClaim() returns an empty array for a missing name", () => {
  const activation = activate("web");
  assert.deepEqual(activation.tryClaim("admin"), []);
  assert.deepEqual(activation.tryClaim(""), []);
  assert.deepEqual(fdsOf(activation.unclaimed), [3]);
});

for (const method of ["claim", "tryClaim"] as const) {
  test(`Activation.${method}() returns the unclaimed descriptors of a name`, () => {
    const activation = activate("web", "web", "web");
    activation.claimFd(4);
    assert.deepEqual(fdsOf(activation[method]("web")), [3, 5]);
  });
}

test("Activation.claimOne() claims the only descriptor of a name", () => {
  const activation = activate("web", "admin");
  assert.equal(activation.claimOne("admin"), activation.descriptors[1]);
  assert.deepEqual(fdsOf(activation.unclaimed), [3]);
});

test("Activation.claimOne() rejects a missing name and lists the names", () => {
  const activation = activate("web", "admin");
  assertThrows(
    () => activation.claimOne("app"),
    "missing-name",
    'Claiming one descriptor "app": no descriptor has this name',
    'there are "web", "admin"',
    "set FileDescriptorName=app in the socket unit",
  );
  assert.deepEqual(fdsOf(activation.unclaimed), [3, 4]);
});

test("Activation.claimOne() proposes valid names only", () => {
  for (const name of ["", "a b", "a\nb", "a:b", "x".repeat(300)]) {
    assertThrows(
      () => activate("web").claimOne(name),
      "missing-name",
      "set FileDescriptorName=NAME in the socket unit",
    );
  }
});

test("Activation.claimOne() rejects a name with several descriptors and claims none", () => {
  const activation = activate("web", "admin", "web");
  assertThrows(
    () => activation.claimOne("web"),
    "ambiguous-name",
    'Claiming one descriptor "web": found 2 with this name (3, 5)',
    "claim all of them, or give each socket unit its own FileDescriptorName=",
  );
  assert.deepEqual(fdsOf(activation.unclaimed), [3, 4, 5]);
});

test("Activation.claimOne() rejects a name with a claimed and an unclaimed descriptor", () => {
  const activation = activate("web", "web");
  activation.claimFd(3);
  assertThrows(() => activation.claimOne("web"), "ambiguous-name");
  assert.deepEqual(fdsOf(activation.unclaimed), [4]);
});

test("Activation.claimOne() rejects a claimed name", () => {
  const activation = activate("web", "admin", "admin");
  activation.claimOne("web");
  activation.claim("admin");
  assertThrows(
    () => activation.claimOne("web"),
    "already-claimed",
    'Claiming one descriptor "web": descriptor 3 ("web") is already claimed',
  );
  assertThrows(
    () => activation.claimOne("admin"),
    "already-claimed",
    'descriptor 4 ("admin"), descriptor 5 ("admin") are already claimed',
  );
});

test("Activation.claim() rejects a missing and a claimed name", () => {
  const activation = activate("web");
  assertThrows(
    () => activation.claim("app"),
    "missing-name",
    'Claiming "app": no descriptor has this name; there are "web"',
  );
  activation.claim("web");
  assertThrows(
    () => activation.claim("web"),
    "already-claimed",
    'Claiming "web": descriptor 3 ("web") is already claimed',
  );
});

test("Activation.claimFd() claims a descriptor by its number", () => {
  const activation = activate("web", "web");
  assert.equal(activation.claimFd(4), activation.descriptors[1]);
  assert.deepEqual(fdsOf(activation.unclaimed), [3]);
});

test("Activation.claimFd() rejects a number that was not passed", () => {
  const activation = activate("web", "web");
  for (const fd of [2, 5, -1, 3.5, NaN]) {
    assertThrows(
      () => activation.claimFd(fd),
      "missing-name",
      `Claiming descriptor ${fd}: descriptor ${fd} was not passed, only 3 to 4`,
    );
  }
  assert.deepEqual(fdsOf(activation.unclaimed), [3, 4]);
});

test("Activation.claimFd() rejects a claimed descriptor", () => {
  const activation = activate("web");
  activation.claim("web");
  assertThrows(
    () => activation.claimFd(3),
    "already-claimed",
    'Claiming descriptor 3: descriptor 3 ("web") is already claimed',
  );
});

test("Activation.release() makes descriptors claimable in the original order", () => {
  const activation = activate("web", "web", "admin");
  const [first, second] = activation.claim("web");
  activation.release([second!]);
  assert.deepEqual(fdsOf(activation.unclaimed), [4, 5]);
  activation.release([first!]);
  assert.deepEqual(fdsOf(activation.unclaimed), [3, 4, 5]);
  assert.deepEqual(fdsOf(activation.claim("web")), [3, 4]);
});

test("Activation.release() ignores unclaimed descriptors", () => {
  const activation = activate("web");
  activation.release(activation.descriptors);
  activation.release([]);
  assert.deepEqual(fdsOf(activation.claim("web")), [3]);
});

test("Activation.release() rejects descriptors of another activation", () => {
  const activation = activate("web");
  activation.claim("web");
  assertThrows(
    () => activation.release([descriptor(3, "web")]),
    TypeError,
    'Releasing descriptor 3 ("web"): the descriptor belongs to another activation',
  );
  assert.deepEqual(activation.unclaimed, []);
});

test("Activation.release() releases all or none", () => {
  const activation = activate("web");
  const [own] = activation.claim("web");
  assertThrows(
    () => activation.release([own!, descriptor(9, "web")]),
    TypeError,
  );
  assert.deepEqual(activation.unclaimed, []);
});

test("Activation.complete() throws until all are claimed and reports the unclaimed ones", () => {
  const web = {
    kind: "stream-listener",
    address: ipv4("0.0.0.0", 80),
  } as const;
  const activation = new Activation([
    descriptor(3, "web", web),
    descriptor(4, "log", { kind: "fifo", link: "/run/log" }),
    descriptor(5, "a\nb", "datagram"),
  ], () => true);
  assertThrows(
    () => activation.complete(),
    "unclaimed",
    "Completing the activation: nobody claimed ",
    'descriptor 3 ("web"): a listening stream socket at 0.0.0.0:80; ',
    'descriptor 4 ("log"): a FIFO or pipe, "/run/log"; ',
    String.raw`descriptor 5 ("a\nb"): a datagram socket: `,
    "claim it, or remove it from the service's socket units",
  );
  activation.claim("web");
  activation.claim("a\nb");
  assertThrows(
    () => activation.complete(),
    "unclaimed",
    'nobody claimed descriptor 4 ("log"): a FIFO or pipe, "/run/log": claim',
  );
  const log = activation.claimOne("log");
  activation.complete();
  activation.release([log]);
  assertThrows(() => activation.complete(), "unclaimed", "descriptor 4");
});

test("Activation.complete() inspects the reported descriptors with one call", () => {
  const source = recording({});
  const all = Array.from(
    { length: 30 },
    (_, index) => new Descriptor(3 + index, `n${index}`, source),
  );
  const activation = new Activation(all, () => true);
  activation.claim("n1");
  assertThrows(() => activation.complete(), "unclaimed", "and 9 more");
  // From 3 to 23, but without 4.
  const expected = Array.from(
    { length: 20 },
    (_, index) => index === 0 ? 3 : 4 + index,
  );
  assert.deepEqual(source.asked, [expected]);
});

test("Activation.complete() counts the descriptors beyond 20", () => {
  const names = (count: number) =>
    Array.from({ length: count }, (_, index) => `n${index}`);
  assertThrows(
    () => activate(...names(20)).complete(),
    "unclaimed",
    'descriptor 22 ("n19"): a listening stream socket: claim it',
  );
  assertThrows(
    () => activate(...names(22)).complete(),
    "unclaimed",
    'descriptor 22 ("n19"): a listening stream socket; and 2 more: claim it',
  );
});
