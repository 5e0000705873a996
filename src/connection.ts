/**
 * The connection of a unit with `Accept=yes`.
 *
 * @module
 */

import { quote } from "./core/errors.ts";
import type { Connection } from "./core/types.ts";
import { currentPlatform } from "./runtime/current.ts";
import { requireConnection } from "./runtime/node/acceptor.ts";
import { connectSocket } from "./runtime/node/connection.ts";
import { ActiveHandle } from "./shutdown/active_handle.ts";
import { claimDescriptor } from "./target.ts";

/**
 * Takes the one connection that this process was started for: a socket unit
 * with `Accept=yes` accepts itself, and starts a process for each connection.
 *
 * @param name The descriptor's name; systemd's own default for connections is
 * `connection`.
 * @returns The connection.
 * @throws {ActivationError} With the code `missing-name`, `claimed` or
 * `ambiguous-name`; `wrong-kind` or `closed` before anything is touched;
 * `not-activated` if there is no activation; `unsupported` if this version of
 * the runtime can't take a connection over.
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
  name: string = "connection",
): Promise<Connection> {
  const action = `Taking the connection ${quote(name)}`;
  const platform = currentPlatform();
  const claim = claimDescriptor(name, "stream-connection", action);
  const opening = new ActiveHandle();
  try {
    const { descriptor, info } = claim;
    await requireConnection(platform, descriptor, info, action);
    return await platform.connect?.(descriptor.fd) ??
      connectSocket(descriptor.fd);
  } catch (error) {
    await claim.release();
    throw error;
  } finally {
    opening.close();
  }
}
