/**
 * Binding the address of a fallback whose socket the service manager stores, see
 * "File descriptor store" in `systemd.service(5)`.
 *
 * The socket is bound here, not by the runtime, and used like an inherited one. So
 * it drains like one: what the next process is to accept is left in its queue.
 *
 * @module
 */

import type { Activation } from "../core/activation.ts";
import { Descriptor } from "../core/descriptor.ts";
import { quote } from "../core/errors.ts";
import { decodeSockaddr } from "../core/sockaddr.ts";
import type { UsableKind } from "../core/kinds.ts";
import type { Fallback } from "../core/types.ts";
import { bindAddress } from "../linux/bind_address.ts";
import type { Libc } from "../ffi/libc.ts";
import { openSocketCalls } from "../ffi/sockets.ts";
import { findListener } from "../linux/listening_fds.ts";
import { beginOpening } from "./readiness.ts";
import { processGlobal } from "../runtime/builtin.ts";
import { currentPlatform } from "../runtime/current.ts";
import { bindError } from "../runtime/errors.ts";
import { currentManager } from "../runtime/manager/manager.ts";
import {
  missingStore,
  removeStoredMessage,
  storeMessage,
} from "../runtime/manager/store.ts";
import type { Claim } from "../listen_target.ts";

/** What to bind, and the name that the next process finds it under. */
export interface StoredFallback {
  readonly activated: Activation | null;
  readonly name: string;
  readonly fallback: Fallback;
}

/**
 * A duplicate of each socket that was stored: the service manager keeps the address
 * bound, also when the server has ended, so that the next server for it needs the
 * same socket.
 */
const keptFds = new Map<string, number>();

/** Finds the socket that is stored, if no server of this process has it. */
function findKept(libc: Libc, key: string): number | undefined {
  const fd = keptFds.get(key);
  if (fd === undefined) return undefined;
  const address = decodeSockaddr(libc.localAddress(fd));
  return findListener(libc, address, fd) === undefined ? fd : undefined;
}

/**
 * Binds an address, and has its socket stored. A socket whose server has ended is
 * used again.
 *
 * @throws {ActivationError} With the code `permission` or `unsupported` if this
 * runtime can't send descriptors; or `system` if the address can't be bound.
 */
export function bindStored(
  { activated, name, fallback }: StoredFallback,
  kind: UsableKind,
  action: string,
): Claim {
  const platform = currentPlatform();
  const manager = currentManager(platform, action)!;
  const libc = platform.libc();
  const calls = libc && openSocketCalls();
  if (calls === undefined) throw missingStore(platform, action);
  const message = storeMessage(name, {}, action);
  const key = JSON.stringify([name, kind, fallback]);
  const isDatagram = kind === "datagram";
  let fd: number;
  let keptFd: number | undefined;
  try {
    keptFd = isDatagram ? undefined : findKept(libc!, key);
    fd = keptFd === undefined
      ? bindAddress(calls, fallback, isDatagram)
      : calls.duplicate(keptFd);
    if (!isDatagram) keptFds.set(key, keptFd ??= calls.duplicate(fd));
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw bindError(error, fallback, action);
  }
  const descriptor = new Descriptor(fd, name, platform.inspector);
  const infos = [descriptor.info];
  // The manager's duplicate is sent at once, before anything else is.
  const stored = manager.send(message, action, [fd]);
  const notified = stored.catch((error) => warnOfStore(error, name));
  const opening = beginOpening(activated);
  return {
    source: { kind: "inherited", descriptors: [descriptor], infos },
    async release() {
      opening.end();
      await notified;
      await manager.send(removeStoredMessage(name, action), action)
        .catch(() => {});
      if (descriptor.info.kind !== "closed") calls.close(fd);
      keptFds.delete(key);
      if (keptFd !== undefined) calls.close(keptFd);
    },
    opened: opening.succeed,
  };
}

function warnOfStore(error: unknown, name: string): void {
  const { message } = error as Error;
  processGlobal()!.emitWarning(
    `Storing ${
      quote(name)
    }: ${message}: connections are lost when the service ` +
      `restarts`,
    { code: "LISTENFDS_STORE" },
  );
}
