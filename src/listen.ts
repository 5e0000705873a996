/**
 * Accepting stream connections on the sockets of a name.
 *
 * @module
 */

import { requireOptions } from "./core/errors.ts";
import type { Address } from "./core/address.ts";
import type {
  Connection,
  Listener,
  ListenOptions,
  ListenTarget,
} from "./core/types.ts";
import type { ConnectionListener } from "./runtime/backend.ts";
import { currentPlatform } from "./runtime/current.ts";
import { listenOnFirst, loadBackends, readBackend } from "./runtime/select.ts";
import { ActiveHandle } from "./shutdown/active_handle.ts";
import { describeTarget, prepareClaim } from "./target.ts";

/**
 * Listens on the sockets that a service manager passed under a name.
 *
 * Several sockets of one name (IPv4 and IPv6, say) are one listener: all of them
 * start, or none. After a failure all can be claimed again.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options Where to listen without an activation.
 * @returns The listener.
 * @throws {ActivationError} As {@linkcode serve}.
 * @throws {SyntaxError | RangeError} If the target is an invalid address, or a
 * variable is malformed.
 *
 * @example An echo server
 * ```ts
 * import { listen } from "@listenfds/listenfds";
 *
 * for await (const { readable, writable } of await listen("echo")) {
 *   readable.pipeTo(writable).catch(() => {});
 * }
 * ```
 */
export async function listen(
  target: ListenTarget,
  options: ListenOptions = {},
): Promise<Listener> {
  const action = `Listening on ${describeTarget(target)}`;
  requireOptions(options, action);
  const option = readBackend(options.backend, action);
  const platform = currentPlatform();
  const opening = new ActiveHandle();
  try {
    const backends = await loadBackends(platform, option, "listen");
    const claimAs = await prepareClaim(options.fallback);
    const claim = claimAs(target, "stream-listener", action);
    try {
      const { listeners, ...selected } = await listenOnFirst(
        platform,
        backends,
        claim.source,
        action,
      );
      claim.opened();
      return new StreamListener(listeners, selected);
    } catch (error) {
      await claim.release();
      throw error;
    }
  } finally {
    opening.close();
  }
}

const DONE = { done: true, value: undefined } as const;

/** Merges the connections of several listeners. */
class StreamListener implements Listener {
  readonly backend: Listener["backend"];
  readonly backendReason: string;
  readonly addresses: readonly (Address | undefined)[];
  readonly #listeners: readonly ConnectionListener[];
  readonly #handle: ActiveHandle;
  /** Connections that no iterator has asked for yet. */
  readonly #accepted: Connection[] = [];
  /** Iterators that wait for a connection; the first gets the next one. */
  readonly #waiting = new Set<(connection?: Connection) => void>();
  #closed: Promise<void> | undefined;

  constructor(
    listeners: readonly ConnectionListener[],
    { backend, backendReason }: Pick<Listener, "backend" | "backendReason">,
  ) {
    this.backend = backend;
    this.backendReason = backendReason;
    this.#listeners = listeners;
    this.addresses = listeners.map(({ address }) => address);
    this.#handle = new ActiveHandle(() =>
      listeners.some((listener) => listener.hasConnections())
    );
    for (const listener of listeners) {
      listener.attach((connection) => {
        const [take] = this.#waiting;
        if (take === undefined) this.#accepted.push(connection);
        else take(connection);
      });
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<Connection, undefined> {
    const own = new Set<(connection?: Connection) => void>();
    return {
      next: async () => {
        const value = await this.#take(own);
        return value === undefined ? DONE : { done: false, value };
      },
      // Leaving a loop ends the iteration, not the listener: another loop can
      // continue where this one stopped.
      return: () => {
        for (const end of own) end();
        return Promise.resolve(DONE);
      },
    };
  }

  /** Waits for a connection; `undefined` ends the iteration. */
  #take(
    own: Set<(connection?: Connection) => void>,
  ): Promise<Connection | undefined> {
    const accepted = this.#accepted.shift();
    if (accepted !== undefined || this.#closed !== undefined) {
      return Promise.resolve(accepted);
    }
    return new Promise((resolve) => {
      const settle = (connection?: Connection) => {
        own.delete(settle);
        this.#waiting.delete(settle);
        resolve(connection);
      };
      own.add(settle);
      this.#waiting.add(settle);
    });
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    const closed = this.#listeners.map((listener) => listener.close());
    this.#handle.close();
    for (const end of this.#waiting) end();
    await Promise.all(closed);
  }

  ref(): void {
    for (const listener of this.#listeners) listener.ref();
    this.#handle.ref();
  }

  unref(): void {
    for (const listener of this.#listeners) listener.unref();
    this.#handle.unref();
  }

  [Symbol.dispose](): void {
    void this.close();
    for (const connection of this.#accepted.splice(0)) connection.close();
  }
}
