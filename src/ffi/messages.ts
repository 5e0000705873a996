/**
 * The calls of the C library that send messages with descriptors to the service
 * manager.
 *
 * @module
 */

import {
  CLOCK_MONOTONIC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  O_CLOEXEC,
  POLLHUP,
  SCM_RIGHTS,
  SOCK_CLOEXEC,
  SOL_SOCKET,
} from "./constants.ts";
import type { DenoFfi } from "./deno.ts";
import { DescriptorCalls } from "./descriptor_calls.ts";
import { openFunctions } from "./open.ts";
import type { LibcFunctions } from "./signatures.ts";

/** The functions that {@linkcode MessageCalls} calls. */
export const MESSAGE_FUNCTIONS = [
  "clock_gettime",
  "close",
  "connect",
  "fcntl",
  "getsockname",
  "memmove",
  "pipe2",
  "poll",
  "sendmsg",
  "socket",
] as const;

/** `sizeof(struct msghdr)` on 64-bit machines. */
const MSGHDR_BYTES = 56;
/** `sizeof(struct iovec)`. */
const IOVEC_BYTES = 16;
/** `sizeof(struct cmsghdr)`. */
const CMSGHDR_BYTES = 16;

/**
 * Opens the calls.
 *
 * @param deno The `Deno` to open them through. Default: the runtime's own FFI.
 * @returns `undefined` where {@linkcode openFunctions} returns that.
 */
export function openMessageCalls(deno?: DenoFfi): MessageCalls | undefined {
  const functions = openFunctions(MESSAGE_FUNCTIONS, deno);
  return functions && new MessageCalls(functions);
}

/** Calls that send messages with descriptors. */
export class MessageCalls extends DescriptorCalls {
  readonly #functions: LibcFunctions<typeof MESSAGE_FUNCTIONS[number]>;

  constructor(functions: LibcFunctions<typeof MESSAGE_FUNCTIONS[number]>) {
    super(functions);
    this.#functions = functions;
  }

  openSocket(family: number, type: number): number {
    const fd = this.#functions.socket(family, type | SOCK_CLOEXEC, 0);
    return this.check("socket", fd);
  }

  /** Connects a socket to a `struct sockaddr`. */
  connect(fd: number, address: Uint8Array): void {
    this.check("connect", this.#functions.connect(fd, address, address.length));
  }

  /**
   * Sends one message on a connected socket, without waiting for room in the
   * receiver's queue.
   *
   * @param fds Descriptors that the receiver gets duplicates of.
   */
  sendMessage(
    fd: number,
    message: Uint8Array,
    fds: readonly number[],
  ): void {
    const body = stable(message.length);
    body.set(message);
    const iovec = stable(IOVEC_BYTES);
    const iovecView = new DataView(iovec.buffer);
    iovecView.setBigUint64(0, this.#addressOf(body), true);
    iovecView.setBigUint64(8, BigInt(body.length), true);
    const header = stable(MSGHDR_BYTES);
    const view = new DataView(header.buffer);
    view.setBigUint64(16, this.#addressOf(iovec), true);
    view.setBigUint64(24, 1n, true);
    const control = encodeRights(fds);
    if (fds.length > 0) {
      view.setBigUint64(32, this.#addressOf(control), true);
      view.setBigUint64(40, BigInt(control.length), true);
    }
    const flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    const sent = this.#functions.sendmsg(fd, header, flags);
    // The header has addresses only: each use here keeps memory until now.
    keepAlive(body, iovec, control);
    this.check("sendmsg", sent);
  }

  /** Creates a pipe whose ends programs that are started don't get. */
  createPipe(): { readonly readFd: number; readonly writeFd: number } {
    const fds = new Int32Array(2);
    const bytes = new Uint8Array(fds.buffer);
    this.check("pipe2", this.#functions.pipe2(bytes, O_CLOEXEC));
    return { readFd: fds[0]!, writeFd: fds[1]! };
  }

  /** Whether no process has the other end of a pipe, without waiting. */
  isHungUp(fd: number): boolean {
    return (this.poll(fd, 0) & POLLHUP) !== 0;
  }

  /** Reads `CLOCK_MONOTONIC` in microseconds. */
  monotonicUsec(): bigint {
    const bytes = new Uint8Array(16);
    const result = this.#functions.clock_gettime(CLOCK_MONOTONIC, bytes);
    this.check("clock_gettime", result);
    const view = new DataView(bytes.buffer);
    const seconds = view.getBigInt64(0, true);
    return seconds * 1_000_000n + view.getBigInt64(8, true) / 1000n;
  }

  #addressOf(bytes: Uint8Array): bigint {
    return BigInt(this.#functions.memmove(bytes, bytes, 0));
  }
}

/**
 * Allocates memory that keeps its address. V8 moves that of a small array whose
 * `buffer` no code has read.
 */
function stable(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

/** Encodes a control message with descriptors, see `cmsg(3)`. */
function encodeRights(fds: readonly number[]): Uint8Array {
  const length = CMSGHDR_BYTES + 4 * fds.length;
  // CMSG_SPACE: a multiple of 8.
  const bytes = stable(Math.ceil(length / 8) * 8);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(length), true);
  view.setInt32(8, SOL_SOCKET, true);
  view.setInt32(12, SCM_RIGHTS, true);
  for (const [index, fd] of fds.entries()) {
    view.setInt32(CMSGHDR_BYTES + 4 * index, fd, true);
  }
  return bytes;
}

/** The memory of the last message; storing it is a use that no compiler removes. */
let kept: readonly Uint8Array[] = [];

function keepAlive(...memory: readonly Uint8Array[]): number {
  kept = memory;
  return kept.length;
}
