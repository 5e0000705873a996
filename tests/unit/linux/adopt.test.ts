import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseEpollEntries } from "../../../src/linux/procfs.ts";
import { Libc } from "../../../src/ffi/libc.ts";
import { type AdoptedSocket, adoptSockets } from "../../../src/linux/adopt.ts";
import {
  EBADF,
  EIO,
  FakeLibc,
  type FakeMachine,
  NON_BLOCKING,
  READ_WRITE,
  REGULAR,
  SOCKET,
} from "../ffi/fake_libc.ts";
import { ipv4, sockaddr, thrownBy } from "../helpers.ts";

const HOST = "127.1.2.3";
const PLACEHOLDER = ipv4(HOST, 0);

/**
 * A process with an inherited socket in 3, an epoll instance in 4 that watches
 * the placeholder in 6, and then whatever has that number.
 */
function machine(rest: FakeMachine = {}): FakeMachine {
  return {
    files: {
      3: {
        mode: SOCKET,
        inode: 30n,
        flags: READ_WRITE,
        name: sockaddr(ipv4("0.0.0.0", 80)),
      },
      4: { mode: REGULAR, inode: 40n },
      5: { mode: SOCKET, inode: 50n, name: sockaddr(ipv4("127.1.2.4", 1)) },
      6: { mode: SOCKET, inode: 60n, name: sockaddr(ipv4(HOST, 4711)) },
    },
    links: { "/proc/self/fd/4": "anon_inode:[eventpoll]" },
    texts: {
      "/proc/self/status": "Name:\tdeno\nFDSize:\t64\n",
      "/proc/self/fdinfo/4": "pos:\t0\nflags:\t02\n" +
        line(5, "19", "aa", 50n) + line(6, "8000201d", "55bf5dcd1b00", 60n) +
        line(6, "8000201d", "55bf5dcd1b00", 30n),
    },
    ...rest,
  };
}

/** Adopts the socket in 3; the search for the placeholder begins at a number. */
function adoptSocket(libc: Libc, from: number): AdoptedSocket {
  return adoptSockets(libc, [{ fd: 3, placeholder: PLACEHOLDER, from }])[0]!;
}

/** A line of an epoll instance's `fdinfo`, as the kernel writes it. */
function line(fd: number, events: string, data: string, inode: bigint): string {
  return `tfd: ${String(fd).padStart(8)} events: ${events.padStart(8)} ` +
    `data: ${data.padStart(16)}  pos:0 ino:${inode.toString(16)} sdev:9\n`;
}

/** Filters the calls that have an effect. */
function changes({ calls }: FakeLibc): string[] {
  return calls.filter((call) => /^(?:dup3|epoll_ctl|close)/.test(call));
}

const EVENT_X64 = "29 32 0 128 0 27 205 93 191 85 0 0 0 0 0 0";
const EVENT_ARM64 = "29 32 0 128 0 0 0 0 0 27 205 93 191 85 0 0";

/** Parses the entry of one descriptor. */
function parseOne(text: string, fd: number, inode: bigint) {
  return parseEpollEntries(text, new Map([[fd, inode]])).get(fd);
}

test("parseEpollEntries() finds the entries of descriptors, and no other", () => {
  const text = machine().texts!["/proc/self/fdinfo/4"]!;
  const [five, six] = [
    { events: 0x19, data: 0xaan },
    { events: 0x8000201d, data: 0x55bf5dcd1b00n },
  ];
  assert.deepEqual(parseOne(text, 5, 50n), five);
  assert.deepEqual(parseOne(text, 6, 60n), six);
  const both = parseEpollEntries(text, new Map([[6, 60n], [5, 50n], [7, 0n]]));
  assert.deepEqual([...both], [[5, five], [6, six]]);
  // Another number, or something else that has the number.
  assert.equal(parseOne(text, 7, 60n), undefined);
  assert.equal(parseOne(text, 6, 50n), undefined);
  assert.equal(parseOne(text, 6, 6n), undefined);
  assert.equal(parseOne("", 6, 60n), undefined);
});

test("parseEpollEntries() gives back any entry", () => {
  fc.assert(fc.property(
    fc.nat({ max: 2 ** 20 }),
    fc.nat({ max: 2 ** 32 - 1 }),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
    (fd, events, data, inode) => {
      const text = line(fd, events.toString(16), data.toString(16), inode);
      assert.deepEqual(parseOne(text, fd, inode), { events, data });
    },
  ));
});

