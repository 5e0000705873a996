import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DescriptorInfo } from "../../../src/core/info.ts";
import { Libc } from "../../../src/ffi/libc.ts";
import { libcInspector } from "../../../src/linux/libc_inspector.ts";
import {
  BLOCK_DEVICE,
  CHARACTER_DEVICE,
  DIRECTORY,
  EACCES,
  EIO,
  ENOTDIR,
  type FakeFile,
  FakeLibc,
  type FakeMachine,
  FIFO,
  NON_BLOCKING,
  READ_WRITE,
  REGULAR,
  SOCKET,
} from "../ffi/fake_libc.ts";
import { anyAddress, ipv4, ipv6, sockaddr } from "../helpers.ts";

/** What is known of descriptor 3, if it is open on a file. */
function inspect(file: FakeFile, rest: FakeMachine = {}): DescriptorInfo {
  const raw = new FakeLibc({ ...rest, files: { 3: file } });
  return libcInspector(new Libc(raw)).inspect([3])[0]!;
}

/** The options of a socket, by number. */
function options(
  domain: number,
  type: number,
  protocol: number,
  acceptConn: number,
): Record<number, number> {
  return { 39: domain, 3: type, 38: protocol, 30: acceptConn };
}

const QUEUES = 0x19800202n;

test("libcInspector() reads a listening socket", () => {
  const file = {
    mode: SOCKET,
    inode: 4711n,
    flags: READ_WRITE | NON_BLOCKING,
    options: options(10, 1, 6, 1),
    name: sockaddr(ipv6("fe80::1", 8080, 2)),
  };
  const links = { "/proc/self/fd/3": "socket:[4711]" };
  assert.deepEqual(inspect(file, { links }), {
    kind: "stream-listener",
    family: "ipv6",
    type: "stream",
    protocol: 6,
    listening: true,
    address: ipv6("fe80::1", 8080, 2),
    peer: undefined,
    nonBlocking: true,
    closeOnExec: false,
    inode: 4711n,
    link: "socket:[4711]",
  });
});

test("libcInspector() reads a connection with both addresses", () => {
  const [address, peer] = [ipv4("127.0.0.1", 80), ipv4("192.0.2.1", 4711)];
  const info = inspect({
    mode: SOCKET,
    options: options(2, 1, 6, 0),
    name: sockaddr(address),
    peer: sockaddr(peer),
  }, { closeOnExec: [3] });
  assert.ok(info.kind === "stream-connection");
  assert.equal(info.listening, false);
  assert.deepEqual(info.address, address);
  assert.deepEqual(info.peer, peer);
  assert.equal(info.nonBlocking, false);
  assert.equal(info.closeOnExec, true);
});

test("libcInspector() reads sockets of families that it has no address for", () => {
  const unnamed = { kind: "unix-unnamed" } as const;
  const info = inspect({
    mode: SOCKET,
    options: options(38, 5, 0, 0),
    name: Uint8Array.of(38, 0, 1, 2, 3),
    peer: Uint8Array.of(38, 0),
  });
  assert.ok(info.kind === "seqpacket-connection");
  assert.equal(info.family, 38);
  assert.equal(info.address, undefined);
  assert.equal(info.peer, undefined);
  // A connected Unix socket's peer has no name, but it is there.
  const pair = inspect({
    mode: SOCKET,
    options: options(1, 1, 0, 0),
    name: sockaddr(unnamed),
    peer: sockaddr(unnamed),
  });
  assert.ok(pair.kind === "stream-connection");
  assert.deepEqual(pair.peer, unnamed);
});

