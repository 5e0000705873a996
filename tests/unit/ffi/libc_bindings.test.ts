import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import process from "node:process";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { decodeSockaddr, encodeIpv4 } from "../../../src/core/sockaddr.ts";
import { bindBunFunctions } from "../../../src/ffi/bun.ts";
import {
  bindDenoFunctions,
  type DenoFfi,
  globalDenoFfi,
} from "../../../src/ffi/deno.ts";
import { cString, LibcError } from "../../../src/ffi/descriptor_calls.ts";
import { FILE_FUNCTIONS } from "../../../src/ffi/files.ts";
import { Libc, LIBC_FUNCTIONS } from "../../../src/ffi/libc.ts";
import { bindNodeFunctions } from "../../../src/ffi/node.ts";
import { bindFunctions } from "../../../src/ffi/open.ts";
import {
  type FunctionName,
  type LibcFunctions,
  SIGNATURES as TABLE,
} from "../../../src/ffi/signatures.ts";
import { MESSAGE_FUNCTIONS } from "../../../src/ffi/messages.ts";
import { openSocketCalls, SOCKET_FUNCTIONS } from "../../../src/ffi/sockets.ts";
import { currentPlatform } from "../../../src/runtime/current.ts";
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
  clock_gettime: [["i32", "ptr"], "i32"],
  connect: [["i32", "ptr", "u32"], "i32"],
  statx: [["i32", "ptr", "i32", "u32", "ptr"], "i32"],
  fstatfs: [["i32", "ptr"], "i32"],
  readlink: [["ptr", "ptr", "u64"], "i64"],
  open: [["ptr", "i32", "u32"], "i32"],
  read: [["i32", "ptr", "u64"], "i64"],
  dup3: [["i32", "i32", "i32"], "i32"],
  epoll_ctl: [["i32", "i32", "i32", "ptr"], "i32"],
  poll: [["ptr", "u64", "i32"], "i32"],
  recv: [["i32", "ptr", "u64", "i32"], "i64"],
  pread: [["i32", "ptr", "u64", "i64"], "i64"],
  write: [["i32", "ptr", "u64"], "i64"],
  unlink: [["ptr"], "i32"],
  sendmsg: [["i32", "ptr", "i32"], "i64"],
  shutdown: [["i32", "i32"], "i32"],
  syscall: [["i64", "i64", "i64"], "i64"],
  socket: [["i32", "i32", "i32"], "i32"],
  bind: [["i32", "ptr", "u32"], "i32"],
  listen: [["i32", "i32"], "i32"],
  accept4: [["i32", "ptr", "ptr", "i32"], "i32"],
  setsockopt: [["i32", "i32", "i32", "ptr", "u32"], "i32"],
  memmove: [["ptr", "ptr", "u64"], "u64"],
  mkfifo: [["ptr", "u32"], "i32"],
  pipe2: [["ptr", "i32"], "i32"],
  __errno_location: [[], "ptr"],
};

const DENO_FFI = new URL("../../../src/ffi/deno.ts", import.meta.url).href;

const ALL = Object.keys(TABLE) as FunctionName[];

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

/** The memory of the error number, where it is read past {@linkcode Callee}. */
const ERRNO_MEMORY = new Int32Array(1);

/** The pointer that the fake library returns for its errno. */
const ERRNO = { errno: true };

/** Checks whether a value is valid for a type. */
function fits(
  type: string,
  value: unknown,
  wide: "bigint" | "number",
): boolean {
  if (type === "ptr") return value instanceof Uint8Array;
  const isWide = type.endsWith("64") && wide === "bigint";
  return isWide ? typeof value === "bigint" : typeof value === "number";
}

/** A C library in which functions are called by name. */
interface Callee {
  call(name: string, args: unknown[]): number;
  errno(): number;
}

/**
 * Functions in the place of the C library's: they take arguments of their types
 * only, and return 64-bit numbers as bigints.
 */
