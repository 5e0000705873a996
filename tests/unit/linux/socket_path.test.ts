/** Freeing and removing paths of sockets that another process replaces meanwhile. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LibcError } from "../../../src/ffi/descriptor_calls.ts";
import type { Libc } from "../../../src/ffi/libc.ts";
import type { SocketCalls } from "../../../src/ffi/sockets.ts";
import type { FileStat } from "../../../src/ffi/stat.ts";
import { freeSocketPath, pathRemover } from "../../../src/linux/socket_path.ts";
import { REGULAR, SOCKET } from "../ffi/fake_libc.ts";

const ENOENT = 2;
const EACCES = 13;
const EADDRINUSE = 98;
const ECONNREFUSED = 111;
const PATH = "/run/web.sock";

const SOCKET_STAT: FileStat = {
  mode: SOCKET,
  inode: 7n,
  modifiedNs: 1n,
  device: [0, 1],
  specialDevice: [0, 0],
};
/** A later file with the inode of the earlier one, as file systems give it. */
const LATER_STAT: FileStat = { ...SOCKET_STAT, modifiedNs: 2n };

/** Calls that find each state of the path in turn; a number is an error. */
function fakeCalls(
  states: readonly (FileStat | number)[],
  connectErrno: number = ECONNREFUSED,
  unlinkErrno?: number,
) {
  const left = [...states];
  const unlinked: string[] = [];
  const open = new Set<number>();
  const fail = (call: string, errno: number): never => {
    throw new LibcError(call, errno);
  };
  const calls = {
    statLink() {
      const state = left.shift()!;
      return typeof state === "number" ? fail("statx", state) : state;
    },
    createSocket() {
      open.add(3);
      return 3;
    },
    connect: () =>
      connectErrno === 0 ? undefined : fail("connect", connectErrno),
    close: (fd: number) => void open.delete(fd),
    unlink(path: string) {
      if (unlinkErrno !== undefined) fail("unlink", unlinkErrno);
      unlinked.push(path);
    },
  } as unknown as SocketCalls;
  return { calls, unlinked, open };
}

function fakeLibc(table: string | number): Libc {
  return {
    readFile() {
      if (typeof table === "number") throw new LibcError("open", table);
      return table;
    },
  } as unknown as Libc;
}

function free(libc: Libc, calls: SocketCalls): void {
  freeSocketPath(libc, calls, PATH, new Uint8Array(0), 1);
}

function errnoOf(run: () => void): number | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return (error as LibcError).errno;
  }
}

const NO_RECORDS = fakeLibc("Num RefCount Protocol Flags Type St Inode Path\n");

function record(flags: string, type: string, state: string, path = PATH) {
  return fakeLibc(
    `0: 00000002 00000000 ${flags} ${type} ${state} 12 ${path}\n`,
  );
}

test("an abandoned socket is removed", () => {
  for (const libc of [NO_RECORDS, fakeLibc(EACCES), fakeLibc(ENOENT)]) {
    const { calls, unlinked, open } = fakeCalls([SOCKET_STAT, SOCKET_STAT]);
    free(libc, calls);
    assert.deepEqual(unlinked, [PATH]);
    assert.equal(open.size, 0);
  }
});

test("a path that is replaced while it is examined stays", () => {
  for (const later of [LATER_STAT, { ...LATER_STAT, mode: REGULAR }]) {
    const { calls, unlinked } = fakeCalls([SOCKET_STAT, later]);
    assert.equal(errnoOf(() => free(NO_RECORDS, calls)), EADDRINUSE);
    assert.deepEqual(unlinked, []);
  }
});

test("a path that is removed while it is examined is free", () => {
  for (const states of [[ENOENT], [SOCKET_STAT, ENOENT]]) {
    const { calls, unlinked } = fakeCalls(states);
    free(NO_RECORDS, calls);
    assert.deepEqual(unlinked, []);
  }
});

test("a socket that can't be asked stays", () => {
  const EAGAIN = 11;
  const EPROTOTYPE = 91;
  for (const errno of [0, EAGAIN, EACCES, EPROTOTYPE, ENOENT]) {
    const { calls, unlinked, open } = fakeCalls([SOCKET_STAT], errno);
    assert.equal(errnoOf(() => free(NO_RECORDS, calls)), EADDRINUSE);
    assert.deepEqual(unlinked, []);
    assert.equal(open.size, 0);
  }
});

test("a socket that is bound and doesn't listen yet stays", () => {
  const { calls, unlinked } = fakeCalls([SOCKET_STAT]);
  const silent = record("00000000", "0001", "01");
  assert.equal(errnoOf(() => free(silent, calls)), EADDRINUSE);
  assert.deepEqual(unlinked, []);
  for (
    const other of [
      // An accepted connection, and a listener whose path was removed before.
      record("00000000", "0001", "03"),
      record("00010000", "0001", "01"),
      record("00000000", "0001", "01", "/run/other.sock"),
    ]
  ) {
    const { calls, unlinked } = fakeCalls([SOCKET_STAT, SOCKET_STAT]);
    free(other, calls);
    assert.deepEqual(unlinked, [PATH]);
  }
});

test("an error of examining or removing is reported", () => {
  const examining = fakeCalls([EACCES]);
  assert.equal(errnoOf(() => free(NO_RECORDS, examining.calls)), EACCES);
  const states = [SOCKET_STAT, SOCKET_STAT];
  const removing = fakeCalls(states, ECONNREFUSED, EACCES);
  assert.equal(errnoOf(() => free(NO_RECORDS, removing.calls)), EACCES);
});

test("a bound path is removed, unless something else has taken its place", () => {
  for (
    const [later, expected] of [
      [SOCKET_STAT, [PATH]],
      [LATER_STAT, []],
      [ENOENT, []],
    ] as const
  ) {
    const { calls, unlinked } = fakeCalls([SOCKET_STAT, later]);
    pathRemover(calls, PATH)();
    assert.deepEqual(unlinked, expected);
  }
  const { calls } = fakeCalls([SOCKET_STAT, SOCKET_STAT], 0, EACCES);
  pathRemover(calls, PATH)();
});
