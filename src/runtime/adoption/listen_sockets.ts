/**
 * The sockets under the runtime's own listeners, with operations that the
 * runtime has no function for.
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
import { TcpTraffic } from "../../linux/tcp_traffic.ts";

/**
 * The sockets of listeners that end together: adopted ones, or none where the
 * runtime bound a fallback address itself.
 */
export class ListenSockets {
  /** The address of each adopted socket, in order. */
  readonly addresses: readonly (Address | undefined)[];
  readonly #libc: Libc | undefined;
  readonly #adopted: readonly AdoptedSocket[];

  constructor(
    libc?: Libc,
    adopted: readonly AdoptedSocket[] = [],
    addresses: readonly (Address | undefined)[] = [],
  ) {
    this.#libc = libc;
    this.#adopted = adopted;
    this.addresses = addresses;
  }

  get areInherited(): boolean {
    return this.#adopted.length > 0;
  }

  /** Stops accepting; new connections wait for the next process that listens. */
  pause(): void {
    for (const socket of this.#adopted) socket.pause();
  }

  /** Accepts again. */
  resume(): void {
    for (const socket of this.#adopted) socket.resume();
  }

  /** Whether a connection waits to be accepted. */
  hasPending(): boolean {
    return this.#adopted.some((socket) => socket.hasPending());
  }

  /** The accepted connections; `undefined` where they are unknown. */
  connections(): OpenConnections | undefined {
    return this.#libc && openConnections(this.#libc, this.#knownAddresses);
  }

  /** Whether an accepted connection may be open. */
  mayHaveConnections(): boolean {
    return this.areInherited && this.connections()?.count !== 0;
  }

  /** The traffic on the accepted connections, where they are known. */
  watchTraffic(): TcpTraffic | undefined {
    return this.#libc && new TcpTraffic(this.#libc, this.#knownAddresses);
  }

  /** Shuts the accepted connections down, where they are known. */
  endConnections(): void {
    if (this.#libc === undefined) return;
    try {
      endConnections(this.#libc, this.#knownAddresses);
    } catch {
      // The connections can't be found, and end with the process.
    }
  }

  get #knownAddresses(): Address[] {
    return this.addresses.filter((address) => address !== undefined);
  }
}
