/**
 * The calls of the C library that read and write files.
 *
 * @module
 */

import { EAGAIN, EINTR, POLLIN, POLLOUT } from "./constants.ts";
import type { DenoFfi } from "./deno.ts";
import { DescriptorCalls, LibcError } from "./descriptor_calls.ts";
import { openFunctions } from "./open.ts";
import type { LibcFunctions } from "./signatures.ts";

/** The functions that {@linkcode FileCalls} calls. */
export const FILE_FUNCTIONS = [
  "close",
  "fcntl",
  "getsockname",
  "poll",
  "pread",
  "read",
  "write",
] as const;

/**
 * Opens the calls.
 *
 * @param deno The `Deno` to open them through. Default: the runtime's own FFI.
 * @returns `undefined` where {@linkcode openFunctions} returns that.
 */
export function openFileCalls(deno?: DenoFfi): FileCalls | undefined {
  const functions = openFunctions(FILE_FUNCTIONS, deno);
  return functions && new FileCalls(functions);
}

/** The bytes that a pipe takes at once when it is writable: `PIPE_BUF`. */
const PIPE_BYTES = 4096;

/**
 * Calls that read and write files. None waits, also on descriptors that block:
 * `undefined` means that the caller has to try again.
 */
export class FileCalls extends DescriptorCalls {
  readonly #functions: LibcFunctions<typeof FILE_FUNCTIONS[number]>;

  constructor(functions: LibcFunctions<typeof FILE_FUNCTIONS[number]>) {
    super(functions);
    this.#functions = functions;
  }

  /** Reads from the offset of a file, and moves it. 0 is the end. */
  tryRead(fd: number, bytes: Uint8Array): number | undefined {
    if (this.poll(fd, POLLIN) === 0) return undefined;
    return this.#unlessWaiting(
      "read",
      this.#functions.read(fd, bytes, bytes.length),
    );
  }

  /** Reads from a position, and leaves the offset of the file. */
  readAt(fd: number, bytes: Uint8Array, position: number): number {
    const count = this.#functions.pread(fd, bytes, bytes.length, position);
    return this.check("pread", count);
  }

  /** Writes some of the bytes at the offset of a file, or at its end. */
  tryWrite(fd: number, bytes: Uint8Array): number | undefined {
    if (this.poll(fd, POLLOUT) === 0) return undefined;
    const length = Math.min(bytes.length, PIPE_BYTES);
    return this.#unlessWaiting(
      "write",
      this.#functions.write(fd, bytes.subarray(0, length), length),
    );
  }

  #unlessWaiting(call: string, result: number): number | undefined {
    if (result >= 0) return result;
    const errno = this.#functions.errno();
    if (errno === EAGAIN || errno === EINTR) return undefined;
    throw new LibcError(call, errno);
  }
}
