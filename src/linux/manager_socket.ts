/**
 * Sending messages to the service manager's socket through the C library.
 *
 * @module
 */

import {
  AF_UNIX,
  AF_VSOCK,
  encodeUnix,
  encodeVsock,
} from "../core/sockaddr.ts";
import type { NotifySocket, VsockType } from "../core/systemd/notify_socket.ts";
import {
  ENODEV,
  EPROTONOSUPPORT,
  EPROTOTYPE,
  ESOCKTNOSUPPORT,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_STREAM,
} from "../ffi/constants.ts";
import { LibcError } from "../ffi/descriptor_calls.ts";
import type { MessageCalls } from "../ffi/messages.ts";

const VSOCK_TYPES: Readonly<Record<VsockType, number>> = {
  dgram: SOCK_DGRAM,
  seqpacket: SOCK_SEQPACKET,
  stream: SOCK_STREAM,
};

/** Errors of a type of socket that a vsock doesn't have. */
const OTHER_TYPE: readonly number[] = [
  ENODEV,
  EPROTOTYPE,
  EPROTONOSUPPORT,
  ESOCKTNOSUPPORT,
];

/**
 * Sends one message.
 *
 * @param fds Descriptors that the service manager gets duplicates of.
 * @throws {LibcError} With the kernel's error; `EAGAIN` while the queue is full.
 */
export function sendToSocket(
  calls: MessageCalls,
  target: NotifySocket,
  message: string,
  fds: readonly number[],
): void {
  const bytes = new TextEncoder().encode(message);
  const fd = connectTo(calls, target);
  try {
    calls.sendMessage(fd, bytes, fds);
  } finally {
    calls.close(fd);
  }
}

function connectTo(calls: MessageCalls, target: NotifySocket): number {
  if (target.kind === "unix") {
    return open(calls, AF_UNIX, SOCK_DGRAM, encodeUnix(target.path));
  }
  const address = encodeVsock(target.contextId, target.port);
  const types = target.type === undefined
    ? Object.values(VSOCK_TYPES)
    : [VSOCK_TYPES[target.type]];
  let failure: unknown;
  // As libsystemd does: which types there are depends on the hypervisor.
  for (const type of types) {
    try {
      return open(calls, AF_VSOCK, type, address);
    } catch (error) {
      failure = error;
      if (!(error instanceof LibcError && OTHER_TYPE.includes(error.errno))) {
        break;
      }
    }
  }
  throw failure;
}

function open(
  calls: MessageCalls,
  family: number,
  type: number,
  address: Uint8Array,
): number {
  const fd = calls.openSocket(family, type);
  try {
    calls.connect(fd, address);
    return fd;
  } catch (error) {
    calls.close(fd);
    throw error;
  }
}
