/**
 * Metadata of files, see `statx(2)`.
 *
 * @module
 */

import { STATX_INO, STATX_MTIME, STATX_TYPE } from "./constants.ts";

/** `sizeof(struct statx)`. */
export const STATX_BYTES = 256;
/** The members of `struct statx` that {@linkcode decodeStatx} reads. */
export const STATX_MASK: number = STATX_TYPE | STATX_INO | STATX_MTIME;

/** The metadata of a file. */
export interface FileStat {
  /** The file type and permissions, `st_mode`. */
  readonly mode: number;
  readonly inode: bigint;
  /** The time of the last change in nanoseconds since 1970. */
  readonly modifiedNs: bigint;
  /** The device that holds the file. */
  readonly device: readonly [major: number, minor: number];
  /** The device that a device file stands for. */
  readonly specialDevice: readonly [major: number, minor: number];
}

/** Decodes a `struct statx`. */
export function decodeStatx(bytes: Uint8Array): FileStat {
  const view = new DataView(bytes.buffer);
  const numbersAt = (offset: number): [number, number] => [
    view.getUint32(offset, true),
    view.getUint32(offset + 4, true),
  ];
  const seconds = view.getBigInt64(112, true);
  return {
    mode: view.getUint16(28, true),
    inode: view.getBigUint64(32, true),
    modifiedNs: seconds * 1_000_000_000n + BigInt(view.getUint32(120, true)),
    specialDevice: numbersAt(128),
    device: numbersAt(136),
  };
}
