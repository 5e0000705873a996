/**
 * An activator for programs that start others: binds sockets and starts a
 * program with them, as `systemd-socket-activate(1)` does.
 *
 * @module
 */

import { bindSockets } from "./bind.ts";
import type { NamedDescriptor } from "./launch.ts";
import type { SocketSpec } from "../shared/socket_spec.ts";

export {
  type NamedDescriptor,
  spawnActivated,
  type SpawnOptions,
} from "./launch.ts";
export { parseSocketSpec, type SocketSpec } from "../shared/socket_spec.ts";

/** A socket that was bound. */
export interface BoundSocket extends NamedDescriptor {
  /** The port that it is bound to; `undefined` for a Unix socket. */
  readonly port: number | undefined;
}

/**
 * Binds sockets and lets a function start programs with them. No connection is
 * accepted here. Paths stay.
 *
 * @param specs The sockets to bind.
 * @param start Starts the programs; they are to be started when it returns.
 * @returns What `start` returned.
 * @throws {UsageError} If a socket can't be bound; then none is.
 */
export async function withSockets<T>(
  specs: readonly SocketSpec[],
  start: (sockets: readonly BoundSocket[]) => T,
): Promise<T> {
  const held = await bindSockets(specs);
  try {
    held.makeBlocking();
    return start(
      specs.map(({ name }, at) => ({
        name,
        fd: held.fds[at]!,
        port: held.ports[at],
      })),
    );
  } finally {
    await held.release();
  }
}
