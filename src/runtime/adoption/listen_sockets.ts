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
import { holdWhileExhausted } from "./exhaustion.ts";

/**
 * The sockets of listeners that end together: adopted ones, or none where the
 * runtime bound a fallback address itself.
 */
export class ListenSockets {
  /** The address of each adopted socket, in order. */
  readonly addresses: readonly (Address | undefined)[];
  readonly #libc: Libc | undefined;
  readonly #adopted: AdoptedSocket[];
  /** The inherited numbers, which stay open for listeners to come. */
  readonly #keptFds: number[];
  #isPaused = false;

  constructor(
    libc?: Libc,
    adopted: readonly AdoptedSocket[] = [],
    addresses: readonly (Address | undefined)[] = [],
    keptFds: readonly number[] = [],
  ) {
    this.#libc = libc;
    this.#adopted = [...adopted];
    this.addresses = addresses;
    this.#keptFds = [...keptFds];
  }

  get areInherited(): boolean {
    return this.#adopted.length > 0;
  }

  /** Stops accepting; new connections wait for the next process that listens. */
  pause(): void {
    this.#isPaused = true;
    for (const socket of this.#adopted) socket.pause();
  }

  /** Accepts again. */
  resume(): void {
    this.#isPaused = false;
    for (const socket of this.#adopted) socket.resume();
  }

  /** Accepts nothing while the process has no free descriptor. */
  holdWhileExhausted(): void {
    if (this.#libc !== undefined) holdWhileExhausted(this.#libc, this.#adopted);
  }

  /** Whether a connection waits to be accepted. */
  hasPending(): boolean {
    return this.#keptFds.length > 0
      ? this.#libc!.areReadable(this.#keptFds).includes(true)
      : this.#adopted.some((socket) => socket.hasPending());
  }

  /**
   * The indexes of kept sockets that are to accept, and whose listener the
   * runtime has closed.
   */
  lostIndexes(): number[] {
    if (this.#isPaused) return [];
    return [...this.#keptFds.keys()]
      .filter((index) => !this.#adopted[index]!.isOpen);
  }

  /**
   * Puts another listener onto a kept socket.
   *
   * @param adopt Adopts the inherited number, which stays open.
   */
  replace(index: number, adopt: (keptFd: number) => AdoptedSocket): void {
    this.#adopted[index] = adopt(this.#keptFds[index]!);
  }

  /** Closes the kept numbers, when no listener is to come. */
  release(): void {
    for (const fd of this.#keptFds.splice(0)) this.#libc!.close(fd);
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
