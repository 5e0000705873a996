/**
 * Using inherited descriptors that aren't sockets: files, FIFOs, character devices
 * and memory files.
 *
 * @module
 */

import { activation, inactiveReason } from "../activation.ts";
import type { Activation } from "../core/activation.ts";
import { Descriptor } from "../core/descriptor.ts";
import { ActivationError, describeValue, quote } from "../core/errors.ts";
import type { DescriptorKind } from "../core/info.ts";
import { judgeKind } from "../core/kinds.ts";
import type { ListenTarget } from "../core/types.ts";
import { describeTarget, toListenAddress } from "../listen_target.ts";
import { currentPlatform } from "../runtime/current.ts";
import { listenError } from "../runtime/errors.ts";
import {
  type Attempt,
  type FileAccess,
  type FileIo,
  type OpenedKind,
  untilDone,
} from "../runtime/files/file_io.ts";
import { fileIoOpener } from "../runtime/files/open_file_io.ts";

/** A file that the service manager has opened. */
export interface OpenedFile {
  /** The number of the descriptor; -1 after `close()`. */
  readonly fd: number;
  /** A memory file (`memfd_create(2)`) is a `file`. */
  readonly kind: "file" | "fifo" | "character-device";
  /** How the file was opened: `OpenFile=PATH:NAME:read-only`, say. */
  readonly access: "read" | "write" | "read-write";
  /**
   * The bytes from the offset of the file on, which reading moves; one stream. It
   * waits for what is written to a FIFO or device. Cancelling it leaves the file
   * open, and what is written afterwards unread.
   *
   * @throws {ActivationError} With the code `wrong-kind` if the file is opened for
   * writing only.
   */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * Writes at the offset of the file, or at its end if it is opened with
   * `O_APPEND` (`OpenFile=PATH:NAME:append`); one stream. Closing or aborting it
   * leaves the file open; a chunk that is aborted may be written in part.
   *
   * @throws {ActivationError} With the code `wrong-kind` if the file is opened for
   * reading only.
   */
  readonly writable: WritableStream<Uint8Array>;
  /**
   * Reads the whole content of a file, wherever its offset is, which stays. Of a
   * FIFO or device, it reads up to the end.
   *
   * @throws {ActivationError} As {@linkcode OpenedFile.readable}; with the code
   * `not-open` if the file is closed before its end was read; or with the code
   * `system` if reading fails.
   */
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Closes the file. `readable` ends; a pending write and pending `bytes()` reject
   * with the code `not-open`.
   */
  close(): void;
  /** The same as {@linkcode OpenedFile.close}. */
  [Symbol.dispose](): void;
}

/**
 * Opens the file that the service manager passed under a name: by `OpenFile=`
 * (systemd 253), `ListenFIFO=` or `ListenSpecial=`, or from its store.
 *
 * @param target The name, `systemd:NAME` or `fd:NUMBER`, of one file. Sockets with
 * the same name stay claimable.
 * @returns The file.
 * @throws {ActivationError} With the code `missing-name`, `already-claimed` or
 * `ambiguous-name`; `wrong-kind` or `not-open` if it isn't such a file;
 * `not-activated` without an activation; `permission` on Deno without
 * `--allow-ffi`.
 * @throws {TypeError} If the target is an address to bind.
 *
 * @example
 * ```ts
 * import { openFile } from "@listenfds/listenfds/notify";
 *
 * using file = openFile("secret");
 * console.log((await file.bytes()).length);
 * ```
 */
export function openFile(target: ListenTarget): OpenedFile {
  const action = `Opening the file ${describeTarget(target)}`;
  const activated = activation();
  const claimed = claimFiles(activated, target, action);
  try {
    const openIo = fileIoOpener(currentPlatform(), action);
    const infos = Descriptor.inspectAll(claimed);
    const files = claimed.filter((_, index) => isFile(infos[index]!.kind));
    if (files.length === 0) {
      throw notFile(claimed[0]!, action);
    }
    if (files.length > 1) {
      throw new ActivationError(
        "ambiguous-name",
        `${action}: found ${files.length} files with this name: ask for each as ` +
          `"fd:NUMBER", or give each its own name in OpenFile=`,
      );
    }
    const [file] = files;
    const kind = infos[claimed.indexOf(file!)]!.kind as OpenedKind;
    const io = openIo(file!.fd, kind);
    activated!.release(claimed.filter((each) => each !== file));
    return new InheritedFile(io, file!, kind);
  } catch (error) {
    activated!.release(claimed);
    throw error instanceof ActivationError ? error : listenError(error, action);
  }
}

