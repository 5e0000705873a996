import assert from "node:assert/strict";
import { test } from "node:test";
import { LibcError } from "../../../src/ffi/descriptor_calls.ts";
import { Libc } from "../../../src/ffi/libc.ts";
import {
  CHARACTER_DEVICE,
  EACCES,
  EBADF,
  EIO,
  ENOENT,
  ENOPROTOOPT,
  ENOTCONN,
  ENOTSOCK,
  FakeLibc,
  type FakeMachine,
  FIFO,
  NON_BLOCKING,
  pidfd,
  READ_WRITE,
  REGULAR,
  SOCKET,
} from "./fake_libc.ts";

/** Creates the calls for a fake machine. */
function libc(machine: FakeMachine): Libc {
  return new Libc(new FakeLibc(machine));
}

/** Asserts that a call fails with an error of the kernel. */
function assertFails(run: () => unknown, call: string, errno: number): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof LibcError);
    assert.equal(error.name, "LibcError");
    assert.equal(error.errno, errno);
    assert.equal(error.message, `${call}: error ${errno}`);
    return true;
  });
}

test("Libc.socketOption() reads each option as a number", () => {
  const options = { 3: 1, 30: 0, 38: 132, 39: 70000 };
  const opened = libc({ files: { 3: { mode: SOCKET, options } } });
  assert.equal(opened.socketOption(3, "type"), 1);
  assert.equal(opened.socketOption(3, "acceptConn"), 0);
  assert.equal(opened.socketOption(3, "protocol"), 132);
  assert.equal(opened.socketOption(3, "domain"), 70000);
});

test("Libc.acceptQueue() reads the queue of a socket that listens", () => {
  /** A `struct tcp_info`: the state, and all fields of 32 bits before `end`. */
  const queueOf = (
    state: number,
    fields: readonly number[],
    returned?: number,
  ) => {
    const raw = new FakeLibc({ files: { 3: { mode: SOCKET } } });
    raw.getsockopt = (_fd, level, option, value, length) => {
      assert.deepEqual([level, option], [6, 11]);
      assert.ok(new DataView(length.buffer).getUint32(0, true) >= 32);
      value[0] = state;
      const view = new DataView(value.buffer, value.byteOffset);
      fields.forEach((field, index) =>
        view.setUint32(8 + 4 * index, field, true)
      );
      if (returned !== undefined) {
        new DataView(length.buffer).setUint32(0, returned, true);
      }
      return 0;
    };
    return new Libc(raw).acceptQueue(3);
  };
  const fields = [1, 2, 3, 4, 5, 4096];
  assert.deepEqual(queueOf(10, fields), { waiting: 5, limit: 4096 });
  assert.equal(queueOf(1, fields), undefined, "a connection");
  assert.equal(queueOf(10, fields, 4), undefined, "the state alone");
  const opened = libc({ files: { 3: { mode: SOCKET } } });
  assertFails(() => opened.acceptQueue(3), "getsockopt", ENOPROTOOPT);
});

test("Libc throws the kernel's error, with the call", () => {
  const opened = libc({ files: { 3: { mode: FIFO }, 4: { mode: SOCKET } } });
  assertFails(() => opened.socketOption(3, "type"), "getsockopt", ENOTSOCK);
  assertFails(() => opened.socketOption(5, "type"), "getsockopt", EBADF);
  assertFails(() => opened.localAddress(3), "getsockname", ENOTSOCK);
  assertFails(() => opened.peerAddress(4), "getpeername", ENOTCONN);
  assertFails(() => opened.isNonBlocking(5), "fcntl", EBADF);
  assertFails(() => opened.isCloseOnExec(5), "fcntl", EBADF);
  assertFails(() => opened.statDescriptor(5), "statx", EBADF);
  assertFails(() => opened.statPath("/gone"), "statx", ENOENT);
  assertFails(() => opened.fileSystemType(5), "fstatfs", EBADF);
  assertFails(() => opened.readLink("/gone"), "readlink", ENOENT);
  assertFails(() => opened.close(5), "close", EBADF);
});

test("Libc.localAddress() and Libc.peerAddress() give as many bytes as the kernel", () => {
  const name = Uint8Array.of(1, 0);
  // A path of 108 bytes, and its NUL byte: the longest address.
  const peer = Uint8Array.of(1, 0, ...Array<number>(107).fill(97), 0);
  const opened = libc({ files: { 3: { mode: SOCKET, name, peer } } });
  assert.deepEqual([...opened.localAddress(3)], [...name]);
  assert.deepEqual([...opened.peerAddress(3)], [...peer]);
});

test("Libc.isNonBlocking() and Libc.isCloseOnExec() read one flag each", () => {
  const opened = libc({
    files: {
      3: { mode: FIFO, flags: READ_WRITE | NON_BLOCKING },
      // All other flags.
      4: { mode: FIFO, flags: 0x7fffffff & ~NON_BLOCKING },
    },
    closeOnExec: [4],
  });
  assert.equal(opened.isNonBlocking(3), true);
  assert.equal(opened.isNonBlocking(4), false);
  assert.equal(opened.isCloseOnExec(3), false);
  assert.equal(opened.isCloseOnExec(4), true);
});

