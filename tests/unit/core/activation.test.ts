import assert from "node:assert/strict";
import { test } from "node:test";
import { Activation } from "../../../src/core/activation.ts";
import { Descriptor } from "../../../src/core/descriptor.ts";
import { assertThrows, descriptor, ipv4, recording } from "../helpers.ts";

/** An activation of descriptors with these names, from 3 on. */
function activate(...names: string[]): Activation {
  return new Activation(
    names.map((name, at) => descriptor(3 + at, name)),
    () => assert.fail("nothing is to be closed"),
  );
}

function numbers(descriptors: readonly Descriptor[]): number[] {
  return descriptors.map((one) => one.fd);
}

test("Activation.names has each name once, in order", () => {
  assert.deepEqual(activate("web", "admin", "web", "").names, [
    "web",
    "admin",
    "",
  ]);
});

test("Activation.names and has() know claimed names, too", () => {
  const activation = activate("web", "admin");
  activation.claim("web");
  assert.deepEqual(activation.names, ["web", "admin"]);
  assert.ok(activation.has("web"));
  assert.ok(activation.has("admin"));
  assert.ok(!activation.has("other"));
  assert.ok(!activation.has(""));
  assert.ok(!activation.has("__proto__"));
});

test("Activation.descriptors has all, Activation.unclaimed what is left, in order", () => {
  const activation = activate("a", "b", "a", "c");
  activation.claim("b");
  assert.deepEqual(numbers(activation.descriptors), [3, 4, 5, 6]);
  assert.deepEqual(numbers(activation.unclaimed), [3, 5, 6]);
});

test("Activation.claim() takes all descriptors of a name, in order", () => {
  const activation = activate("web", "admin", "web", "web");
  const claimed = activation.claim("web");
  assert.deepEqual(numbers(claimed), [3, 5, 6]);
  assert.equal(claimed[1], activation.descriptors[2]);
  assert.deepEqual(numbers(activation.unclaimed), [4]);
});

test("Activation.claim() gives nothing the second time", () => {
  const activation = activate("web");
  assert.equal(activation.claim("web").length, 1);
  assert.deepEqual(activation.claim("web"), []);
});

test("Activation.claim() gives nothing for a name that there isn't", () => {
  const activation = activate("web");
  assert.deepEqual(activation.claim("admin"), []);
  assert.deepEqual(activation.claim(""), []);
  assert.deepEqual(numbers(activation.unclaimed), [3]);
});

test("Activation.claim() gives what is left of a name", () => {
  const activation = activate("web", "web", "web");
  activation.claimFd(4);
  assert.deepEqual(numbers(activation.claim("web")), [3, 5]);
});

test("Activation.claimOne() takes the one descriptor of a name", () => {
  const activation = activate("web", "admin");
  assert.equal(activation.claimOne("admin"), activation.descriptors[1]);
  assert.deepEqual(numbers(activation.unclaimed), [3]);
});

test("Activation.claimOne() rejects a name that there isn't, and lists those there are", () => {
  const activation = activate("web", "admin");
  assertThrows(
    () => activation.claimOne("app"),
    "missing-name",
    'Claiming one descriptor "app": no descriptor has this name',
    'there are "web", "admin"',
    "set FileDescriptorName=app in the socket unit",
  );
  assert.deepEqual(numbers(activation.unclaimed), [3, 4]);
});

test("Activation.claimOne() proposes no name that systemd wouldn't take", () => {
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
  assert.deepEqual(numbers(activation.unclaimed), [3, 4, 5]);
});

test("Activation.claimOne() rejects a name with several descriptors, one claimed", () => {
  const activation = activate("web", "web");
  activation.claimFd(3);
  assertThrows(() => activation.claimOne("web"), "ambiguous-name");
  assert.deepEqual(numbers(activation.unclaimed), [4]);
});

test("Activation.claimOne() rejects a name that is claimed", () => {
  const activation = activate("web", "admin", "admin");
  activation.claimOne("web");
  activation.claim("admin");
  assertThrows(
    () => activation.claimOne("web"),
    "claimed",
    'Claiming one descriptor "web": descriptor 3 ("web") is already claimed',
  );
  assertThrows(
    () => activation.claimOne("admin"),
    "claimed",
    'descriptor 4 ("admin"), descriptor 5 ("admin") are already claimed',
  );
});

test("Activation.claimAll() takes all descriptors of a name", () => {
  const activation = activate("web", "admin", "web");
  assert.deepEqual(numbers(activation.claimAll("web")), [3, 5]);
  assert.deepEqual(numbers(activation.unclaimed), [4]);
});

test("Activation.claimAll() rejects a name that there isn't or that is claimed", () => {
  const activation = activate("web");
  assertThrows(
    () => activation.claimAll("app"),
    "missing-name",
    'Claiming "app": no descriptor has this name; there are "web"',
  );
  assertThrows(
    () => activation.claimAll("app", "Serving"),
    "missing-name",
    "Serving: no descriptor has this name",
  );
  activation.claimAll("web");
  assertThrows(
    () => activation.claimAll("web", "Serving"),
    "claimed",
    'Serving: descriptor 3 ("web") is already claimed',
  );
});

test("Activation.claimFd() takes a descriptor by its number", () => {
  const activation = activate("web", "web");
  assert.equal(activation.claimFd(4), activation.descriptors[1]);
  assert.deepEqual(numbers(activation.unclaimed), [3]);
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
  assert.deepEqual(numbers(activation.unclaimed), [3, 4]);
});

test("Activation.claimFd() rejects a descriptor that is claimed", () => {
  const activation = activate("web");
  activation.claim("web");
  assertThrows(
    () => activation.claimFd(3, "Serving"),
    "claimed",
    'Serving: descriptor 3 ("web") is already claimed',
  );
});

test("Activation.release() gives back, in the first order", () => {
  const activation = activate("web", "web", "admin");
  const [first, second] = activation.claim("web");
  activation.release([second!]);
  assert.deepEqual(numbers(activation.unclaimed), [4, 5]);
  activation.release([first!]);
  assert.deepEqual(numbers(activation.unclaimed), [3, 4, 5]);
  assert.deepEqual(numbers(activation.claim("web")), [3, 4]);
});

test("Activation.release() leaves what isn't claimed as it is", () => {
  const activation = activate("web");
  activation.release(activation.descriptors);
  activation.release([]);
  assert.deepEqual(numbers(activation.claim("web")), [3]);
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

test("Activation.release() gives back all or none", () => {
  const activation = activate("web");
  const [own] = activation.claim("web");
  assertThrows(
    () => activation.release([own!, descriptor(9, "web")]),
    TypeError,
  );
  assert.deepEqual(activation.unclaimed, []);
});

test("Activation.complete() throws until all is claimed, and says what is left", () => {
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

test("Activation.complete() asks what is left at once, and no more than it shows", () => {
  const source = recording({});
  const all = Array.from(
    { length: 30 },
    (_, at) => new Descriptor(3 + at, `n${at}`, source),
  );
  const activation = new Activation(all, () => true);
  activation.claim("n1");
  assertThrows(() => activation.complete(), "unclaimed", "and 9 more");
  // From 3 to 23, but without 4.
  const expected = Array.from({ length: 20 }, (_, at) => at === 0 ? 3 : 4 + at);
  assert.deepEqual(source.asked, [expected]);
});

test("Activation.complete() counts what is beyond 20 descriptors", () => {
  const names = (count: number) =>
    Array.from({ length: count }, (_, at) => `n${at}`);
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
