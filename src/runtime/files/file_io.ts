/**
 * Reading and writing descriptors that aren't sockets: through the C library, or
 * through `node:fs` where that takes inherited descriptors.
 *
 * @module
 */

import { ActivationError } from "../../core/errors.ts";
import { toAccess } from "../../ffi/descriptor_calls.ts";
import { type FileCalls, openFileCalls } from "../../ffi/files.ts";
import { builtin } from "../builtin.ts";
import { NO_LIBC } from "../descriptors.ts";
import type { Platform } from "../platform.ts";
import { delay } from "../timers.ts";

/** How a descriptor was opened. */
export type FileAccess = "read" | "write" | "read-write";

/** Reads and writes descriptors. */
export interface FileIo {
  accessMode(fd: number): FileAccess;
  /**
   * Reads at the offset. Waits where nothing has been written yet.
   *
   * @param isClosed Whether to give up waiting.
   * @returns The number of bytes; 0 at the end.
   */
  read(fd: number, bytes: Uint8Array, isClosed: () => boolean): Promise<number>;
  /** Reads at a position. */
  readAt(fd: number, bytes: Uint8Array, position: number): Promise<number>;
  /** Writes some of the bytes, and returns their number. */
  write(
    fd: number,
    bytes: Uint8Array,
    isClosed: () => boolean,
  ): Promise<number>;
  close(fd: number): void;
}

/** The interval of looking for something to read, and the longest one. */
const MIN_POLL_MS = 1;
const MAX_POLL_MS = 50;

/**
 * Opens the way to read and write.
 *
 * @throws {ActivationError} With the code `permission` or `unsupported`.
 */
export function openFileIo(platform: Platform, action: string): FileIo {
  const calls = platform.libc() && openFileCalls();
  if (calls !== undefined) return new LibcFileIo(calls);
  if (platform.fsTakesDescriptors) return new NodeFileIo();
  const missing = platform.adoptionLibc();
  const { reason, isDenied } = "reason" in missing ? missing : NO_LIBC;
  throw new ActivationError(
    isDenied ? "permission" : "unsupported",
    `${action}: ${reason}`,
  );
}

/** Repeats a call until it doesn't have to wait; `undefined` after the close. */
async function untilDone(
  attempt: () => number | undefined | Promise<number | undefined>,
  isClosed: () => boolean,
): Promise<number> {
  for (let wait = MIN_POLL_MS;; wait = Math.min(2 * wait, MAX_POLL_MS)) {
    if (isClosed()) return 0;
    const count = await attempt();
    if (count !== undefined) return count;
    await delay(wait);
  }
}

class LibcFileIo implements FileIo {
  readonly #calls: FileCalls;

  constructor(calls: FileCalls) {
    this.#calls = calls;
  }

  accessMode(fd: number): FileAccess {
    return this.#calls.accessMode(fd);
  }

  read(fd: number, bytes: Uint8Array, isClosed: () => boolean) {
    return untilDone(() => this.#calls.tryRead(fd, bytes), isClosed);
  }

  readAt(fd: number, bytes: Uint8Array, position: number): Promise<number> {
    return Promise.resolve(this.#calls.readAt(fd, bytes, position));
  }

  write(fd: number, bytes: Uint8Array, isClosed: () => boolean) {
    return untilDone(() => this.#calls.tryWrite(fd, bytes), isClosed);
  }

  close(fd: number): void {
    this.#calls.close(fd);
  }
}

class NodeFileIo implements FileIo {
  accessMode(fd: number): FileAccess {
    const { readFileSync } = builtin("node:fs");
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
    return toAccess(parseInt(/^flags:\s+(\d+)$/m.exec(info)![1]!, 8));
  }

  read(fd: number, bytes: Uint8Array, isClosed: () => boolean) {
    return untilDone(() => call("read", fd, bytes, null), isClosed);
  }

  async readAt(fd: number, bytes: Uint8Array, position: number) {
    return await call("read", fd, bytes, position) ?? 0;
  }

  write(fd: number, bytes: Uint8Array, isClosed: () => boolean) {
    return untilDone(() => call("write", fd, bytes, null), isClosed);
  }

  close(fd: number): void {
    builtin("node:fs").closeSync(fd);
  }
}

/** Calls `fs.read` or `fs.write`; `undefined` where it would have to wait. */
function call(
  name: "read" | "write",
  fd: number,
  bytes: Uint8Array,
  position: number | null,
): Promise<number | undefined> {
  const { read, write } = builtin("node:fs");
  const { length } = bytes;
  return new Promise((resolve, reject) => {
    const settle = (error: NodeJS.ErrnoException | null, count: number) => {
      if (error === null) resolve(count);
      else if (error.code === "EAGAIN") resolve(undefined);
      else reject(error);
    };
    if (name === "read") read(fd, bytes, 0, length, position, settle);
    else write(fd, bytes, 0, length, position, settle);
  });
}
