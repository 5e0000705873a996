/**
 * The C library through `node:ffi`, which Node has from version 26 on.
 *
 * @module
 */

import { LIBC_NAME, type RawLibc } from "./libc.ts";

/** What this uses of the module `node:ffi`. */
export interface NodeFfi {
  dlopen(
    name: string,
    symbols: Record<string, { arguments: readonly string[]; return: string }>,
  ): { readonly functions: Record<string, (...args: unknown[]) => unknown> };
  getInt32(pointer: unknown, offset: number): number;
}

/** Opens the C library; throws if it can't be found. */
export function openNodeLibc(ffi: NodeFfi): RawLibc {
  const result = "int32";
  const address = {
    arguments: ["int32", "pointer", "pointer"],
    return: result,
  };
  const { functions } = ffi.dlopen(LIBC_NAME, {
    getsockopt: {
      arguments: ["int32", "int32", "int32", "pointer", "pointer"],
      return: result,
    },
    getsockname: address,
    getpeername: address,
    fcntl: { arguments: ["int32", "int32", "int32"], return: result },
    close: { arguments: ["int32"], return: result },
    statx: {
      arguments: ["int32", "pointer", "int32", "uint32", "pointer"],
      return: result,
    },
    fstatfs: { arguments: ["int32", "pointer"], return: result },
    readlink: {
      arguments: ["pointer", "pointer", "uint64"],
      return: "int64",
    },
    open: { arguments: ["pointer", "int32", "uint32"], return: result },
    read: { arguments: ["int32", "pointer", "uint64"], return: "int64" },
    dup3: { arguments: ["int32", "int32", "int32"], return: result },
    epoll_ctl: {
      arguments: ["int32", "int32", "int32", "pointer"],
      return: result,
    },
    poll: { arguments: ["pointer", "uint64", "int32"], return: result },
    recv: {
      arguments: ["int32", "pointer", "uint64", "int32"],
      return: "int64",
    },
    shutdown: { arguments: ["int32", "int32"], return: result },
    syscall: { arguments: ["int64", "int64", "int64"], return: "int64" },
    __errno_location: { arguments: [], return: "pointer" },
  });
  const { readlink, read, poll, recv, syscall, __errno_location } = functions;
  return {
    ...functions as unknown as RawLibc,
    readlink: (path, result, length) =>
      Number(readlink!(path, result, BigInt(length))),
    read: (fd, result, length) => Number(read!(fd, result, BigInt(length))),
    poll: (descriptors, count, milliseconds) =>
      Number(poll!(descriptors, BigInt(count), milliseconds)),
    recv: (fd, result, length, flags) =>
      Number(recv!(fd, result, BigInt(length), flags)),
    syscall: (...args) => Number(syscall!(...args.map(BigInt))),
    errno: () => ffi.getInt32(__errno_location!(), 0),
  };
}
