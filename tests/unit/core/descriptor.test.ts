import assert from "node:assert/strict";
import { test } from "node:test";
import { Descriptor } from "../../../src/core/descriptor.ts";
import { descriptor, recording } from "../helpers.ts";

const PIPE = { kind: "fifo", link: "pipe:[1]" } as const;
const FILE = { kind: "file", link: "/run/x" } as const;

test("Descriptor has its number and name, and a text for messages", () => {
  const one = descriptor(3, "web\n");
  assert.equal(one.fd, 3);
  assert.equal(one.name, "web\n");
  assert.equal(String(one), String.raw`descriptor 3 ("web\n")`);
});

test("Descriptor.info is read by its number, each time it is asked for", () => {
  const source = recording({ 7: PIPE });
  const one = new Descriptor(7, "web", source);
  assert.equal(one.inspector, source);
  assert.deepEqual(source.asked, []);
  assert.deepEqual(one.info, PIPE);
  assert.deepEqual(source.asked, [[7]]);
  assert.deepEqual(one.info, PIPE);
  assert.deepEqual(source.asked, [[7], [7]]);
});

test("Descriptor.info stays closed once it is, whatever has its number then", () => {
  const source = recording({ 7: PIPE });
  const one = new Descriptor(7, "web", source);
  one.markClosed();
  one.markClosed();
  assert.deepEqual(one.info, { kind: "closed" });
  assert.deepEqual(source.asked, []);
});

test("Descriptor.inspectAll() asks each source once, and keeps the order", () => {
  const one = recording({ 3: PIPE, 7: FILE });
  const other = recording({ 3: FILE, 5: PIPE });
  const infos = Descriptor.inspectAll([
    new Descriptor(7, "a", one),
    new Descriptor(5, "b", other),
    new Descriptor(3, "a", one),
  ]);
  assert.deepEqual(infos, [FILE, PIPE, PIPE]);
  assert.deepEqual(one.asked, [[7, 3]]);
  assert.deepEqual(other.asked, [[5]]);
});

test("Descriptor.inspectAll() doesn't ask for the numbers of closed ones", () => {
  const source = recording({ 3: PIPE, 4: PIPE, 5: FILE });
  const all = [3, 4, 5].map((fd) => new Descriptor(fd, "web", source));
  all[1]!.markClosed();
  assert.deepEqual(Descriptor.inspectAll(all), [
    PIPE,
    { kind: "closed" },
    FILE,
  ]);
  assert.deepEqual(source.asked, [[3, 5]]);
});

test("Descriptor.inspectAll() gives as much as it is asked for", () => {
  assert.deepEqual(Descriptor.inspectAll([]), []);
  const one = descriptor(3, "web", PIPE);
  assert.deepEqual(Descriptor.inspectAll([one, one]), [PIPE, PIPE]);
});

test("Descriptor.inspectAll() takes descriptors of another copy of the library", () => {
  const source = recording({ 3: PIPE });
  const own = new Descriptor(3, "web", source);
  // Only the other copy's class can read its private fields.
  const other = { fd: 4, name: "web", inspector: source, info: FILE };
  assert.deepEqual(
    Descriptor.inspectAll([other as unknown as Descriptor, own]),
    [FILE, PIPE],
  );
  assert.deepEqual(source.asked, [[3]]);
});
