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
import type { UsableKind } from "../core/kinds.ts";
import type { Fallback } from "../core/types.ts";
import { bindAddress, type BindCalls } from "../linux/bind_address.ts";
import { openSocketCalls } from "../ffi/sockets.ts";
import { beginOpening } from "./readiness.ts";
import {
  closeStored,
  findStored,
  findUnserved,
  keepStored,
} from "./stored_sockets.ts";
import { processGlobal } from "../runtime/builtin.ts";
import { currentPlatform } from "../runtime/current.ts";
import { bindError } from "../runtime/errors.ts";
import { listenersClosed, parkedListeners } from "../runtime/leftovers.ts";
import { currentManager, type Manager } from "../runtime/manager/manager.ts";
import type { StoredSocket } from "../runtime/manager/state.ts";
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

/** A socket to serve. */
interface OpenedSocket {
  readonly fd: number;
  /** The duplicate that stays when the server ends; none for datagrams. */
  readonly kept: StoredSocket | undefined;
  /** Removes the path, unless an earlier call has created it. */
  removePath(): void;
  /** Whether the socket was bound now, not for an earlier server. */
  readonly isNew: boolean;
}

/** Binds an address, or duplicates its socket whose server has ended. */
function bindOrReuse(
  bindCalls: BindCalls,
  { name, fallback }: StoredFallback,
  kind: UsableKind,
): OpenedSocket {
  const { libc, calls } = bindCalls;
  if (kind === "datagram") {
    const bound = bindAddress(bindCalls, fallback, true);
    return { ...bound, kept: undefined, isNew: true };
  }
  const key = JSON.stringify([name, kind, fallback]);
  const kept = findUnserved(libc, key);
  if (kept !== undefined) {
    const fd = calls.duplicate(kept.fd);
    return { fd, kept, removePath() {}, isNew: false };
  }
  const bound = bindAddress(bindCalls, fallback, false);
  try {
    const fd = calls.duplicate(bound.fd);
    const close = () => calls.close(fd);
    const stored = keepStored({ name, key, fd, close });
    return { ...bound, kept: stored, isNew: true };
  } catch (error) {
    calls.close(bound.fd);
    bound.removePath();
    throw error;
  }
}

/**
 * Binds an address, and has its socket stored. A socket whose server has ended is
 * used again.
 *
 * @throws {ActivationError} With the code `permission` or `unsupported` if this
 * runtime can't send descriptors; or `system` if the address can't be bound.
 */
export function bindStored(
  request: StoredFallback,
  kind: UsableKind,
  action: string,
): Claim {
  const { activated, name, fallback } = request;
  const platform = currentPlatform();
  const manager = currentManager(platform, action)!;
  const libc = platform.libc();
  const calls = libc && openSocketCalls();
  if (calls === undefined) throw missingStore(platform, action);
  const message = storeMessage(name, {}, action);
  let socket: OpenedSocket;
  try {
    socket = bindOrReuse({ libc: libc!, calls }, request, kind);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw bindError(error, fallback, action);
  }
  const { fd, kept, removePath, isNew } = socket;
  const descriptor = new Descriptor(fd, name, platform.inspector);
  const infos = [descriptor.info];
  // The manager's duplicate is sent at once, before anything else is.
  const stored = manager.send(message, action, [fd]);
  const forget = () => void (isNew && kept && closeStored(kept));
  const notified = stored.catch((error) => {
    // Nothing but the server keeps the address bound.
    forget();
    warnOfStore(error, name);
  });
  const opening = beginOpening(activated);
  return {
    source: { kind: "inherited", descriptors: [descriptor], infos },
    async release() {
      opening.end();
      // At once, because another call must not use a socket that is discarded.
      forget();
      parkedListeners.get(descriptor)?.close();
      await listenersClosed();
      await notified;
      if (isNew) await removeNew(manager, name, action);
      if (descriptor.info.kind !== "closed") calls.close(fd);
      removePath();
    },
    opened: opening.succeed,
  };
}

/** Has a name removed from the store; its sockets of other calls stay there. */
async function removeNew(
  manager: Manager,
  name: string,
  action: string,
): Promise<void> {
  const message = storeMessage(name, {}, action);
  try {
    await manager.send(removeStoredMessage(name, action), action);
    for (const { fd } of findStored(name)) {
      await manager.send(message, action, [fd]);
    }
  } catch {
    // The error that the call failed with is reported.
  }
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
