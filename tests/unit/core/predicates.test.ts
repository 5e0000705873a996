import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Address } from "../../../src/core/address.ts";
import { Descriptor } from "../../../src/core/descriptor.ts";
import type {
  DescriptorInfo,
  DescriptorKind,
  PathInfo,
  SocketFamily,
  SocketInfo,
  SocketType,
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
  ipv6,
  recording,
  type Result,
  SOCKET_KINDS,
} from "../helpers.ts";

const FIFO: PathInfo = file(10n, "fifo");
const CONF: PathInfo = file(20n);
const DEVICE: PathInfo = file(30n, "character-device", 259n);
const QUEUE: PathInfo = file(40n, "message-queue");

/** The files of paths; any other path can't be inspected. */
const PATHS: Readonly<Record<string, PathInfo | null>> = {
  "/run/fifo": FIFO,
  "/etc/conf": CONF,
  "/dev/null": DEVICE,
  // Another node of the same device, and a node of another device.
  "/srv/null": { ...DEVICE, device: 2n, inode: 31n },
  "/dev/zero": { ...DEVICE, specialDevice: 261n },
  "/dev/mqueue/jobs": QUEUE,
  "/run": file(50n, "other"),
  // A block device.
  "/dev/sda": file(30n, "other", 259n),
  "/gone": null,
  "/dev/mqueue/gone": null,
};

/** The same inode on another device, and another inode on the same device. */
const ELSEWHERE = { device: 2n };
const OTHER = { inode: 99n };

/**
 * Asserts the results of a predicate for each kind without further metadata: the
 * expected result for the named kinds, `false` for the others.
 */
function assertKinds(
  check: (subject: Descriptor) => Result,
  result: Result,
  ...named: readonly DescriptorKind[]
): void {
  for (const kind of [...SOCKET_KINDS, ...FILE_KINDS]) {
    const expected = named.includes(kind) ? result : false;
    assert.equal(check(descriptor(3, "web", kind, PATHS)), expected, kind);
  }
  for (const kind of ["closed", "unknown"] as const) {
    const info = { kind, link: "/run/fifo", inode: 10n };
    assert.equal(check(descriptor(3, "web", info, PATHS)), undefined, kind);
  }
}

/** Asserts the results of a predicate for paths. */
function assertPaths(
  check: (subject: Descriptor, path: string) => Result,
  cases: readonly [DescriptorInfo, string, Result][],
): void {
  for (const [info, path, result] of cases) {
    const subject = descriptor(3, "web", info, PATHS);
    assert.equal(check(subject, path), result, `${info.kind} ${path}`);
  }
}

test("isFifo() returns true for FIFOs only", () => {
  assertKinds((subject) => isFifo(subject), true, "fifo");
  assertKinds((subject) => isFifo(subject, "/run/fifo"), undefined, "fifo");
});

