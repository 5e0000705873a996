import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseListenEnvironment } from "../../../src/core/environment.ts";
import { ActivationError } from "../../../src/core/errors.ts";
import { anyText, assertThrowsOnly } from "../helpers.ts";

const PID = 42;

test("parseListenEnvironment() returns any names without colons unchanged", () => {
  const name = anyText().map((text) => text.replaceAll(":", ""));
  fc.assert(fc.property(fc.array(name, { minLength: 1 }), (names) => {
    assert.deepEqual(
      parseListenEnvironment(
        {
          LISTEN_PID: String(PID),
          LISTEN_FDS: String(names.length),
          LISTEN_FDNAMES: names.join(":"),
        },
        { pid: PID },
      ),
      { kind: "activated", count: names.length, names },
    );
  }));
});

test("parseListenEnvironment() throws documented errors only, for any text", () => {
  const number = fc.oneof(
    fc.nat({ max: 4 }).map(String),
    fc.bigInt({ min: -5n, max: 2n ** 70n }).map(String),
  );
  const value = (usual: string) =>
    fc.oneof(
      { weight: 4, arbitrary: fc.constant(usual) },
      { weight: 1, arbitrary: number },
      { weight: 1, arbitrary: anyText() },
      { weight: 1, arbitrary: fc.constant(undefined) },
    );
  const variables = fc.record({
    LISTEN_PID: value("42"),
    LISTEN_PIDFDID: value("5"),
    LISTEN_FDS: value("2"),
    LISTEN_FDNAMES: fc.oneof(value("web:admin"), anyText()),
  });
  const kinds = new Set<string>();
  fc.assert(
    fc.property(variables, fc.constantFrom(5n, undefined), (values, own) => {
      const result = assertThrowsOnly(
        () => parseListenEnvironment(values, { pid: PID, pidfdId: own }),
        [SyntaxError, RangeError, ActivationError],
      );
      kinds.add(result?.kind ?? "error");
      if (result?.kind !== "activated") return;
      assert.ok(Number.isInteger(result.count) && result.count >= 1);
      assert.equal(result.names?.length ?? result.count, result.count);
    }),
    { numRuns: 1000 },
  );
  const all = ["absent", "activated", "error", "foreign"];
  assert.deepEqual([...kinds].sort(), all);
});
