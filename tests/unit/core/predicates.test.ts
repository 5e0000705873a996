import assert from "node:assert/strict";
import { test } from "node:test";
import { Descriptor } from "../../../src/core/descriptor.ts";
import type {
  DescriptorInfo,
  DescriptorKind,
  PathInfo,
} from "../../../src/core/info.ts";
import {
  isFifo,
  isMessageQueue,
  isSocket,
  isSocketInet,
  isSocketSockaddr,
  isSocketUnix,
  isSpecial,
} from "../../../src/core/predicates.ts";
import {
  assertThrows,
  descriptor,
  file,
  FILE_KINDS,
  ipv4,
  recording,
  SOCKET_KINDS,
} from "../helpers.ts";

/** An answer: yes, no, or that it can't be told. */
type Answer = boolean | undefined;

const FIFO: PathInfo = file(10n, "fifo");
const CONF: PathInfo = file(20n);
const DEVICE: PathInfo = file(30n, "character-device", 259n);
const QUEUE: PathInfo = file(40n, "message-queue");

/** What paths lead to; all others can't be looked at. */
const PATHS: Readonly<Record<string, PathInfo | null>> = {
  "/run/fifo": FIFO,
  "/etc/conf": CONF,
  "/dev/null": DEVICE,
  // Another node for the same device, and one for another device.
  "/srv/null": { ...DEVICE, device: 2n, inode: 31n },
  "/dev/zero": { ...DEVICE, specialDevice: 261n },
  "/dev/mqueue/jobs": QUEUE,
  "/run": file(50n, "other"),
  // A block device.
  "/dev/sda": file(30n, "other", 259n),
  "/gone": null,
  "/dev/mqueue/gone": null,
};

/** The same inode on another device, and another one on the same. */
const ELSEWHERE = { device: 2n };
const OTHER = { inode: 99n };

/**
 * Asserts a predicate's answers for each kind of which no more is known; the
 * answer for kinds that aren't named is no.
 */
function assertKinds(
  ask: (one: Descriptor) => Answer,
  answer: Answer,
  ...named: readonly DescriptorKind[]
): void {
  for (const kind of [...SOCKET_KINDS, ...FILE_KINDS]) {
    const expected = named.includes(kind) ? answer : false;
    assert.equal(ask(descriptor(3, "web", kind, PATHS)), expected, kind);
  }
  for (const kind of ["closed", "unknown"] as const) {
    const info = { kind, link: "/run/fifo", inode: 10n };
    assert.equal(ask(descriptor(3, "web", info, PATHS)), undefined, kind);
  }
}

/** Asserts a predicate's answers for paths. */
function assertPaths(
  ask: (one: Descriptor, path: string) => Answer,
  cases: readonly [DescriptorInfo, string, Answer][],
): void {
  for (const [info, path, answer] of cases) {
    const one = descriptor(3, "web", info, PATHS);
    assert.equal(ask(one, path), answer, `${info.kind} ${path}`);
  }
}

test("isFifo() tells FIFOs from everything else", () => {
  assertKinds((one) => isFifo(one), true, "fifo");
  assertKinds((one) => isFifo(one, "/run/fifo"), undefined, "fifo");
});

test("isFifo() compares with what a path leads to", () => {
  assertPaths(isFifo, [
    [FIFO, "/run/fifo", true],
    [{ ...FIFO, ...ELSEWHERE }, "/run/fifo", false],
    [{ ...FIFO, ...OTHER }, "/run/fifo", false],
    [FIFO, "/etc/conf", false],
    [FIFO, "/gone", false],
    [FIFO, "/secret", undefined],
    [CONF, "/secret", false],
    [CONF, "/etc/conf", false],
  ]);
});

test("isSpecial() tells files and character devices from everything else", () => {
  assertKinds(
    (one) => isSpecial(one),
    true,
    "file",
    "character-device",
    // To fstat(2) it is a regular file.
    "message-queue",
  );
  assertKinds(
    (one) => isSpecial(one, "/etc/conf"),
    undefined,
    "file",
    "message-queue",
  );
  assertKinds(
    (one) => isSpecial(one, "/dev/null"),
    undefined,
    "character-device",
  );
});

