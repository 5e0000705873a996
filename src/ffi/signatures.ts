/**
 * The functions of the C library that the library and the command call. Each
 * runtime's adapter (`deno.ts`, `bun.ts`, `node.ts`) binds some of them.
 *
 * @module
 */

/**
 * The C type of a parameter or a result. `size` is `size_t` or `nfds_t`, `bytes`
 * a pointer to memory. `size` and `long` have 64 bits.
 */
export type CType = "int" | "unsigned" | "long" | "size" | "bytes";

/** The parameters and the result of each function. */
export const SIGNATURES = {
  accept4: [["int", "bytes", "bytes", "int"], "int"],
  bind: [["int", "bytes", "unsigned"], "int"],
  clock_gettime: [["int", "bytes"], "int"],
  close: [["int"], "int"],
  connect: [["int", "bytes", "unsigned"], "int"],
  dup3: [["int", "int", "int"], "int"],
  epoll_ctl: [["int", "int", "int", "bytes"], "int"],
  fcntl: [["int", "int", "int"], "int"],
  fstatfs: [["int", "bytes"], "int"],
  getpeername: [["int", "bytes", "bytes"], "int"],
  getsockname: [["int", "bytes", "bytes"], "int"],
  getsockopt: [["int", "int", "int", "bytes", "bytes"], "int"],
  listen: [["int", "int"], "int"],
  // It returns its first argument: the address of memory, as a number.
  memmove: [["bytes", "bytes", "size"], "size"],
  mkfifo: [["bytes", "unsigned"], "int"],
  open: [["bytes", "int", "unsigned"], "int"],
  pipe2: [["bytes", "int"], "int"],
  poll: [["bytes", "size", "int"], "int"],
  pread: [["int", "bytes", "size", "long"], "long"],
  read: [["int", "bytes", "size"], "long"],
  readlink: [["bytes", "bytes", "size"], "long"],
  recv: [["int", "bytes", "size", "int"], "long"],
  sendmsg: [["int", "bytes", "int"], "long"],
  setsockopt: [["int", "int", "int", "bytes", "unsigned"], "int"],
  shutdown: [["int", "int"], "int"],
  socket: [["int", "int", "int"], "int"],
  // One structure everywhere, where struct stat differs between machines.
  statx: [["int", "bytes", "int", "unsigned", "bytes"], "int"],
  // For system calls that older C libraries have no function for.
  syscall: [["long", "long", "long"], "long"],
  unlink: [["bytes"], "int"],
  write: [["int", "bytes", "size"], "long"],
} as const;

/** The name of a function. */
export type FunctionName = keyof typeof SIGNATURES;

/** Bound functions: they return -1 after an error, whose number is `errno()`. */
export type LibcFunctions<Name extends FunctionName = FunctionName> =
  & {
    readonly [Key in Name]: typeof SIGNATURES[Key][0] extends
      readonly [...infer Types] ? (
        ...args: {
          [Index in keyof Types]: Types[Index] extends "bytes" ? Uint8Array
            : number;
        }
      ) => number
      : never;
  }
  & {
    /** Returns the error number of the last call on this thread. */
    readonly errno: () => number;
  };