test("adoptSockets() puts the socket in the placeholder's place", () => {
  for (
    const [isX64, event] of [[true, EVENT_X64], [false, EVENT_ARM64]] as const
  ) {
    const raw = new FakeLibc(machine());
    const adopted = adoptSocket(new Libc(raw, isX64), 3);
    assert.equal(adopted.fd, 6);
    const watch = `epoll_ctl 1 6 [${event}] 4`;
    // The second time is refused, which shows that the first was heeded.
    const made = ["dup3 2000000 6 = 3", watch, watch];
    assert.deepEqual(
      changes(raw).filter((call) => !call.startsWith("close 50")),
      made,
    );
    assert.equal(raw.files.get(6)?.inode, 30n);
    assert.equal(raw.files.get(3)?.flags, READ_WRITE | NON_BLOCKING);
    adopted.commit();
    assert.equal(raw.files.has(3), false);
  }
});

test("adoptSockets() finds the placeholder below the number to begin with, too", () => {
  const raw = new FakeLibc(machine());
  assert.equal(adoptSocket(new Libc(raw), 20).fd, 6);
});

test("AdoptedSocket.rollback() restores the socket as it was", () => {
  for (const flags of [READ_WRITE, READ_WRITE | NON_BLOCKING]) {
    const base = machine();
    const raw = new FakeLibc({
      ...base,
      files: { ...base.files, 3: { ...base.files![3]!, flags } },
    });
    adoptSocket(new Libc(raw), 3).rollback();
    assert.match(changes(raw).at(-1)!, /^epoll_ctl 2 6 /);
    assert.equal(raw.files.get(3)?.flags, flags);
  }
});

test("AdoptedSocket pauses and resumes once, however often it is called", () => {
  const base = machine();
  const raw = new FakeLibc({
    ...base,
    files: {
      ...base.files,
      3: { ...base.files![3]!, input: 1 },
    },
  });
  const socket = adoptSocket(new Libc(raw), 3);
  socket.commit();
  const before = changes(raw).length;
  assert.equal(socket.hasPending(), true);
  socket.resume();
  socket.pause();
  // By then, another file may have the number.
  socket.pause();
  socket.resume();
  socket.resume();
  const [added] = changes(raw).filter((call) => /^epoll_ctl 1/.test(call));
  assert.deepEqual(changes(raw).slice(before), [
    `epoll_ctl 2 6 [${"0 ".repeat(16).trim()}] 4`,
    added,
  ]);
});

test("AdoptedSocket accepts only when it is neither paused nor held", () => {
  const raw = new FakeLibc(machine());
  const socket = adoptSocket(new Libc(raw), 3);
  const steps: [() => void, string?][] = [
    [() => socket.hold(), "epoll_ctl 2 6"],
    [() => socket.hold()],
    [() => socket.pause()],
    [() => socket.unhold()],
    [() => socket.hold()],
    [() => socket.resume()],
    [() => socket.unhold(), "epoll_ctl 1 6"],
    [() => socket.unhold()],
  ];
  for (const [step, expected] of steps) {
    const before = changes(raw).length;
    step();
    const made = changes(raw).slice(before).map((call) => call.slice(0, 13));
    assert.deepEqual(made, expected === undefined ? [] : [expected]);
  }
});

test("AdoptedSocket leaves another file alone that has got the number", () => {
  const raw = new FakeLibc(machine());
  const socket = adoptSocket(new Libc(raw), 3);
  assert.equal(socket.isOpen, true);
  for (
    const file of [{ mode: SOCKET, inode: 99n, input: 1 }, undefined]
  ) {
    raw.files.delete(6);
    if (file !== undefined) raw.files.set(6, file);
    const before = changes(raw).length;
    assert.equal(socket.isOpen, false);
    assert.equal(socket.hasPending(), false);
    socket.pause();
    socket.resume();
    socket.hold();
    socket.unhold();
    assert.deepEqual(changes(raw).slice(before), []);
  }
});

