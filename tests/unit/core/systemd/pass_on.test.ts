import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Activation } from "../../../../src/core/activation.ts";
import { Descriptor } from "../../../../src/core/descriptor.ts";
import { ActivationError } from "../../../../src/core/errors.ts";
import { variablesFromParent } from "../../../../src/core/systemd/pass_on.ts";

const inspector = {
  inspect: () => [],
  inspectPath: () => undefined,
};

function activationOf(...names: readonly string[]): Activation {
  const descriptors = names.map((name, index) =>
    new Descriptor(3 + index, name, inspector)
  );
  return new Activation(descriptors, () => true, 77);
}

test("passOn() gives the descriptors of names, and variables for children", () => {
  const activation = activationOf("web", "admin", "web", "other");
  assert.deepEqual(activation.passOn("web", "admin"), {
    // In the order in which they were passed to this process.
    fds: [3, 4, 5],
    env: {
      LISTEN_PID: "77",
      LISTEN_FDS: "3",
      LISTEN_FDNAMES: "web:admin:web",
      LISTENFDS_PARENT: "77",
    },
  });
  assert.deepEqual(activation.unclaimed.map(({ fd }) => fd), [6]);
  // For the child that follows one that has ended.
  assert.deepEqual(activation.passOn("admin").fds, [4]);
  assert.throws(() => activation.claim("web"), /already claimed/);
});

test("passOn() claims nothing if one name can't be passed on", () => {
  const activation = activationOf("web", "admin", "mine");
  activation.claim("mine");
  for (
    const [name, code] of [
      ["none", "missing-name"],
      ["mine", "already-claimed"],
    ]
  ) {
    assert.throws(
      () => activation.passOn("web", name!),
      (error) => error instanceof ActivationError && error.code === code,
    );
    assert.equal(activation.unclaimed.length, 2);
  }
});

test("passOn() refuses a name of which this process uses a descriptor", () => {
  const activation = activationOf("web", "web");
  const used = activation.claimFd(3);
  assert.throws(
    () => activation.passOn("web"),
    (error) =>
      error instanceof ActivationError && error.code === "already-claimed",
  );
  assert.deepEqual(activation.unclaimed.map(({ fd }) => fd), [4]);
  activation.release([used]);
  assert.deepEqual(activation.passOn("web").fds, [3, 4]);
  assert.deepEqual(activation.passOn("web").fds, [3, 4]);
  // Released and claimed, a descriptor is no longer for children.
  activation.release(activation.descriptors);
  assert.equal(activation.claim("web").length, 2);
  assert.throws(() => activation.passOn("web"), /already claimed/);
});

test("passOn() passes each descriptor once, and at least one", () => {
  const activation = activationOf("web", "admin");
  const { fds, env } = activation.passOn("web", "web");
  assert.deepEqual(fds, [3]);
  assert.equal(env["LISTEN_FDS"], "1");
  assert.equal(env["LISTEN_FDNAMES"], "web");
  // LISTEN_FDS=0 would be an error in the child.
  assert.throws(() => activation.passOn(), TypeError);
});

test("variablesFromParent() accepts variables from the own parent only", () => {
  fc.assert(fc.property(
    fc.tuple(fc.nat(9), fc.nat(9), fc.nat(9), fc.nat(9)),
    fc.boolean(),
    ([pid, ppid, listenPid, parent], hasCount) => {
      const variables = {
        LISTEN_PID: String(listenPid),
        ...hasCount && { LISTEN_FDS: "2", LISTEN_FDNAMES: "a:b" },
      };
      const result = variablesFromParent(
        variables as never,
        { pid, ppid },
        () => String(parent),
      );
      // What names the process itself, needs no parent.
      const isMeant = hasCount && listenPid !== pid && listenPid === ppid &&
        parent === ppid;
      assert.deepEqual(
        result,
        isMeant
          ? {
            LISTEN_PID: String(pid),
            LISTEN_FDS: "2",
            LISTEN_FDNAMES: "a:b",
          }
          : undefined,
      );
    },
  ));
});

test("variablesFromParent() reads the variable of the parent only if needed", () => {
  const own = { LISTEN_PID: "5", LISTEN_FDS: "1" };
  const read = () => assert.fail("read");
  variablesFromParent(own as never, { pid: 5, ppid: 4 }, read);
  variablesFromParent({} as never, { pid: 5, ppid: 4 }, read);
});