test("Libc.setCloseOnExec() sets the flag where it isn't set", () => {
  const raw = new FakeLibc({
    files: { 3: { mode: FIFO }, 4: { mode: FIFO } },
    closeOnExec: [4],
  });
  const opened = new Libc(raw);
  assert.equal(opened.setCloseOnExec(3), true);
  assert.equal(opened.setCloseOnExec(4), true);
  assert.deepEqual([...raw.closeOnExec].sort(), [3, 4]);
  assert.deepEqual(raw.calls, ["fcntl 3", "fcntl 3", "fcntl 4"]);
});

test("Libc.setCloseOnExec() reports that a descriptor isn't open", () => {
  const raw = new FakeLibc({});
  assert.equal(new Libc(raw).setCloseOnExec(3), false);
  assert.deepEqual([...raw.closeOnExec], []);
});

test("Libc.setCloseOnExec() leaves the flag where it may not be set", () => {
  const raw = new FakeLibc({
    files: { 3: { mode: FIFO } },
    failing: { fcntl: EACCES },
  });
  // It is open all the same.
  assert.equal(new Libc(raw).setCloseOnExec(3), true);
});

test("Libc.statDescriptor() reads type, inode, time and devices", () => {
  const null_ = {
    mode: CHARACTER_DEVICE,
    inode: 2n ** 63n + 4n,
    modifiedNs: 1_764_000_000_999_999_999n,
    device: [0, 0xfffffffe],
    specialDevice: [1, 3],
  } as const;
  assert.deepEqual(libc({ files: { 3: null_ } }).statDescriptor(3), null_);
});

test("Libc.statPath() reads the file at a path", () => {
  const stat = {
    mode: REGULAR,
    inode: 4711n,
    modifiedNs: 0n,
    device: [259, 2],
    specialDevice: [0, 0],
  } as const;
  const raw = new FakeLibc({ paths: { "/srv/é": stat } });
  assert.deepEqual(new Libc(raw).statPath("/srv/é"), stat);
  // An empty path must not mean the current directory.
  assertFails(() => new Libc(raw).statPath(""), "statx", ENOENT);
});

test("Libc.readLink() reads a link of any length", () => {
  const long = `/${"é".repeat(2000)}`;
  const links = { "/proc/self/fd/3": "pipe:[1]", "/proc/self/fd/4": long };
  const opened = libc({ links });
  assert.equal(opened.readLink("/proc/self/fd/3"), "pipe:[1]");
  assert.equal(opened.readLink("/proc/self/fd/4"), long);
});

test("Libc.fileSystemType() reads the type of the file system", () => {
  const opened = libc({
    files: {
      3: { mode: REGULAR, fileSystem: 0x19800202n },
      4: { mode: REGULAR, fileSystem: 0xff534d42n },
    },
  });
  assert.equal(opened.fileSystemType(3), 0x19800202n);
  assert.equal(opened.fileSystemType(4), 0xff534d42n);
});

test("Libc.close() closes the descriptor", () => {
  const raw = new FakeLibc({ files: { 3: { mode: FIFO }, 4: { mode: FIFO } } });
  new Libc(raw).close(3);
  assert.deepEqual([...raw.files.keys()], [4]);
});

test("Libc.pidfdId() reads the inode of a process's pidfd, and closes it", () => {
  const raw = new FakeLibc({ processes: { 42: pidfd(2n ** 40n + 1n) } });
  assert.equal(new Libc(raw).pidfdId(42), 2n ** 40n + 1n);
  assert.deepEqual([...raw.files.keys()], []);
});

test("Libc.pidfdId() doesn't know the ids of a kernel before 6.9", () => {
  // Where all pidfds are on anonymous inodes, and share one.
  const raw = new FakeLibc({ processes: { 42: pidfd(12n, 0x09041934n) } });
  assert.equal(new Libc(raw).pidfdId(42), undefined);
  assert.deepEqual([...raw.files.keys()], []);
});

test("Libc.pidfdId() knows nothing where there are no pidfds", () => {
  const raw = new FakeLibc({});
  assert.equal(new Libc(raw).pidfdId(42), undefined);
  assert.deepEqual(raw.calls, ["pidfd_open 42"]);
});

test("Libc.pidfdId() closes the pidfd where it may not be read, and knows nothing", () => {
  for (const call of ["fstatfs", "statx"]) {
    const raw = new FakeLibc({
      processes: { 42: pidfd(1n) },
      failing: { [call]: EIO },
    });
    assert.equal(new Libc(raw).pidfdId(42), undefined);
    assert.equal(raw.calls.at(-1), "close 9");
    assert.deepEqual([...raw.files.keys()], []);
  }
});