test("adoptSockets() leaves the socket as it was if a step fails", () => {
  const cases: readonly [FakeMachine, string][] = [
    [{ failing: { getsockname: EBADF } }, "placeholder's descriptor was not"],
    [{ failing: { readlink: EIO } }, "no epoll instance watches"],
    [{ failing: { open: EIO } }, "open: error 5"],
    [{ failing: { read: EIO } }, "read: error 5"],
    [{ texts: {}, files: { 3: machine().files![3]! } }, "open: error 2"],
    [
      {
        texts: { "/proc/self/status": "" },
        files: { 3: machine().files![3]! },
      },
      "has no FDSize",
    ],
    [{ links: {} }, "no epoll instance watches"],
  ];
  for (const [rest, part] of cases) {
    const raw = new FakeLibc(machine(rest));
    const error = thrownBy(() => adoptSocket(new Libc(raw), 3));
    assert.ok(error.message.includes(part), error.message);
    assert.deepEqual(
      changes(raw).filter((call) => /^(?:dup3|epoll_ctl|close 3)/.test(call)),
      [],
    );
    assert.equal(raw.files.get(3)?.flags, READ_WRITE);
  }
});

test("adoptSockets() verifies that the socket is watched", () => {
  const raw = new FakeLibc(machine({ forgetful: true }));
  const error = thrownBy(() => adoptSocket(new Libc(raw), 3));
  assert.match(error.message, /epoll instance 4 doesn't watch descriptor 6/);
  assert.equal(raw.files.get(3)?.flags, READ_WRITE);
});

/** A process with many inherited sockets, each with a placeholder. */
function manySockets(count: number): {
  readonly machine: FakeMachine;
  readonly placements: Parameters<typeof adoptSockets>[1];
} {
  const indexes = Array.from({ length: count }, (_, index) => index);
  const host = (index: number) => `127.2.${index >> 8}.${index & 255}`;
  const inheritedFd = (index: number) => 100 + index;
  const placeholderFd = (index: number) => 100 + count + index;
  const files = indexes.flatMap((index) => [
    [inheritedFd(index), {
      mode: SOCKET,
      inode: BigInt(10_000 + index),
      name: sockaddr(ipv4("0.0.0.0", 80 + index)),
    }],
    [placeholderFd(index), {
      mode: SOCKET,
      inode: BigInt(20_000 + index),
      name: sockaddr(ipv4(host(index), 4711)),
    }],
  ]);
  const lines = indexes.map((index) =>
    line(placeholderFd(index), "19", index.toString(16), BigInt(20_000 + index))
  );
  return {
    machine: {
      files: { ...Object.fromEntries(files), 4: { mode: REGULAR } },
      links: { "/proc/self/fd/4": "anon_inode:[eventpoll]" },
      texts: { "/proc/self/fdinfo/4": lines.join("") },
    },
    placements: indexes.map((index) => ({
      fd: inheritedFd(index),
      placeholder: ipv4(host(index), 0),
      from: placeholderFd(index),
    })),
  };
}

test("adoptSockets() reads once what an epoll instance watches, and calls as often for each socket", () => {
  const perSocket = [10, 1000].map((count) => {
    const { machine, placements } = manySockets(count);
    const raw = new FakeLibc(machine);
    const adopted = adoptSockets(new Libc(raw), placements);
    assert.deepEqual(
      adopted.map(({ fd }) => fd),
      placements.map(({ from }) => from),
    );
    const opened = raw.calls.filter((call) => call.startsWith("open "));
    assert.deepEqual(opened, ["open /proc/self/fdinfo/4"]);
    return raw.calls.filter((call) =>
      !/^(?:open|read|readlink|close)/.test(call)
    )
      .length / count;
  });
  assert.equal(perSocket[0], perSocket[1]);
});

test("adoptSockets() adopts none if one fails, and says which", () => {
  const { machine, placements } = manySockets(5);
  const before = new Map(Object.entries(machine.files!));
  for (const index of [0, 3]) {
    const files = { ...machine.files };
    delete files[placements[index]!.from];
    const raw = new FakeLibc({ ...machine, files });
    const failed: number[] = [];
    const error = thrownBy(() =>
      adoptSockets(new Libc(raw), placements, (index) => failed.push(index))
    );
    assert.match(error.message, /FDSize|open|placeholder/);
    assert.deepEqual(failed, [index]);
    assert.deepEqual(changes(raw).filter((call) => !/^close/.test(call)), []);
    for (const { fd } of placements) {
      assert.deepEqual(raw.files.get(fd), before.get(String(fd)));
    }
  }
});
