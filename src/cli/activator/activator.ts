/**
 * A socket activator for programs that start others: binds sockets and starts a
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

/** A bound socket. */
export interface BoundSocket extends NamedDescriptor {
  /** Port; `undefined` for a Unix socket. */
  readonly port: number | undefined;
}

/**
 * Binds sockets, calls `start` to spawn programs with them, and closes its own
 * descriptors when `start` returns. Accepts no connection and keeps the paths.
 *
 * @returns The value that `start` returned.
 * @throws {UsageError} If a socket can't be bound; no socket is bound then.
 */
export async function withSockets<T>(
  specs: readonly SocketSpec[],
  start: (sockets: readonly BoundSocket[]) => T,
): Promise<T> {
  const held = await bindSockets(specs);
  try {
    held.makeBlocking();
    return start(
      specs.map(({ name }, index) => ({
        name,
        fd: held.fds[index]!,
        port: held.ports[index],
      })),
    );
  } finally {
    await held.release();
  }
}