function bind<T>(
  callee: Callee,
  library: string,
  symbols: Readonly<Record<string, T>>,
  signature: (declared: T) => Signature,
  wide: "bigint" | "number" = "number",
): Record<string, (...args: unknown[]) => unknown> {
  assert.equal(library, "libc.so.6");
  const names = Object.keys(symbols);
  assert.ok(names.includes("__errno_location"));
  return Object.fromEntries(
    Object.entries(symbols).map(([name, declared]) => [
      name,
      bindOne(callee, name, signature(declared), wide),
    ]),
  );
}

/** A function in the place of the C library's, if it is declared as that is. */
function bindOne(
  callee: Callee,
  name: string,
  [declaredTypes, declaredResult]: Signature,
  wide: "bigint" | "number" = "number",
): (...args: unknown[]) => unknown {
  const named = (type: string) => TYPES[type] ?? type;
  const [types, result] = SIGNATURES[name]!;
  assert.deepEqual(
    [declaredTypes.map(named), named(declaredResult)],
    [types, result],
    name,
  );
  return (...args) => {
    assert.equal(args.length, types.length);
    types.forEach((type, index) =>
      assert.ok(fits(type, args[index], wide), `${name}: ${type}`)
    );
    if (name === "__errno_location") return ERRNO;
    const plain = args.map((arg) =>
      typeof arg === "bigint" ? Number(arg) : arg
    );
    const value = callee.call(name, plain);
    return result.endsWith("64") ? BigInt(value) : value;
  };
}

/** The error number, if it is read where the library has it. */
function readErrno(callee: Callee, pointer: unknown, offset = 0): number {
  assert.equal(pointer, ERRNO);
  assert.equal(offset, 0);
  return callee.errno();
}

type Bind = <Name extends FunctionName>(
  callee: Callee,
  names: readonly Name[],
) => LibcFunctions<Name>;

type DenoDeclaration = ConstructorParameters<DenoFfi["UnsafeFnPointer"]>[1];

/** A function that takes structures of one integer in the place of integers. */
function takeStructures(
  callee: Callee,
  name: string,
  { parameters, result }: DenoDeclaration,
): (...args: unknown[]) => unknown {
  const types = parameters.map((type) =>
    typeof type === "string" ? type : type.struct[0]
  );
  const call = bindOne(callee, name, [types, result]);
  const count = types.length -
    parameters.filter((type) => typeof type === "string").length;
  assert.ok(count <= 1, name);
  return (...args) => {
    const plain = args.map((arg, at) => {
      if (typeof parameters[at] === "string") return arg;
      assert.ok(arg instanceof Uint8Array);
      const view = new DataView(arg.buffer, arg.byteOffset);
      return arg.byteLength === 8
        ? Number(view.getBigInt64(0, true))
        : view.getInt32(0, true);
    });
    const value = call(...plain);
    ERRNO_MEMORY[0] = callee.errno();
    return value;
  };
}