function claimFiles(
  activated: Activation | null,
  target: ListenTarget,
  action: string,
): Descriptor[] {
  const address = toListenAddress(target, action);
  if (address.kind === "tcp" || address.kind === "unix") {
    throw new TypeError(
      `${action}: expected a name, "systemd:NAME" or "fd:NUMBER"`,
    );
  }
  if (activated === null) {
    throw new ActivationError(
      "not-activated",
      `${action}: no descriptors were handed over: ${
        inactiveReason()!.message
      }`,
    );
  }
  return address.kind === "fd"
    ? [Reflect.apply(activated.claimFd, activated, [address.fd, action])]
    : Reflect.apply(activated.claim, activated, [address.name, action]);
}

function isFile(kind: DescriptorKind): kind is OpenedKind {
  return kind === "file" || kind === "fifo" || kind === "character-device";
}

function notFile(descriptor: Descriptor, action: string): ActivationError {
  const { info } = descriptor;
  const kinds = ["file", "fifo", "character-device"] as const;
  return judgeKind(descriptor, info, kinds, action) ?? new ActivationError(
    "wrong-kind",
    `${action}: the kind of ${descriptor} is unknown`,
  );
}

/** The bytes of one call. */
const FILE_CHUNK_SIZE = 65536;

class InheritedFile implements OpenedFile {
  readonly kind: OpenedKind;
  readonly access: FileAccess;
  readonly #io: FileIo;
  readonly #descriptor: Descriptor;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;
  #isClosed = false;

  constructor(io: FileIo, descriptor: Descriptor, kind: OpenedKind) {
    this.kind = kind;
    this.access = io.access;
    this.#io = io;
    this.#descriptor = descriptor;
  }

  get fd(): number {
    return this.#isClosed ? -1 : this.#descriptor.fd;
  }

  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const action = this.#requireAccess("write", "Reading");
    let isCancelled = false;
    return this.#readable ??= new ReadableStream({
      pull: async (controller) => {
        const bytes = new Uint8Array(FILE_CHUNK_SIZE);
        const count = await this.#try(
          action,
          () => this.#io.tryRead(bytes),
          () => isCancelled,
        );
        if (isCancelled) return;
        if (count === undefined || count === 0) controller.close();
        else controller.enqueue(bytes.subarray(0, count));
      },
      cancel() {
        isCancelled = true;
      },
    }, { highWaterMark: 0 });
  }

  get writable(): WritableStream<Uint8Array> {
    const action = this.#requireAccess("read", "Writing");
    return this.#writable ??= new WritableStream({
      write: async (chunk, { signal }) => {
        // Other views have another length, and would lose bytes.
        if (!(chunk instanceof Uint8Array)) {
          throw new TypeError(
            `${action}: expected a Uint8Array, found ${describeValue(chunk)}`,
          );
        }
        for (let rest = chunk; rest.length > 0;) {
          const count = await this.#try(
            action,
            () => this.#io.tryWrite(rest),
            // The stream calls its abort() only after this write.
            () => signal.aborted,
          );
          if (this.#isClosed && count === undefined) throw closedFile(action);
          if (count === undefined) throw signal.reason;
          rest = rest.subarray(count);
        }
      },
    });
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const action = this.#requireAccess("write", "Reading");
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for (let position = 0;;) {
      const bytes = new Uint8Array(FILE_CHUNK_SIZE);
      const count = await this.#try(
        action,
        () =>
          this.kind === "file"
            ? this.#io.tryReadAt(bytes, position)
            : this.#io.tryRead(bytes),
      );
      if (count === undefined) throw closedFile(action);
      if (count === 0) break;
      position += count;
      chunks.push(bytes.subarray(0, count));
    }
    return new Uint8Array(await new Blob(chunks).arrayBuffer());
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#io.close();
    this.#descriptor.markClosed();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Returns the action for messages. */
  #requireAccess(forbidden: FileAccess, verb: string): string {
    const action = `${verb} the file ${quote(this.#descriptor.name)}`;
    if (this.access !== forbidden) return action;
    throw new ActivationError(
      "wrong-kind",
      `${action}: ${this.#descriptor} is opened for ` +
        (forbidden === "read"
          ? `reading only: remove the option read-only of OpenFile=`
          : `writing only: open it for reading, too`),
    );
  }

  /** Repeats a call until it is done; `undefined` after the close, or a stop. */
  async #try(
    action: string,
    attempt: () => Attempt,
    isStopped: () => boolean = () => false,
  ): Promise<number | undefined> {
    try {
      return await untilDone(attempt, () => this.#isClosed || isStopped());
    } catch (error) {
      throw listenError(error, action);
    }
  }
}

function closedFile(action: string): ActivationError {
  return new ActivationError(
    "not-open",
    `${action}: the file is closed: read and write it before close()`,
  );
}
