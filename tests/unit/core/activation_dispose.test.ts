import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Activation } from "../../../src/core/activation.ts";
import { assertThrows, descriptor } from "../helpers.ts";

test("Activation[Symbol.dispose]() closes each unclaimed descriptor once", () => {
  const closed: number[] = [];
  const activation = new Activation(
    ["web", "admin", "web", "log"].map((name, index) =>
      descriptor(3 + index, name)
    ),
    (fd) => closed.push(fd) > 0,
  );
  const admin = activation.claimOne("admin");
  activation[Symbol.dispose]();
  assert.deepEqual(closed, [3, 5, 6]);
  assert.deepEqual(activation.unclaimed, []);
  activation[Symbol.dispose]();
  assert.deepEqual(closed, [3, 5, 6]);
  assert.equal(admin.info.kind, "stream-listener");
});

test("Activation[Symbol.dispose]() closes nothing if all are claimed", () => {
  const activation = new Activation(
    [descriptor(3, "web")],
    () => assert.fail("nothing may be closed"),
  );
  activation.claim("web");
  activation[Symbol.dispose]();
});

test("Activation[Symbol.dispose]() makes the descriptors unclaimable", () => {
  const activation = new Activation([descriptor(3, "web")], () => true);
  activation[Symbol.dispose]();
  assert.equal(activation.descriptors[0]!.info.kind, "closed");
  assert.deepEqual(activation.tryClaim("web"), []);
  assertThrows(() => activation.claimOne("web"), "already-claimed");
  assertThrows(() => activation.claimFd(3), "already-claimed");
  activation.complete();
});

test("Activation[Symbol.dispose]() skips a descriptor that was not open", () => {
  const closed: number[] = [];
  const activation = new Activation(
    [descriptor(3, "web"), descriptor(4, "gone", "closed")],
    (fd) => closed.push(fd) > 0,
  );
  activation[Symbol.dispose]();
  assert.deepEqual(closed, [3]);
});

test("Activation[Symbol.dispose]() closes a released descriptor", () => {
  const closed: number[] = [];
  const activation = new Activation(
    [descriptor(3, "web")],
    (fd) => closed.push(fd) > 0,
  );
  activation.release(activation.claim("web"));
  activation[Symbol.dispose]();
  assert.deepEqual(closed, [3]);
});

test("Activation[Symbol.dispose]() closes the others if closing a descriptor fails", () => {
  const tried: number[] = [];
  const activation = new Activation(
    ["a", "b", "c"].map((name, index) => descriptor(3 + index, name)),
    (fd) => {
      tried.push(fd);
      if (fd === 4) throw new Error("EBADF");
      return true;
    },
  );
  assert.throws(() => activation[Symbol.dispose](), /EBADF/);
  assert.deepEqual(tried, [3, 4, 5]);
  assert.deepEqual(activation.unclaimed.map(({ fd }) => fd), [4]);
});

test("Activation[Symbol.dispose]() keeps a descriptor that may be the runtime's own", () => {
  const activation = new Activation(
    [descriptor(3, "web"), descriptor(4, "gone", "other")],
    (fd) => fd === 3,
  );
  activation[Symbol.dispose]();
  assert.deepEqual(activation.unclaimed.map(({ fd }) => fd), [4]);
  assert.equal(activation.unclaimed[0]!.info.kind, "other");
});

/** A call of a program on its activation. */
type Call =
  | { readonly kind: "claim" | "tryClaim"; readonly name: string }
  | { readonly kind: "claimFd"; readonly fd: number }
  | { readonly kind: "release"; readonly fds: readonly number[] }
  | { readonly kind: "dispose" };

const name: fc.Arbitrary<string> = fc.constantFrom("a", "b", "c", "");
const fd = fc.integer({ min: 3, max: 9 });
const call: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom("claim" as const, "tryClaim" as const),
      name,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("claimFd" as const), fd }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("release" as const),
      fds: fc.uniqueArray(fd, { maxLength: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("dispose" as const) }),
  },
);

test("Activation() behaves like a set of unclaimed descriptors", () => {
  fc.assert(
    fc.property(
      fc.array(name, { minLength: 1, maxLength: 6 }),
      fc.array(call, { maxLength: 30 }),
      (names, calls) => {
        const closed: number[] = [];
        const activation = new Activation(
          names.map((name, index) => descriptor(3 + index, name)),
          (fd) => closed.push(fd) > 0,
        );
        const nameOf = new Map(names.map((name, index) => [3 + index, name]));
        const unclaimed = new Set(nameOf.keys());
        const open = new Set(nameOf.keys());
        for (const call of calls) {
          const before = [...unclaimed].sort((a, b) => a - b);
          switch (call.kind) {
            case "claim":
            case "tryClaim": {
              const expected = before.filter((fd) =>
                nameOf.get(fd) === call.name
              );
              if (call.kind === "claim" && expected.length === 0) {
                assertThrows(
                  () => activation.claim(call.name),
                  names.includes(call.name)
                    ? "already-claimed"
                    : "missing-name",
                );
                break;
              }
              const claimed = activation[call.kind](call.name);
              assert.deepEqual(claimed.map(({ fd }) => fd), expected);
              for (const fd of expected) unclaimed.delete(fd);
              break;
            }
            case "claimFd":
              if (unclaimed.delete(call.fd)) {
                assert.equal(activation.claimFd(call.fd).fd, call.fd);
              } else {
                assertThrows(
                  () => activation.claimFd(call.fd),
                  nameOf.has(call.fd) ? "already-claimed" : "missing-name",
                );
              }
              break;
            case "release": {
              const released = call.fds.filter((fd) => nameOf.has(fd));
              activation.release(
                released.map((fd) => activation.descriptors[fd - 3]!),
              );
              for (const fd of released) unclaimed.add(fd);
              break;
            }
            case "dispose":
              activation[Symbol.dispose]();
              assert.deepEqual(
                closed.splice(0),
                before.filter((fd) => open.delete(fd)),
              );
              unclaimed.clear();
              break;
          }
          assert.deepEqual(
            activation.unclaimed.map(({ fd }) => fd),
            [...unclaimed].sort((a, b) => a - b),
          );
          assert.deepEqual(activation.names, [...new Set(names)]);
          if (unclaimed.size === 0) activation.complete();
          else assertThrows(() => activation.complete(), "unclaimed");
          assert.deepEqual(closed, []);
        }
      },
    ),
    { numRuns: 300 },
  );
});
