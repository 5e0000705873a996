/**
 * The choice of the way to read and write descriptors that aren't sockets: the C
 * library, or `node:fs` where that takes inherited descriptors.
 *
 * @module
 */

import { ActivationError } from "../../core/errors.ts";
import { type FileCalls, openFileCalls } from "../../ffi/files.ts";
import { NO_LIBC } from "../descriptors.ts";
import type { Platform } from "../platform.ts";
import type { Attempt, FileAccess, FileIo, OpenedKind } from "./file_io.ts";
import { FsFileIo } from "./fs_file_io.ts";

/**
 * Chooses the way to read and write.
 *
 * @returns A function that takes a descriptor over.
 * @throws {ActivationError} With the code `permission` or `unsupported`.
 */
export function fileIoOpener(
  platform: Platform,
  action: string,
): (fd: number, kind: OpenedKind) => FileIo {
  const calls = platform.libc() && openFileCalls();
  if (calls !== undefined) return (fd) => new LibcFileIo(calls, fd);
  if (platform.fsTakesDescriptors) {
    return (fd, kind) => new FsFileIo(fd, kind);
  }
  const missing = platform.adoptionLibc();
  const { reason, isDenied } = "reason" in missing ? missing : NO_LIBC;
  throw new ActivationError(
    isDenied ? "permission" : "unsupported",
    `${action}: ${reason}`,
  );
}

/** No call waits, so that none is in flight when the descriptor is closed. */
class LibcFileIo implements FileIo {
  readonly access: FileAccess;
  readonly #calls: FileCalls;
  readonly #fd: number;

  constructor(calls: FileCalls, fd: number) {
    this.access = calls.accessMode(fd);
    this.#calls = calls;
    this.#fd = fd;
  }

  tryRead(bytes: Uint8Array): Attempt {
    return this.#calls.tryRead(this.#fd, bytes);
  }

  tryReadAt(bytes: Uint8Array, position: number): Attempt {
    return this.#calls.readAt(this.#fd, bytes, position);
  }

  tryWrite(bytes: Uint8Array): Attempt {
    return this.#calls.tryWrite(this.#fd, bytes);
  }

  close(): void {
    this.#calls.close(this.#fd);
  }
}