test("libcInspector() has no peer for a netlink socket that is not connected", () => {
  const peer = (portId: number, groups: number) => {
    const address = { kind: "netlink", portId, groups } as const;
    const info = inspect({
      mode: SOCKET,
      options: options(16, 3, 15, 0),
      name: sockaddr({ ...address, portId: 42 }),
      peer: sockaddr(address),
    });
    assert.ok(info.kind === "netlink");
    assert.deepEqual(info.address, { ...address, portId: 42 });
    return info.peer;
  };
  // The kernel itself, to which every such socket sends.
  assert.equal(peer(0, 0), undefined);
  assert.deepEqual(peer(7, 0), { kind: "netlink", portId: 7, groups: 0 });
  assert.deepEqual(peer(0, 1), { kind: "netlink", portId: 0, groups: 1 });
});

test("libcInspector() leaves metadata unknown whose call fails", () => {
  const full = {
    mode: SOCKET,
    inode: 4711n,
    options: options(2, 1, 6, 1),
    name: sockaddr(ipv4("127.0.0.1", 80)),
  };
  const names = ["family", "type", "protocol", "listening"] as const;
  const failed = inspect(full, { failing: { getsockopt: EACCES } });
  assert.ok(failed.kind === "socket");
  for (const name of names) assert.equal(failed[name], undefined, name);
  assert.deepEqual(failed.address, ipv4("127.0.0.1", 80));
  assert.equal(failed.inode, 4711n);

  const nameless = inspect(full, { failing: { getsockname: EACCES } });
  assert.equal(nameless.kind, "stream-listener");
  assert.equal(nameless.address, undefined);

  const flagless = inspect(full, { failing: { fcntl: EACCES } });
  assert.equal(flagless.kind, "stream-listener");
  assert.equal(flagless.nonBlocking, undefined);
  assert.equal(flagless.closeOnExec, undefined);
});

test("libcInspector() reads files by their type", () => {
  const types = [
    [FIFO, "fifo"],
    [REGULAR, "file"],
    [CHARACTER_DEVICE, "character-device"],
    [DIRECTORY, "other"],
    [BLOCK_DEVICE, "other"],
    // A symbolic link, opened with O_PATH; and the kernel's anonymous files.
    [0o120777, "other"],
    [0o600, "other"],
  ] as const;
  for (const [mode, kind] of types) {
    const file = { mode, inode: 5n, flags: READ_WRITE | NON_BLOCKING };
    const links = { "/proc/self/fd/3": "/run/x" };
    assert.deepEqual(inspect(file, { links, closeOnExec: [3] }), {
      kind,
      device: 0n,
      inode: 5n,
      specialDevice: 0n,
      nonBlocking: true,
      closeOnExec: true,
      link: "/run/x",
    });
  }
});

test("libcInspector() knows everything but the name without /proc", () => {
  for (const [mode, kind] of [[FIFO, "fifo"], [SOCKET, "socket"]] as const) {
    const info = inspect({ mode, inode: 5n });
    assert.equal(info.kind, kind);
    assert.equal(info.inode, 5n);
    assert.equal(info.link, undefined);
  }
});

test("libcInspector() recognizes message queues by their file system", () => {
  assert.equal(
    inspect({ mode: REGULAR, fileSystem: QUEUES }).kind,
    "message-queue",
  );
  // The directory of the queues isn't a queue.
  assert.equal(inspect({ mode: DIRECTORY, fileSystem: QUEUES }).kind, "other");
  assert.equal(inspect({ mode: REGULAR, fileSystem: 0xef53n }).kind, "file");
  const failing = { fstatfs: EIO };
  const queue = { mode: REGULAR, fileSystem: QUEUES };
  assert.equal(inspect(queue, { failing }).kind, "file");
});