test("isSpecial() compares files by their inode, and devices by their number", () => {
  assertPaths(isSpecial, [
    [CONF, "/etc/conf", true],
    [{ ...CONF, ...ELSEWHERE }, "/etc/conf", false],
    [{ ...CONF, ...OTHER }, "/etc/conf", false],
    [{ ...DEVICE, kind: "file" }, "/dev/null", false],
    [QUEUE, "/dev/mqueue/jobs", true],
    [{ ...QUEUE, kind: "file" }, "/dev/mqueue/jobs", true],
    [DEVICE, "/dev/null", true],
    [{ ...DEVICE, ...ELSEWHERE, ...OTHER }, "/dev/null", true],
    [DEVICE, "/srv/null", true],
    [DEVICE, "/dev/zero", false],
    [DEVICE, "/dev/sda", false],
    [{ ...CONF, kind: "character-device" }, "/etc/conf", false],
    [FIFO, "/run/fifo", false],
    [file(50n, "other"), "/run", false],
    [CONF, "/gone", false],
    [DEVICE, "/gone", false],
    [CONF, "/secret", undefined],
    [DEVICE, "/secret", undefined],
    [FIFO, "/secret", false],
  ]);
});

test("isMessageQueue() tells message queues from everything else", () => {
  assertKinds((one) => isMessageQueue(one), true, "message-queue");
  assertKinds(
    (one) => isMessageQueue(one, "/jobs"),
    undefined,
    "message-queue",
  );
});

test("isMessageQueue() compares with the queue of a name", () => {
  assertPaths(isMessageQueue, [
    [QUEUE, "/jobs", true],
    [{ ...QUEUE, ...ELSEWHERE }, "/jobs", false],
    [{ ...QUEUE, ...OTHER }, "/jobs", false],
    // Where stat(2) fails, sd_is_mq(3) does.
    [QUEUE, "/gone", undefined],
    [QUEUE, "/secret", undefined],
    [CONF, "/gone", false],
    [{ ...QUEUE, kind: "file" }, "/jobs", false],
  ]);
});

test("isMessageQueue() rejects a name without a slash, whatever the descriptor", () => {
  for (const kind of ["message-queue", "file", "closed"] as const) {
    for (const path of ["jobs", "", "./jobs", "\n/jobs"]) {
      assertThrows(
        () => isMessageQueue(descriptor(3, "web", kind, PATHS), path),
        TypeError,
        "Checking for a message queue: expected a name that begins with a " +
          `slash, found ${JSON.stringify(path)}`,
      );
    }
  }
});

test("the predicates on sockets tell sockets from everything else", () => {
  const ask = [
    isSocket,
    isSocketInet,
    isSocketUnix,
    (one: Descriptor) => isSocketSockaddr(one, ipv4("127.0.0.1", 80)),
  ];
  const [any, ...particular] = ask;
  assertKinds((one) => any!(one), true, ...SOCKET_KINDS);
  // Of these kinds no more is known than that they are sockets.
  for (const each of particular) {
    assertKinds((one) => each(one), undefined, ...SOCKET_KINDS);
  }
  for (const query of [{ type: "stream" }, { listening: false }] as const) {
    assertKinds((one) => isSocket(one, query), undefined, ...SOCKET_KINDS);
    assertKinds((one) => isSocketInet(one, query), undefined, ...SOCKET_KINDS);
    assertKinds((one) => isSocketUnix(one, query), undefined, ...SOCKET_KINDS);
  }
});

test("the predicates read the descriptor each time, and once", () => {
  const source = recording({ 3: { kind: "socket", family: "ipv4" } });
  const one = new Descriptor(3, "web", source);
  isSocketInet(one, { type: "stream", listening: true, family: "ipv4" });
  assert.deepEqual(source.asked, [[3]]);
  isSpecial(one, "/dev/null");
  assert.deepEqual(source.asked, [[3], [3]]);
});
