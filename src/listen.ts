/**
 * Accepting stream connections on the sockets of a name.
 *
 * @module
 */

import type { Address } from "./core/address.ts";
import type {
  Connection,
  Fallback,
  ListenTarget,
  Made,
  Mode,
} from "./core/types.ts";
import type { ConnectionListener } from "./runtime/backend.ts";
import { currentPlatform } from "./runtime/current.ts";
import { listenOnFirst, loadBackends, readMode } from "./runtime/select.ts";
import { ActiveHandle } from "./shutdown/active_handle.ts";
import { claimTarget, describeTarget } from "./target.ts";

/** How {@linkcode listen} listens. */
export interface ListenOptions {
  /** Where to listen when, and only when, the process is not activated. */
  readonly fallback?: Fallback;
  /**
   * `auto`, the default: the runtime's own listener where it can be put onto the
   * sockets, else `node:net`. `native` or `portable`: the one or the other, or an
   * error. Node's own listener is `node:net`.
   */
  readonly mode?: Mode;
}

/**
 * Accepts the connections of all sockets of a name: TCP (IPv4 and IPv6) or Unix.
 *
 * They are accepted as they come, and wait in a queue for an iterator, which has
 * no limit but that of open descriptors: take them at once, and handle them
 * beside each other.
 */
export interface Listener extends AsyncIterable<Connection>, Made {
  /**
   * The address of each socket, in order; `undefined` where it can't be told
   * (a Unix socket on Deno without `--allow-ffi`).
   */
  readonly addresses: readonly (Address | undefined)[];
  /**
   * The connections, each one given to one iterator only. The iteration ends
   * when the listener is closed, after what was accepted before.
   */
  [Symbol.asyncIterator](): AsyncIterator<Connection, undefined>;
  /**
   * Stops accepting. The socket stays with the service manager: it is not shut
   * down, and its path is not removed. Accepted connections live on, and keep
   * the process alive; those that no iterator has taken still can be.
   */
  close(): void;
  /** Keeps the process alive while this listens, as it does from the start. */
  ref(): void;
  /** Lets the process end although this listens. */
  unref(): void;
  /** Stops accepting, and closes the connections that no iterator has taken. */
  [Symbol.dispose](): void;
}

/**
 * Listens on the sockets that a service manager handed over under a name.
 *
 * Several sockets of one name (IPv4 and IPv6, say) are one listener: all of them
 * start, or none. If that fails, all of them can be claimed again.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options How to listen.
 * @returns The listener.
 * @throws {ActivationError} With the code `missing-name` or `claimed`;
 * `wrong-kind` or `closed` before anything is touched; `not-activated` if there
 * is neither an activation nor a fallback; `activated` if an address is to be
 * bound although there is one; `unsupported` if this version of the runtime
 * can't listen on an inherited descriptor; `permission` or `failed` if the
 * operating system or the runtime refuses.
 * @throws {SyntaxError | RangeError} If the target is an address that doesn't
 * parse, or the environment doesn't.
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
  const mode = readMode(options.mode, action);
  const opening = new ActiveHandle();
  try {
    const selection = await loadBackends(currentPlatform(), mode);
    const claim = claimTarget(target, options.fallback, action);
    try {
      const { listeners, ...made } = await listenOnFirst(
        selection,
        claim.source,
        action,
      );
      return new StreamListener(listeners, made);
    } catch (error) {
      await claim.release();
      throw error;
    }
  } finally {
    opening.close();
  }
}

type Next = IteratorResult<Connection, undefined>;

const DONE: Next = { done: true, value: undefined };

/** Merges the connections of several listeners. */
class StreamListener implements Listener {
  readonly mode: Made["mode"];
  readonly modeReason: string;
  readonly addresses: readonly (Address | undefined)[];
  readonly #listeners: readonly ConnectionListener[];
  readonly #handle: ActiveHandle;
  /** Connections that no iterator has asked for yet. */
  readonly #accepted: Connection[] = [];
  /** Iterators that wait for a connection; the first gets the next one. */
  readonly #waiting = new Set<(next: Next) => void>();
  #isClosed = false;

  constructor(
    listeners: readonly ConnectionListener[],
    { mode, modeReason }: Made,
  ) {
    this.mode = mode;
    this.modeReason = modeReason;
    this.#listeners = listeners;
    this.addresses = listeners.map(({ address }) => address);
    this.#handle = new ActiveHandle(() =>
      listeners.some((listener) => listener.hasConnections())
    );
    for (const listener of listeners) {
      listener.attach((value) => {
        const [next] = this.#waiting;
        if (next === undefined) this.#accepted.push(value);
        else next({ done: false, value });
      });
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<Connection, undefined> {
    const own = new Set<(next: Next) => void>();
    return {
      next: () => this.#next(own),
      // Leaving a loop ends the iteration, not the listener: another loop can
      // continue where this one stopped.
      return: () => {
        for (const resolve of own) resolve(DONE);
        return Promise.resolve(DONE);
      },
    };
  }

  #next(own: Set<(next: Next) => void>): Promise<Next> {
    const value = this.#accepted.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#isClosed) return Promise.resolve(DONE);
    return new Promise((resolve) => {
      const settle = (next: Next) => {
        own.delete(settle);
        this.#waiting.delete(settle);
        resolve(next);
      };
      own.add(settle);
      this.#waiting.add(settle);
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const listener of this.#listeners) listener.close();
    this.#handle.close();
    for (const resolve of this.#waiting) resolve(DONE);
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
    this.close();
    for (const connection of this.#accepted.splice(0)) connection.close();
  }
}