test("libcInspector() numbers devices as stat(2) does", () => {
  const numbers = [
    [[0, 0], 0n],
    [[1, 3], 0x103n],
    [[8, 1], 0x801n],
    [[0, 0x12345], 0x12300045n],
    [[0xfff, 0xff], 0xfffffn],
    [[0x1000, 0x100], 0x100000100000n],
    [[0xffffffff, 0xffffffff], 0xffffffffffffffffn],
    [[0x12345678, 0x9abcdef1], 0x123459abcde678f1n],
  ] as const;
  for (const [pair, number] of numbers) {
    const device = inspect({ mode: CHARACTER_DEVICE, device: pair });
    assert.ok(device.kind === "character-device");
    assert.equal(device.device, number);
    assert.equal(device.specialDevice, 0n);
    const special = inspect({ mode: CHARACTER_DEVICE, specialDevice: pair });
    assert.ok(special.kind === "character-device");
    assert.equal(special.device, 0n);
    assert.equal(special.specialDevice, number);
  }
});

test("libcInspector() distinguishes closed descriptors from unreadable ones", () => {
  const closed = libcInspector(new Libc(new FakeLibc({})));
  assert.deepEqual(closed.inspect([3, -1]), [
    { kind: "closed" },
    { kind: "closed" },
  ]);
  const denied = inspect({ mode: SOCKET }, { failing: { statx: EACCES } });
  assert.deepEqual(denied, { kind: "unknown" });
});

test("libcInspector() reads many descriptors, in their order", () => {
  const raw = new FakeLibc({
    files: { 3: { mode: FIFO }, 5: { mode: REGULAR } },
  });
  const infos = libcInspector(new Libc(raw)).inspect([5, 4, 3, 5]);
  const kinds = infos.map(({ kind }) => kind);
  assert.deepEqual(kinds, ["file", "closed", "fifo", "file"]);
  assert.deepEqual(libcInspector(new Libc(raw)).inspect([]), []);
});

test("libcInspector() rethrows errors that aren't the kernel's", () => {
  const raw = new FakeLibc({ files: { 3: { mode: FIFO } } });
  raw.fcntl = () => {
    throw new TypeError("a defect");
  };
  const inspector = libcInspector(new Libc(raw));
  assert.throws(() => inspector.inspect([3]), TypeError);
});

test("libcInspector() reads the file at a path, or that there is none", () => {
  const raw = new FakeLibc({
    paths: {
      "/run/fifo": { mode: FIFO, inode: 5n, device: [0, 21] },
      "/dev/null": { mode: CHARACTER_DEVICE, specialDevice: [1, 3] },
      "/run/app.sock": { mode: SOCKET, inode: 6n },
      "/etc/passwd/x": ENOTDIR,
      "/root/x": EACCES,
      "/loop": 40,
    },
  });
  const inspector = libcInspector(new Libc(raw));
  const path = (text: string) => inspector.inspectPath(text);
  assert.deepEqual(path("/run/fifo"), {
    kind: "fifo",
    device: 21n,
    inode: 5n,
    specialDevice: 0n,
  });
  assert.deepEqual(path("/dev/null"), {
    kind: "character-device",
    device: 0n,
    inode: 0n,
    specialDevice: 0x103n,
  });
  assert.equal(path("/run/app.sock")?.kind, "other");
  assert.equal(path("/gone"), null);
  assert.equal(path("/etc/passwd/x"), null);
  assert.equal(path("/root/x"), undefined);
  assert.equal(path("/loop"), undefined);
});

test("libcInspector() doesn't cut a path at a NUL byte", () => {
  const raw = new FakeLibc({ paths: { "/run/fifo": { mode: FIFO } } });
  const inspector = libcInspector(new Libc(raw));
  assert.equal(inspector.inspectPath("/run/fifo\0x"), undefined);
  assert.deepEqual(raw.calls, []);
});

test("libcInspector() gives back any addresses, and never throws on bytes", () => {
  const bytes = fc.uint8Array({ maxLength: 110 });
  const name = fc.oneof(anyAddress().map(sockaddr), bytes);
  fc.assert(fc.property(anyAddress(), name, (address, peer) => {
    const info = inspect({
      mode: SOCKET,
      options: options(2, 1, 0, 0),
      name: sockaddr(address),
      peer,
    });
    assert.deepEqual(info.address, address);
    assert.equal(info.kind, "stream-connection");
  }));
});
