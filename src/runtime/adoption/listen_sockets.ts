/**
 * The sockets under the runtime's own listeners, and what can be done to them
 * that the runtime gives no way for.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import type { Libc } from "../../ffi/libc.ts";
import type { AdoptedSocket } from "../../linux/adopt.ts";
import {
  endConnections,
  type OpenConnections,
  openConnections,
} from "../../linux/connections.ts";

/** The sockets of one or more listeners that end together. */
export interface Sockets {
  /** The addresses of those that were handed over, in order. */
  readonly inherited: readonly (Address | undefined)[];
  /** Whether they were handed over. */
  readonly areInherited: boolean;
  /** Accepts nothing more; what comes waits for whoever listens next. */
  detach(): void;
  /** Accepts again. */
  attach(): void;
  /** Whether a connection waits to be accepted. */
  isWaiting(): boolean;
  /** What is known of the connections that were accepted; often nothing. */
  connections(): OpenConnections | undefined;
  /** Ends the connections that were accepted, where they are known. */
  endConnections(): void;
}

/** Sockets that were handed over. */
export class AdoptedSockets implements Sockets {
  readonly areInherited = true;
  readonly inherited: readonly (Address | undefined)[];
  readonly #libc: Libc;
  readonly #sockets: readonly AdoptedSocket[];

  /**
   * @param libc The C library.
   * @param sockets The adopted sockets.
   * @param inherited Their addresses.
   */
  constructor(
    libc: Libc,
    sockets: readonly AdoptedSocket[],
    inherited: readonly (Address | undefined)[],
  ) {
    this.#libc = libc;
    this.#sockets = sockets;
    this.inherited = inherited;
  }

  get #known(): Address[] {
    return this.inherited.flatMap((each) => each ?? []);
  }

  detach(): void {
    for (const each of this.#sockets) each.pause();
  }

  attach(): void {
    for (const each of this.#sockets) each.resume();
  }

  isWaiting(): boolean {
    return this.#sockets.some((each) => each.hasPending());
  }

  connections(): OpenConnections | undefined {
    return openConnections(this.#libc, this.#known);
  }

  endConnections(): void {
    try {
      endConnections(this.#libc, this.#known);
    } catch {
      // They can't be found: they end with the process.
    }
  }
}

/** Whether a connection that was accepted at inherited sockets may be open. */
export function isBusy(sockets: Sockets): boolean {
  return sockets.areInherited && sockets.connections()?.count !== 0;
}

/** Sockets that the runtime has bound itself, to fall back to. */
export const OWN_SOCKETS: Sockets = {
  inherited: [],
  areInherited: false,
  detach() {},
  attach() {},
  isWaiting: () => false,
  connections: () => undefined,
  endConnections() {},
};
