/**
 * The C library through `Deno.dlopen`.
 *
 * @module
 */

import { LIBC_NAME, type RawLibc } from "./libc.ts";

/** What this uses of the global `Deno`. */
export interface DenoFfi {
  dlopen(
    name: string,
    symbols: Record<
      string,
      { parameters: readonly string[]; result: string }
    >,
  ): { readonly symbols: Record<string, (...args: unknown[]) => unknown> };
  readonly UnsafePointerView: new (pointer: object) => {
    getInt32(offset?: number): number;
  };
}

/** Opens the C library; throws if it can't be found, or no permission. */
export function openDenoLibc(deno: DenoFfi): RawLibc {
  const result = "i32";
  const address = { parameters: ["i32", "buffer", "buffer"], result };
  const { symbols } = deno.dlopen(LIBC_NAME, {
    getsockopt: {
      parameters: ["i32", "i32", "i32", "buffer", "buffer"],
      result,
    },
    getsockname: address,
    getpeername: address,
    fcntl: { parameters: ["i32", "i32", "i32"], result },
    close: { parameters: ["i32"], result },
    statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result },
    fstatfs: { parameters: ["i32", "buffer"], result },
    readlink: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
    open: { parameters: ["buffer", "i32", "u32"], result },
    read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    dup3: { parameters: ["i32", "i32", "i32"], result },
    epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result },
    poll: { parameters: ["buffer", "usize", "i32"], result },
    recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
    shutdown: { parameters: ["i32", "i32"], result },
    syscall: { parameters: ["i64", "i64", "i64"], result: "i64" },
    __errno_location: { parameters: [], result: "pointer" },
  });
  const { readlink, read, recv, syscall, __errno_location } = symbols;
  return {
    ...symbols as unknown as RawLibc,
    readlink: (...args) => Number(readlink!(...args)),
    read: (...args) => Number(read!(...args)),
    recv: (...args) => Number(recv!(...args)),
    syscall: (...args) => Number(syscall!(...args)),
    errno: () =>
      new deno.UnsafePointerView(__errno_location!() as object).getInt32(),
  };
}
