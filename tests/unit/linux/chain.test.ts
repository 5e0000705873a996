import assert from "node:assert/strict";
import { test } from "node:test";
import type { DescriptorInfo } from "../../../src/core/info.ts";
import { firstKnown } from "../../../src/linux/chain.ts";
import { file, ipv4, recording } from "../helpers.ts";

const UNKNOWN: DescriptorInfo = { kind: "unknown" };
const SOCKET: DescriptorInfo = { kind: "socket", link: "socket:[1]" };
const TYPED: DescriptorInfo = { kind: "socket", type: "stream" };
const LISTENER: DescriptorInfo = {
  kind: "stream-listener",
  type: "stream",
  address: ipv4("127.0.0.1", 80),
};

test("firstKnown() inspects with the next source only what the first doesn't know", () => {
  const first = recording({ 3: LISTENER, 4: UNKNOWN, 5: SOCKET, 6: UNKNOWN });
  const second = recording({ 4: { kind: "fifo" }, 5: LISTENER, 6: UNKNOWN });
  const third = recording({ 6: { kind: "file" } });
  const infos = firstKnown(() => first, () => second, () => third)
    .inspect([3, 4, 5, 6]);
  assert.deepEqual(infos, [
    LISTENER,
    { kind: "fifo" },
    LISTENER,
    { kind: "file" },
  ]);
  assert.deepEqual(first.asked, [[3, 4, 5, 6]]);
  assert.deepEqual(second.asked, [[4, 5, 6]]);
  assert.deepEqual(third.asked, [[6]]);
});

test("firstKnown() keeps the order, and numbers that are asked for twice", () => {
  const first = recording({ 3: LISTENER, 4: UNKNOWN });
  const second = recording({ 4: { kind: "fifo" } });
  const inspect = firstKnown(() => first, () => second).inspect([4, 3, 4]);
  assert.deepEqual(inspect.map(({ kind }) => kind), [
    "fifo",
    "stream-listener",
    "fifo",
  ]);
  assert.deepEqual(second.asked, [[4, 4]]);
});

test("firstKnown() keeps the metadata that say more, the first ones if equal", () => {
  const cases: readonly [DescriptorInfo, DescriptorInfo, DescriptorInfo][] = [
    [SOCKET, UNKNOWN, SOCKET],
    [SOCKET, { kind: "socket" }, SOCKET],
    [UNKNOWN, SOCKET, SOCKET],
    [SOCKET, TYPED, TYPED],
    [TYPED, LISTENER, TYPED],
    [{ kind: "unknown", link: "/x" }, UNKNOWN, UNKNOWN],
    [UNKNOWN, { kind: "closed" }, { kind: "closed" }],
    [{ kind: "closed" }, LISTENER, { kind: "closed" }],
  ];
  for (const [earlier, later, expected] of cases) {
    const [first, second] = [
      recording({ 3: earlier }),
      recording({ 3: later }),
    ];
    const [info] = firstKnown(() => first, () => second).inspect([3]);
    assert.deepEqual(info, expected);
  }
});

test("firstKnown() makes a source only when it is needed", () => {
  const first = recording({ 3: LISTENER, 4: SOCKET }, { "/run": null });
  const needless = () => assert.fail("this source is not needed");
  const inspect = firstKnown(() => first, needless);
  assert.deepEqual(inspect.inspect([3]), [LISTENER]);
  assert.equal(inspect.inspectPath("/run"), null);
  assert.throws(() => inspect.inspect([3, 4]), /not needed/);
  assert.throws(() => inspect.inspectPath("/srv"), /not needed/);
});

test("firstKnown() goes on where there is no source", () => {
  const known = recording({ 3: LISTENER }, { "/run": file(1n) });
  const some = firstKnown(() => undefined, () => known, () => undefined);
  assert.deepEqual(some.inspect([3]), [LISTENER]);
  assert.deepEqual(some.inspectPath("/run"), file(1n));
  const none = firstKnown(() => undefined);
  assert.deepEqual(none.inspect([3, 4]), [UNKNOWN, UNKNOWN]);
  assert.equal(none.inspectPath("/run"), undefined);
  assert.deepEqual(firstKnown().inspect([3]), [UNKNOWN]);
});

test("firstKnown() believes the first source that knows a path, or that there is none", () => {
  const first = recording({}, { "/a": null, "/b": file(1n) });
  const second = recording({}, { "/a": file(2n), "/b": null, "/c": file(3n) });
  const both = firstKnown(() => first, () => second);
  assert.equal(both.inspectPath("/a"), null);
  assert.deepEqual(both.inspectPath("/b"), file(1n));
  assert.deepEqual(both.inspectPath("/c"), file(3n));
  assert.equal(both.inspectPath("/d"), undefined);
});
