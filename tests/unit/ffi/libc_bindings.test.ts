import assert from "node:assert/strict";
import { test } from "node:test";
import { openBunLibc } from "../../../src/ffi/bun.ts";
import { openDenoLibc } from "../../../src/ffi/deno.ts";
import { Libc, LibcError, type RawLibc } from "../../../src/ffi/libc.ts";
import { openNodeLibc } from "../../../src/ffi/node.ts";
import { EBADF, FakeLibc, FIFO, pidfd, SOCKET } from "./fake_libc.ts";

/** A function of the C library: its arguments' types, and that of its result. */
type Signature = readonly [args: readonly string[], result: string];

/** The functions as C declares them, where `long` and `size_t` have 64 bits. */
const SIGNATURES: Readonly<Record<string, Signature>> = {
  getsockopt: [["i32", "i32", "i32", "ptr", "ptr"], "i32"],
  getsockname: [["i32", "ptr", "ptr"], "i32"],
  getpeername: [["i32", "ptr", "ptr"], "i32"],
  fcntl: [["i32", "i32", "i32"], "i32"],
  close: [["i32"], "i32"],
  statx: [["i32", "ptr", "i32", "u32", "ptr"], "i32"],
  fstatfs: [["i32", "ptr"], "i32"],
  readlink: [["ptr", "ptr", "u64"], "i64"],
  open: [["ptr", "i32", "u32"], "i32"],
  read: [["i32", "ptr", "u64"], "i64"],
  dup3: [["i32", "i32", "i32"], "i32"],
  epoll_ctl: [["i32", "i32", "i32", "ptr"], "i32"],
  poll: [["ptr", "u64", "i32"], "i32"],
  recv: [["i32", "ptr", "u64", "i32"], "i64"],
  shutdown: [["i32", "i32"], "i32"],
  syscall: [["i64", "i64", "i64"], "i64"],
  __errno_location: [[], "ptr"],
};

/** The names of types that the runtimes use. */
const TYPES: Readonly<Record<string, string>> = {
  int32: "i32",
  uint32: "u32",
  int64: "i64",
  uint64: "u64",
  usize: "u64",
  isize: "i64",
  buffer: "ptr",
  pointer: "ptr",
};

/** The pointer that the made-up library returns for its errno. */
const ERRNO = { errno: true };

/** Whether something is what a type takes; not all take bigints. */
function fits(
  type: string,
  value: unknown,
  wide: "bigint" | "number",
): boolean {
  if (type === "ptr") return value instanceof Uint8Array;
  const isWide = type.endsWith("64") && wide === "bigint";
  return isWide ? typeof value === "bigint" : typeof value === "number";
}

/**
 * Functions that take the made-up library's place: they take what their types
 * allow, and return numbers of 64 bits as bigints.
 */
function bind<T>(
  raw: FakeLibc,
  library: string,
  symbols: Readonly<Record<string, T>>,
  signature: (declared: T) => Signature,
  wide: "bigint" | "number" = "number",
): Record<string, (...args: unknown[]) => unknown> {
  assert.equal(library, "libc.so.6");
  const named = (type: string) => TYPES[type] ?? type;
  const declared = Object.entries(symbols).map(([name, one]) => {
    const [args, result] = signature(one);
    return [name, [args.map(named), named(result)]] as const;
  });
  assert.deepEqual(Object.fromEntries(declared), SIGNATURES);
  return Object.fromEntries(
    Object.entries(SIGNATURES).map(([name, [types, result]]) => [
      name,
      (...args: unknown[]) => {
        assert.equal(args.length, types.length);
        types.forEach((type, at) => assert.ok(fits(type, args[at], wide)));
        if (name === "__errno_location") return ERRNO;
        const call = raw[name as keyof RawLibc] as (
          ...args: unknown[]
        ) => number;
        const plain = args.map((arg) =>
          typeof arg === "bigint" ? Number(arg) : arg
        );
        const found = call.apply(raw, plain);
        return result === "i64" ? BigInt(found) : found;
      },
    ]),
  );
}

/** The error number, if it is read where the library has it. */
function readErrno(raw: FakeLibc, pointer: unknown, offset = 0): number {
  assert.equal(pointer, ERRNO);
  assert.equal(offset, 0);
  return raw.errno();
}

/** The library as each runtime binds it. */
const BINDINGS: Readonly<Record<string, (raw: FakeLibc) => RawLibc>> = {
  deno: (raw) =>
    openDenoLibc({
      dlopen: (library, symbols) => ({
        symbols: bind(raw, library, symbols, (each) => [
          each.parameters,
          each.result,
        ]),
      }),
      UnsafePointerView: class {
        readonly #pointer: object;
        constructor(pointer: object) {
          this.#pointer = pointer;
        }
        getInt32(offset?: number): number {
          return readErrno(raw, this.#pointer, offset);
        }
      },
    }),
  bun: (raw) =>
    openBunLibc({
      dlopen: (library, symbols) => ({
        symbols: bind(raw, library, symbols, (each) => [
          each.args,
          each.returns,
        ]),
      }),
      read: { i32: (pointer, offset) => readErrno(raw, pointer, offset) },
    }),
  node: (raw) =>
    openNodeLibc({
      dlopen: (library, symbols) => ({
        functions: bind(raw, library, symbols, (each) => [
          each.arguments,
          each.return,
        ], "bigint"),
      }),
      getInt32: (pointer, offset) => readErrno(raw, pointer, offset),
    }),
};

for (const [runtime, open] of Object.entries(BINDINGS)) {
  test(`the binding for ${runtime} makes every call of the C library`, () => {
    const name = Uint8Array.of(1, 0);
    const raw = new FakeLibc({
      files: {
        3: { mode: FIFO, inode: 5n, fileSystem: 7n },
        4: { mode: SOCKET, options: { 3: 1 }, name, peer: name, input: 1 },
        5: { mode: SOCKET },
      },
      paths: { "/run/x": { mode: FIFO } },
      links: { "/proc/self/fd/3": "/run/x" },
      processes: { 42: pidfd(4711n) },
    });
    const libc = new Libc(open(raw));
    assert.equal(libc.socketOption(4, "type"), 1);
    assert.deepEqual([...libc.socketName(4)], [1, 0]);
    assert.deepEqual([...libc.peerName(4)], [1, 0]);
    assert.equal(libc.setCloseOnExec(3), true);
    assert.equal(libc.isCloseOnExec(3), true);
    assert.equal(libc.status(3).inode, 5n);
    assert.equal(libc.statusOfPath("/run/x").mode, FIFO);
    assert.equal(libc.fileSystem(3), 7n);
    assert.equal(libc.readLink("/proc/self/fd/3"), "/run/x");
    assert.equal(libc.pidfdId(42), 4711n);
    assert.equal(libc.pidfdId(43), undefined);
    assert.deepEqual([libc.isReadable(4), libc.isReadable(5)], [true, false]);
    assert.deepEqual([libc.hasInput(4), libc.hasInput(5)], [true, false]);
    libc.endConnection(4);
    assert.equal(raw.files.get(4)?.isShutDown, true);
    libc.close(3);
    assert.throws(
      () => libc.close(3),
      (error) => error instanceof LibcError && error.errno === EBADF,
    );
  });
}
