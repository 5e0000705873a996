/**
 * Reading and writing descriptors that aren't sockets through `node:fs`.
 *
 * @module
 */

import { toAccess } from "../../ffi/descriptor_calls.ts";
import { builtin } from "../builtin.ts";
import type { Attempt, FileAccess, FileIo, OpenedKind } from "./file_io.ts";

/** Reads and writes one descriptor through `node:fs`. */
export class FsFileIo implements FileIo {
  readonly access: FileAccess;
  readonly #fd: number;
  readonly #nonBlocking: NonBlocking | undefined;
  /** Calls that a thread of Node makes now. */
  #callsInFlight = 0;
  #isClosed = false;

  constructor(fd: number, kind: OpenedKind) {
    this.access = readAccess(fd);
    this.#fd = fd;
    this.#nonBlocking = openNonBlocking(fd, kind, this.access);
  }

  tryRead(bytes: Uint8Array): Attempt {
    return this.#call("read", bytes, null);
  }

  tryReadAt(bytes: Uint8Array, position: number): Attempt {
    return this.#call("read", bytes, position);
  }

  tryWrite(bytes: Uint8Array): Attempt {
    return this.#call("write", bytes, null);
  }

  close(): void {
    this.#isClosed = true;
    if (this.#nonBlocking !== undefined) this.#nonBlocking.close();
    else if (this.#callsInFlight === 0) closeFd(this.#fd);
  }

  #call(name: CallName, bytes: Uint8Array, position: number | null): Attempt {
    return this.#nonBlocking === undefined
      ? this.#callInThread(name, bytes, position)
      : callAtOnce(name, this.#nonBlocking.fd, bytes, position);
  }

  async #callInThread(
    name: CallName,
    bytes: Uint8Array,
    position: number | null,
  ): Promise<number | undefined> {
    this.#callsInFlight++;
    try {
      return await callInThread(name, this.#fd, bytes, position);
    } finally {
      this.#callsInFlight--;
      // Another file could have got the number before the thread used it.
      if (this.#isClosed && this.#callsInFlight === 0) closeFd(this.#fd);
    }
  }
}

/** Reads how a descriptor was opened. */
function readAccess(fd: number): FileAccess {
  const { readFileSync } = builtin("node:fs");
  const info = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
  return toAccess(parseInt(/^flags:\s+(\d+)$/m.exec(info)![1]!, 8));
}

/** A descriptor whose calls never wait. */
interface NonBlocking {
  readonly fd: number;
  /** Closes it, and the inherited descriptor. */
  close(): void;
}

/**
 * Makes the calls of a FIFO or terminal fail where they would have to wait: a
 * thread of Node that waits for one keeps the process from ending, also after
 * `process.exit()`.
 *
 * @returns `undefined` for files, whose calls don't wait for other programs, and
 * for devices that can't be opened again.
 */
function openNonBlocking(
  fd: number,
  kind: OpenedKind,
  access: FileAccess,
): NonBlocking | undefined {
  if (kind === "file") return undefined;
  if (kind === "character-device" && !isTerminal(fd)) return undefined;
  const reopened = tryReopen(fd, access);
  if (reopened !== undefined) {
    return {
      fd: reopened,
      close() {
        closeFd(reopened);
        closeFd(fd);
      },
    };
  }
  if (kind !== "fifo") return undefined;
  // It sets O_NONBLOCK, closes the descriptor, and is used for nothing else.
  const { Socket } = builtin("node:net");
  const owner = new Socket({ fd, readable: false, writable: false });
  return { fd, close: () => void owner.destroy() };
}

/**
 * Opens a FIFO or terminal again: systemd clears `O_NONBLOCK` of what it passed
 * whenever it passes that to another service, and programs that share the
 * descriptor may expect their calls to wait.
 *
 * @returns `undefined` where the permissions of the path forbid that, and for the
 * writing end of a FIFO without a reader.
 */
function tryReopen(fd: number, access: FileAccess): number | undefined {
  const { constants, openSync } = builtin("node:fs");
  const { O_NOCTTY, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
  const mode = { read: O_RDONLY, write: O_WRONLY, "read-write": O_RDWR };
  try {
    return openSync(
      `/proc/self/fd/${fd}`,
      mode[access] | O_NONBLOCK | O_NOCTTY,
    );
  } catch {
    return undefined;
  }
}

/** The number of `/dev/ptmx`, which is another terminal each time it is opened. */
const PTMX_DEVICE = 0x502;

/** Whether a descriptor is a terminal that can be opened again. */
function isTerminal(fd: number): boolean {
  return builtin("node:tty").isatty(fd) &&
    builtin("node:fs").fstatSync(fd).rdev !== PTMX_DEVICE;
}

function closeFd(fd: number): void {
  builtin("node:fs").closeSync(fd);
}

type CallName = "read" | "write";

/** Calls `fs.readSync` or `fs.writeSync`. */
function callAtOnce(
  name: CallName,
  fd: number,
  bytes: Uint8Array,
  position: number | null,
): number | undefined {
  const { readSync, writeSync } = builtin("node:fs");
  const { length } = bytes;
  try {
    return name === "read"
      ? readSync(fd, bytes, 0, length, position)
      : writeSync(fd, bytes, 0, length, position);
  } catch (error) {
    if (wouldWait(error)) return undefined;
    throw error;
  }
}

/** Calls `fs.read` or `fs.write`. */
function callInThread(
  name: CallName,
  fd: number,
  bytes: Uint8Array,
  position: number | null,
): Promise<number | undefined> {
  const { read, write } = builtin("node:fs");
  const { length } = bytes;
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null, count: number) => {
      if (error === null) resolve(count);
      else if (wouldWait(error)) resolve(undefined);
      else reject(error);
    };
    if (name === "read") read(fd, bytes, 0, length, position, settle);
    else write(fd, bytes, 0, length, position, settle);
  });
}

function wouldWait(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "EAGAIN";
}