test("isFifo() compares the FIFO with the file of a path", () => {
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

test("isSpecial() returns true for files and character devices only", () => {
  assertKinds(
    (subject) => isSpecial(subject),
    true,
    "file",
    "character-device",
    // fstat(2) reports a regular file.
    "message-queue",
  );
  assertKinds(
    (subject) => isSpecial(subject, "/etc/conf"),
    undefined,
    "file",
    "message-queue",
  );
  assertKinds(
    (subject) => isSpecial(subject, "/dev/null"),
    undefined,
    "character-device",
  );
});

test("isSpecial() compares files by inode and devices by device number", () => {
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

test("isMessageQueue() returns true for message queues only", () => {
  assertKinds((subject) => isMessageQueue(subject), true, "message-queue");
  assertKinds(
    (subject) => isMessageQueue(subject, "/jobs"),
    undefined,
    "message-queue",
  );
});

test("isMessageQueue() compares the queue with the queue of a name", () => {
  assertPaths(isMessageQueue, [
    [QUEUE, "/jobs", true],
    [{ ...QUEUE, ...ELSEWHERE }, "/jobs", false],
    [{ ...QUEUE, ...OTHER }, "/jobs", false],
    // sd_is_mq(3) fails where stat(2) fails.
    [QUEUE, "/gone", undefined],
    [QUEUE, "/secret", undefined],
    [CONF, "/gone", false],
    [{ ...QUEUE, kind: "file" }, "/jobs", false],
  ]);
});

test("isMessageQueue() rejects a name without a slash for every kind of descriptor", () => {
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

test("isSocket() and the other socket predicates reject every other kind", () => {
  const predicates = [
    isSocket,
    isSocketInet,
    isSocketUnix,
    (subject: Descriptor) => isSocketSockaddr(subject, ipv4("127.0.0.1", 80)),
  ];
  const [isAnySocket, ...others] = predicates;
  assertKinds((subject) => isAnySocket!(subject), true, ...SOCKET_KINDS);
  // Family and type of these kinds are unknown.
  for (const predicate of others) {
    assertKinds((subject) => predicate(subject), undefined, ...SOCKET_KINDS);
  }
  for (const query of [{ type: "stream" }, { listening: false }] as const) {
    for (const predicate of [isSocket, isSocketInet, isSocketUnix]) {
      const check = (subject: Descriptor) => predicate(subject, query);
      assertKinds(check, undefined, ...SOCKET_KINDS);
    }
  }
});

test("isSocketInet() and isSpecial() inspect the descriptor once for each call", () => {
  const source = recording({ 3: { kind: "socket", family: "ipv4" } });
  const subject = new Descriptor(3, "web", source);
  isSocketInet(subject, { type: "stream", listening: true, family: "ipv4" });
  assert.deepEqual(source.asked, [[3]]);
  isSpecial(subject, "/dev/null");
  assert.deepEqual(source.asked, [[3], [3]]);
});

/** Sockets with complete metadata, from few values, so that queries match. */
const anySocket: fc.Arbitrary<SocketInfo> = fc.record({
  kind: fc.constant("socket" as const),
  type: fc.constantFrom("stream" as const, "datagram" as const),
  listening: fc.boolean(),
  address: fc.constantFrom<Address[]>(
    ipv4("127.0.0.1", 80),
    ipv4("0.0.0.0", 443),
    ipv6("::1", 80),
    ipv6("fe80::1", 80, 2),
    { kind: "unix", path: "/run/app.sock" },
    { kind: "unix-abstract", name: "app" },
    { kind: "unix-unnamed" },
  ),
}).map((info) => ({
  ...info,
  family: info.address.kind.split("-")[0] as SocketFamily,
}));

type Check = (subject: Descriptor) => Result;

/** Calls of each predicate with every property of its query. */
function anyCheck(): fc.Arbitrary<Check> {
  const optional = <T>(...values: T[]) =>
    fc.constantFrom<(T | undefined)[]>(undefined, ...values);
  const common = {
    type: optional<SocketType>("stream", "datagram", "seqpacket"),
    listening: optional(true, false),
  };
  const any = fc.record({
    ...common,
    family: optional<SocketFamily>("ipv4", "unix"),
  });
  const inet = fc.record({
    ...common,
    family: optional<"ipv4" | "ipv6">("ipv4", "ipv6"),
    port: optional(0, 80, 443),
  });
  const address = fc.constantFrom(
    ipv4("127.0.0.1", 80),
    ipv4("0.0.0.0", 0),
    ipv6("::1", 80),
    ipv6("fe80::1", 0, 2),
    ipv6("fe80::1", 80, 3),
  );
  const unix = fc.record({
    ...common,
    path: optional("", "/run/app.sock", "@app"),
  });
  return fc.oneof(
    any.map((query): Check => (subject) => isSocket(subject, query)),
    inet.map((query): Check => (subject) => isSocketInet(subject, query)),
    fc.tuple(address, fc.record(common)).map((query): Check => (subject) =>
      isSocketSockaddr(subject, ...query)
    ),
    unix.map((query): Check => (subject) => isSocketUnix(subject, query)),
  );
}

test("isSocket() and the other socket predicates decide if every property is known", () => {
  const results = new Set<Result>();
  fc.assert(
    fc.property(anySocket, anyCheck(), (info, check) => {
      results.add(check(descriptor(3, "web", info)));
    }),
    { numRuns: 500 },
  );
  assert.deepEqual([...results].sort(), [false, true]);
});

test("isSocket() and the other socket predicates return undefined rather than a wrong result", () => {
  const hidden = fc.subarray(["family", "type", "listening", "address"]);
  let undecided = 0;
  fc.assert(
    fc.property(anySocket, anyCheck(), hidden, (info, check, hidden) => {
      const known = Object.fromEntries(
        Object.entries(info).filter(([name]) => !hidden.includes(name)),
      ) as unknown as SocketInfo;
      const result = check(descriptor(3, "web", known));
      if (result === undefined) undecided++;
      else assert.equal(result, check(descriptor(3, "web", info)));
    }),
    { numRuns: 1000 },
  );
  assert.ok(undecided > 0);
});