/** The FFI of Deno, where a pointer is an object with the name of a function. */
function fakeDeno(callee: Callee): Parameters<typeof bindDenoFunctions>[0] {
  return {
    dlopen: (library, symbols) => {
      assert.equal(library, "libc.so.6");
      return {
        symbols: Object.fromEntries(
          Object.entries(symbols).map(([name, each]) => [
            name,
            "type" in each ? { name } : takeStructures(callee, name, each),
          ]),
        ),
      };
    },
    permissions: { querySync: () => ({ state: "granted" }) },
    UnsafeFnPointer: class {
      readonly #call: (...args: unknown[]) => unknown;
      constructor(
        pointer: object,
        declaration: DenoDeclaration,
      ) {
        const { name } = pointer as { readonly name: string };
        this.#call = takeStructures(callee, name, declaration);
      }
      call(...args: unknown[]): unknown {
        return this.#call(...args);
      }
    },
    UnsafePointerView: class {
      readonly #pointer: object;
      constructor(pointer: object) {
        this.#pointer = pointer;
      }
      getArrayBuffer(byteLength: number): ArrayBuffer {
        assert.equal(this.#pointer, ERRNO);
        assert.equal(byteLength, 4);
        return ERRNO_MEMORY.buffer;
      }
    },
  };
}

/** The functions as each runtime's adapter binds them. */
const ADAPTERS: Readonly<Record<string, Bind>> = {
  deno: (callee, names) => bindDenoFunctions(fakeDeno(callee), names, () => {}),
  "deno, after the start": (callee, names) =>
    bindDenoFunctions(
      fakeDeno(callee),
      names,
      (generateCode) => generateCode(),
    ),
  bun: (callee, names) =>
    bindBunFunctions({
      dlopen: (library, symbols) => ({
        symbols: bind(callee, library, symbols, (declared) => [
          declared.args,
          declared.returns,
        ]),
      }),
      read: { i32: (pointer, offset) => readErrno(callee, pointer, offset) },
    }, names),
  node: (callee, names) =>
    bindNodeFunctions({
      dlopen: (library, symbols) => ({
        functions: bind(callee, library, symbols, (declared) => [
          declared.arguments,
          declared.return,
        ], "bigint"),
      }),
      getInt32: (pointer, offset) => readErrno(callee, pointer, offset),
    }, names),
};

/** The fake C library, called by name. */
function calleeOf(raw: FakeLibc): Callee {
  const functions = raw as unknown as Record<
    string,
    (...args: unknown[]) => number
  >;
  return {
    call: (name, args) => functions[name]!(...args),
    errno: () => raw.errno(),
  };
}

test("the table has each function that C declares, and is used as a whole", () => {
  const declared = Object.keys(SIGNATURES).filter((name) =>
    name !== "__errno_location"
  );
  assert.deepEqual([...ALL].sort(), declared.sort());
  const used = new Set<string>([
    ...FILE_FUNCTIONS,
    ...LIBC_FUNCTIONS,
    ...MESSAGE_FUNCTIONS,
    ...SOCKET_FUNCTIONS,
  ]);
  assert.deepEqual([...used].sort(), declared);
});

for (const [runtime, bindOn] of Object.entries(ADAPTERS)) {
  test(`the adapter for ${runtime} binds the whole table`, () => {
    const calls: unknown[][] = [];
    const functions = bindOn({
      call: (...call) => calls.push(call),
      errno: () => 42,
    }, ALL);
    for (const [index, name] of ALL.entries()) {
      const args = SIGNATURES[name]![0].map((type, position) =>
        type === "ptr" ? Uint8Array.of(position) : position
      );
      const call = functions[name] as (...args: unknown[]) => unknown;
      assert.equal(call(...args), index + 1, name);
      assert.deepEqual(calls.at(-1), [name, args]);
    }
    assert.equal(functions.errno(), 42);
  });

  test(`the adapter for ${runtime} makes every call of Libc`, () => {
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
    const libc = new Libc(bindOn(calleeOf(raw), LIBC_FUNCTIONS));
    assert.equal(libc.socketOption(4, "type"), 1);
    assert.deepEqual([...libc.localAddress(4)], [1, 0]);
    assert.deepEqual([...libc.peerAddress(4)], [1, 0]);
    assert.equal(libc.setCloseOnExec(3), true);
    assert.equal(libc.isCloseOnExec(3), true);
    assert.equal(libc.statDescriptor(3).inode, 5n);
    assert.equal(libc.statPath("/run/x").mode, FIFO);
    assert.equal(libc.fileSystemType(3), 7n);
    assert.equal(libc.readLink("/proc/self/fd/3"), "/run/x");
    assert.equal(libc.pidfdId(42), 4711n);
    assert.equal(libc.pidfdId(43), undefined);
    assert.deepEqual([libc.isReadable(4), libc.isReadable(5)], [true, false]);
    assert.deepEqual([libc.hasUnreadBytes(4), libc.hasUnreadBytes(5)], [
      true,
      false,
    ]);
    libc.shutdownConnection(4);
    assert.equal(raw.files.get(4)?.isShutDown, true);
    libc.close(3);
    assert.throws(
      () => libc.close(3),
      (error) => error instanceof LibcError && error.errno === EBADF,
    );
  });
}

const libc = currentPlatform().libc();
const calls = openSocketCalls();
const onFfi = { skip: libc === undefined || calls === undefined };

test("this runtime binds the whole table from its C library", onFfi, () => {
  const functions = bindFunctions(ALL);
  assert.deepEqual(Object.keys(functions).sort(), [...ALL, "errno"].sort());
  assert.equal(functions.close(-1), -1);
  assert.equal(functions.errno(), EBADF);
  assert.throws(() => bindFunctions(["missing" as FunctionName]));
});

const deno = libc && globalDenoFfi();

test("on Deno, functions work with and without generated code", {
  skip: deno === undefined,
}, () => {
  let generateCode = () => {};
  const functions = bindDenoFunctions(deno!, ALL, (it) => generateCode = it);
  const check = (turn: string) => {
    assert.equal(functions.close(-1), -1, turn);
    assert.equal(functions.errno(), EBADF, turn);
    const chunk = new Uint8Array(4);
    assert.equal(functions.getsockopt(-1, 1, 3, chunk, chunk), -1, turn);
    const path = cString("/proc/self/exe");
    assert.ok(functions.readlink(path, new Uint8Array(999), 999) > 0, turn);
    assert.equal(functions.poll(new Uint8Array(8), 0, 0), 0, turn);
    // SYS_getpid on x86_64 and arm64.
    const getpid = process.arch === "arm64" ? 172 : 39;
    assert.equal(functions.syscall(getpid, -1, -1), process.pid, turn);
    // AT_FDCWD
    const file = new Uint8Array(256);
    assert.equal(functions.statx(-100, path, 0, 0xfff, file), 0, turn);
  };
  check("without");
  generateCode();
  check("with");
});

test("on Deno, functions before the start have no generated code, and take integers", () => {
  const declared: Record<string, DenoDeclaration | { type: "pointer" }> = {};
  const fake = fakeDeno({ call: () => 0, errno: () => 0 });
  const functions = bindDenoFunctions(
    {
      ...fake,
      dlopen(file, symbols) {
        Object.assign(declared, symbols);
        return fake.dlopen(file, symbols);
      },
    },
    ALL,
    () => {},
  );
  const withCode = Object.entries(declared).filter(([, each]) =>
    "parameters" in each &&
    each.parameters.every((type) => typeof type === "string")
  );
  assert.deepEqual(withCode.map(([name]) => name), ["unlink"]);
  for (const fd of [undefined, NaN, 3.5]) {
    assert.throws(() => functions.close(fd as number), TypeError);
  }
});

test("on Deno, functions work on after the permission was given up", {
  skip: deno === undefined,
}, () => {
  const program = `
    import { bindDenoFunctions } from ${JSON.stringify(DENO_FFI)};
    let generateCode;
    const functions = bindDenoFunctions(
      Deno, ["close", "fcntl"], (it) => generateCode = it,
    );
    Deno.permissions.revokeSync({ name: "ffi" });
    const F_GETFD = 1;
    const report = () => console.log(
      functions.close(-1), functions.errno(), functions.fcntl(0, F_GETFD, 0) >= 0,
    );
    report();
    generateCode();
    report();`;
  const args = ["run", "-A", "--no-config", "--no-check", "--ext=ts", "-"];
  const { stdout, stderr } = spawnSync(process.execPath, args, {
    input: program,
    encoding: "utf8",
  });
  assert.equal(stdout, `-1 ${EBADF} true\n`.repeat(2), stderr);
});

test("on Deno, binding a function that the C library lacks fails", {
  skip: deno === undefined,
}, () => {
  const asking: DenoFfi = {
    ...deno!,
    dlopen: (file, symbols) =>
      deno!.dlopen(file, { ...symbols, missing: { type: "pointer" } }),
  };
  assert.throws(() => bindDenoFunctions(asking, ["close"]), /missing/);
});

test("SocketCalls and Libc accept a real connection", onFfi, async () => {
  const fd = calls!.createSocket(2, 1, 100);
  assert.ok(fd >= 100);
  calls!.setOption(fd, "reuseAddress", 1);
  calls!.bind(fd, encodeIpv4("127.0.0.1", 0));
  calls!.listen(fd, 5);
  calls!.setNonBlocking(fd, true);
  const address = decodeSockaddr(calls!.localAddress(fd));
  assert.ok(address?.kind === "ipv4");
  assert.equal(libc!.socketOption(fd, "acceptConn"), 1);
  const queue = (waiting: number) =>
    // The emulator passes four bytes of it on.
    process.env["LISTENFDS_EMULATED"] ? undefined : { waiting, limit: 5 };
  assert.deepEqual(libc!.acceptQueue(fd), queue(0));
  assert.deepEqual(calls!.areReadable([fd]), [false]);
  assert.equal(calls!.accept(fd, 100), undefined);

  const client = connect(address.port, "127.0.0.1");
  await once(client, "connect");
  while (!libc!.isReadable(fd)) await setImmediate();
  assert.deepEqual(libc!.acceptQueue(fd), queue(1));
  const { fd: connection, peer } = calls!.accept(fd, 100)!;
  assert.ok(connection >= 100);
  assert.ok(calls!.isCloseOnExec(connection));
  const expected = {
    kind: "ipv4",
    hostname: "127.0.0.1",
    port: client.localPort,
  };
  assert.deepEqual(decodeSockaddr(peer), expected);
  assert.deepEqual(decodeSockaddr(libc!.peerAddress(connection)), expected);
  assert.equal(libc!.hasUnreadBytes(connection), false);
  client.write("x");
  while (!libc!.hasUnreadBytes(connection)) await setImmediate();
  const closed = once(client, "close");
  client.resume();
  libc!.shutdownConnection(connection);
  await closed;
  for (const open of [fd, connection]) calls!.close(open);
});

test("SocketCalls and Libc read a real FIFO, and files of /proc", onFfi, () => {
  const directory = mkdtempSync(`${tmpdir()}/listenfds-ffi-`);
  try {
    const path = `${directory}/fifo`;
    calls!.createFifo(path, 0o600);
    const fd = calls!.openPath(path, 100);
    assert.ok(fd >= 100);
    calls!.setPipeSize(fd, 65536);
    assert.equal(libc!.isNonBlocking(fd), false);
    assert.equal(libc!.setCloseOnExec(fd), true);
    assert.equal(libc!.statDescriptor(fd).mode, FIFO & ~0o77);
    assert.deepEqual(libc!.statPath(path), libc!.statDescriptor(fd));
    assert.ok(libc!.fileSystemType(fd) > 0n);
    assert.equal(libc!.readLink(`/proc/self/fd/${fd}`), path);
    const copy = libc!.findLowestFreeFd(fd);
    libc!.duplicateOnto(fd, copy);
    assert.equal(libc!.readLink(`/proc/self/fd/${copy}`), path);
    for (const open of [fd, copy]) libc!.close(open);
    assert.equal(libc!.setCloseOnExec(fd), false);
    assert.throws(
      () => libc!.removeFromEpoll(fd, copy),
      (error) => error instanceof LibcError && error.errno === EBADF,
    );
    assert.match(libc!.readFile("/proc/self/status"), /^FDSize:\s*\d+$/m);
    assert.equal(
      typeof (libc!.pidfdId(process.pid) ?? 0n),
      "bigint",
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
