import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Activation } from "../../../src/core/activation.ts";
import { assertThrows, descriptor } from "../helpers.ts";

test("Activation closes exactly what nobody claimed, once", () => {
  const closed: number[] = [];
  const activation = new Activation(
    ["web", "admin", "web", "log"].map((name, at) => descriptor(3 + at, name)),
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

test("Activation closes nothing if all is claimed", () => {
  const activation = new Activation(
    [descriptor(3, "web")],
    () => assert.fail("nothing is to be closed"),
  );
  activation.claim("web");
  activation[Symbol.dispose]();
});

test("Activation gives nothing out that it closed", () => {
  const activation = new Activation([descriptor(3, "web")], () => true);
  activation[Symbol.dispose]();
  assert.equal(activation.descriptors[0]!.info.kind, "closed");
  assert.deepEqual(activation.claim("web"), []);
  assertThrows(() => activation.claimOne("web"), "claimed");
  assertThrows(() => activation.claimFd(3), "claimed");
  activation.complete();
});

test("Activation doesn't close the number of a descriptor that wasn't open", () => {
  const closed: number[] = [];
  const activation = new Activation(
    [descriptor(3, "web"), descriptor(4, "gone", "closed")],
    (fd) => closed.push(fd) > 0,
  );
  activation[Symbol.dispose]();
  assert.deepEqual(closed, [3]);
});

test("Activation closes a descriptor that was given back", () => {
  const closed: number[] = [];
  const activation = new Activation(
    [descriptor(3, "web")],
    (fd) => closed.push(fd) > 0,
  );
  activation.release(activation.claim("web"));
  activation[Symbol.dispose]();
  assert.deepEqual(closed, [3]);
});

test("Activation closes the others if closing one fails", () => {
  const tried: number[] = [];
  const activation = new Activation(
    ["a", "b", "c"].map((name, at) => descriptor(3 + at, name)),
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

test("Activation keeps what can't be told from the runtime's own", () => {
  const activation = new Activation(
    [descriptor(3, "web"), descriptor(4, "gone", "other")],
    (fd) => fd === 3,
  );
  activation[Symbol.dispose]();
  assert.deepEqual(activation.unclaimed.map(({ fd }) => fd), [4]);
  assert.equal(activation.unclaimed[0]!.info.kind, "other");
});

/** One step of a program with an activation. */
type Step =
  | { readonly kind: "claim" | "claimAll"; readonly name: string }
  | { readonly kind: "claimFd"; readonly fd: number }
  | { readonly kind: "release"; readonly fds: readonly number[] }
  | { readonly kind: "dispose" };

const name: fc.Arbitrary<string> = fc.constantFrom("a", "b", "c", "");
const fd = fc.integer({ min: 3, max: 9 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom("claim" as const, "claimAll" as const),
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

test("Activation behaves as a set of descriptors that are left", () => {
  fc.assert(
    fc.property(
      fc.array(name, { minLength: 1, maxLength: 6 }),
      fc.array(step, { maxLength: 30 }),
      (names, steps) => {
        const closed: number[] = [];
        const activation = new Activation(
          names.map((each, at) => descriptor(3 + at, each)),
          (fd) => closed.push(fd) > 0,
        );
        const nameOf = new Map(names.map((each, at) => [3 + at, each]));
        const left = new Set(nameOf.keys());
        const open = new Set(nameOf.keys());
        for (const step of steps) {
          const before = [...left].sort((a, b) => a - b);
          switch (step.kind) {
            case "claim":
            case "claimAll": {
              const expected = before.filter((fd) =>
                nameOf.get(fd) === step.name
              );
              if (step.kind === "claimAll" && expected.length === 0) {
                assertThrows(
                  () => activation.claimAll(step.name),
                  names.includes(step.name) ? "claimed" : "missing-name",
                );
                break;
              }
              const found = activation[step.kind](step.name);
              assert.deepEqual(found.map((one) => one.fd), expected);
              for (const fd of expected) left.delete(fd);
              break;
            }
            case "claimFd":
              if (left.delete(step.fd)) {
                assert.equal(activation.claimFd(step.fd).fd, step.fd);
              } else {
                assertThrows(
                  () => activation.claimFd(step.fd),
                  nameOf.has(step.fd) ? "claimed" : "missing-name",
                );
              }
              break;
            case "release": {
              const given = step.fds.filter((fd) => nameOf.has(fd));
              activation.release(
                given.map((fd) => activation.descriptors[fd - 3]!),
              );
              for (const fd of given) left.add(fd);
              break;
            }
            case "dispose":
              activation[Symbol.dispose]();
              assert.deepEqual(
                closed.splice(0),
                before.filter((fd) => open.delete(fd)),
              );
              left.clear();
              break;
          }
          assert.deepEqual(
            activation.unclaimed.map((one) => one.fd),
            [...left].sort((a, b) => a - b),
          );
          assert.deepEqual(activation.names, [...new Set(names)]);
          if (left.size === 0) activation.complete();
          else assertThrows(() => activation.complete(), "unclaimed");
          assert.deepEqual(closed, []);
        }
      },
    ),
    { numRuns: 300 },
  );
});
