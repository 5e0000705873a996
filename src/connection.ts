/**
 * The connection of a unit with `Accept=yes`.
 *
 * @module
 */

import type { Connection, ListenTarget } from "./core/types.ts";
import { currentPlatform } from "./runtime/current.ts";
import { requireConnection } from "./runtime/node/acceptor.ts";
import { connectSocket } from "./runtime/node/connection.ts";
import { ActiveHandle } from "./shutdown/active_handle.ts";
import { claimDescriptor, describeTarget } from "./target.ts";

/**
 * Takes the one connection that this process was started for: a socket unit with
 * `Accept=yes` accepts connections itself, and starts a process for each.
 *
 * @param target The name, `systemd:NAME` or `fd:NUMBER`. By default, the descriptor
 * with systemd's own name for connections, `connection`, or else the only
 * descriptor, whatever its name.
 * @returns The connection.
 * @throws {ActivationError} With the code `missing-name`, `already-claimed` or
 * `ambiguous-name`; `wrong-kind` or `not-open` before anything is touched;
 * `not-activated` without an activation; `unsupported` if this version of the
 * runtime can't take a connection over.
 * @throws {SyntaxError | TypeError} If the target is invalid, or an address to
 * bind.
 *
 * @example
 * ```ts
 * import { connection } from "@listenfds/listenfds";
 *
 * const { readable, writable } = await connection();
 * await readable.pipeTo(writable);
 * ```
 */
export async function connection(
  target?: ListenTarget,
): Promise<Connection> {
  const action = target === undefined
    ? "Taking the connection"
    : `Taking the connection ${describeTarget(target)}`;
  const platform = currentPlatform();
  const claim = claimDescriptor(target, "stream-connection", action);
  const opening = new ActiveHandle();
  try {
    const { descriptor, info } = claim;
    await requireConnection(platform, descriptor, info, action);
    const connected = await platform.connect?.(descriptor.fd) ??
      connectSocket(descriptor.fd);
    claim.opened();
    return connected;
  } catch (error) {
    await claim.release();
    throw error;
  } finally {
    opening.close();
  }
}
