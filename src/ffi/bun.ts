/**
 * The C library through `bun:ffi`.
 *
 * @module
 */

import { LIBC_NAME, type RawLibc } from "./libc.ts";

/** What this uses of the module `bun:ffi`. */
export interface BunFfi {
  dlopen(
    name: string,
    symbols: Record<string, { args: readonly string[]; returns: string }>,
  ): { readonly symbols: Record<string, (...args: unknown[]) => unknown> };
  readonly read: { i32(pointer: unknown, offset: number): number };
}

/** Opens the C library; throws if it can't be found. */
export function openBunLibc(ffi: BunFfi): RawLibc {
  const returns = "i32";
  const address = { args: ["i32", "ptr", "ptr"], returns };
  const { symbols } = ffi.dlopen(LIBC_NAME, {
    getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns },
    getsockname: address,
    getpeername: address,
    fcntl: { args: ["i32", "i32", "i32"], returns },
    close: { args: ["i32"], returns },
    statx: { args: ["i32", "ptr", "i32", "u32", "ptr"], returns },
    fstatfs: { args: ["i32", "ptr"], returns },
    readlink: { args: ["ptr", "ptr", "u64"], returns: "i64" },
    open: { args: ["ptr", "i32", "u32"], returns },
    read: { args: ["i32", "ptr", "u64"], returns: "i64" },
    dup3: { args: ["i32", "i32", "i32"], returns },
    epoll_ctl: { args: ["i32", "i32", "i32", "ptr"], returns },
    poll: { args: ["ptr", "u64", "i32"], returns },
    recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
    shutdown: { args: ["i32", "i32"], returns },
    syscall: { args: ["i64", "i64", "i64"], returns: "i64" },
    __errno_location: { args: [], returns: "ptr" },
  });
  const { readlink, read, recv, syscall, __errno_location } = symbols;
  return {
    ...symbols as unknown as RawLibc,
    readlink: (...args) => Number(readlink!(...args)),
    read: (...args) => Number(read!(...args)),
    recv: (...args) => Number(recv!(...args)),
    syscall: (...args) => Number(syscall!(...args)),
    errno: () => ffi.read.i32(__errno_location!(), 0),
  };
}
