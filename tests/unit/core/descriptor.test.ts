import assert from "node:assert/strict";
import { test } from "node:test";
import { Descriptor } from "../../../src/core/descriptor.ts";
import { descriptor, recording } from "../helpers.ts";

const PIPE = { kind: "fifo", link: "pipe:[1]" } as const;
const FILE = { kind: "file", link: "/run/x" } as const;

test("Descriptor() has a number, a name and a text for messages", () => {
  const subject = descriptor(3, "web\n");
  assert.equal(subject.fd, 3);
  assert.equal(subject.name, "web\n");
  assert.equal(String(subject), String.raw`descriptor 3 ("web\n")`);
});

test("Descriptor.info inspects the number at each access", () => {
  const source = recording({ 7: PIPE });
  const subject = new Descriptor(7, "web", source);
  assert.equal(subject.inspector, source);
  assert.deepEqual(source.asked, []);
  assert.deepEqual(subject.info, PIPE);
  assert.deepEqual(source.asked, [[7]]);
  assert.deepEqual(subject.info, PIPE);
  assert.deepEqual(source.asked, [[7], [7]]);
});

test("Descriptor.info stays closed after markClosed()", () => {
  const source = recording({ 7: PIPE });
  const subject = new Descriptor(7, "web", source);
  subject.markClosed();
  subject.markClosed();
  assert.deepEqual(subject.info, { kind: "closed" });
  assert.deepEqual(source.asked, []);
});

test("Descriptor.inspectAll() calls each inspector once and keeps the order", () => {
  const first = recording({ 3: PIPE, 7: FILE });
  const second = recording({ 3: FILE, 5: PIPE });
  const infos = Descriptor.inspectAll([
    new Descriptor(7, "a", first),
    new Descriptor(5, "b", second),
    new Descriptor(3, "a", first),
  ]);
  assert.deepEqual(infos, [FILE, PIPE, PIPE]);
  assert.deepEqual(first.asked, [[7, 3]]);
  assert.deepEqual(second.asked, [[5]]);
});

test("Descriptor.inspectAll() skips closed descriptors", () => {
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

test("Descriptor.inspectAll() returns a result for each argument", () => {
  assert.deepEqual(Descriptor.inspectAll([]), []);
  const subject = descriptor(3, "web", PIPE);
  assert.deepEqual(Descriptor.inspectAll([subject, subject]), [PIPE, PIPE]);
});

test("Descriptor.inspectAll() accepts descriptors of another copy of the library", () => {
  const source = recording({ 3: PIPE });
  const own = new Descriptor(3, "web", source);
  // Only the class of the other copy can read the private fields.
  const other = { fd: 4, name: "web", inspector: source, info: FILE };
  assert.deepEqual(
    Descriptor.inspectAll([other as unknown as Descriptor, own]),
    [FILE, PIPE],
  );
  assert.deepEqual(source.asked, [[3]]);
});
