/**
 * The sockets under the runtime's own listeners, with operations that the
 * runtime has no function for.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import type { Libc } from "../../ffi/libc.ts";
import {
  endConnections,
  type OpenConnections,
  openConnections,
} from "../../linux/connections.ts";
import type { EpollSocket } from "../../linux/epoll_socket.ts";
import { TcpTraffic } from "../../linux/tcp_traffic.ts";
import { holdWhileExhausted } from "./exhaustion.ts";

/** A socket that stays open beside the runtime's own listener on it. */
export interface KeptSocket {
  readonly fd: number;
  /** Formats it for messages. */
  toString(): string;
}

/** What is known of the sockets of listeners that end together. */
interface KnownSockets {
  readonly libc: Libc;
  /** The sockets, as the runtime has them. */
  readonly sockets: readonly EpollSocket[];
  /** The address of each socket, in order. */
  readonly addresses: readonly (Address | undefined)[];
  /** The same sockets for listeners to come; none where none can be lost. */
  readonly kept: readonly KeptSocket[];
  /** Whether another process listens when this one has ended. */
  readonly areInherited: boolean;
}

/** The sockets of listeners that end together, as far as they are known. */
export class ListenSockets {
  /** The address of each known socket, in order. */
  readonly addresses: readonly (Address | undefined)[];
  readonly areInherited: boolean;
  readonly #libc: Libc | undefined;
  readonly #sockets: EpollSocket[];
  readonly #kept: KeptSocket[];
  #isPaused = false;

  constructor(known?: KnownSockets) {
    this.#libc = known?.libc;
    this.#sockets = [...known?.sockets ?? []];
    this.addresses = known?.addresses ?? [];
    this.#kept = [...known?.kept ?? []];
    this.areInherited = known?.areInherited ?? false;
  }

  /** Whether a listener that the runtime closes can be replaced. */
  get areKept(): boolean {
    return this.#kept.length > 0;
  }

  /**
   * Stops accepting; new connections wait for the next process that listens. Where
   * there will be none, they are accepted until the listeners are closed.
   */
  pause(): void {
    if (!this.areInherited) return;
    this.#isPaused = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Accepts again. */
  resume(): void {
    if (!this.areInherited) return;
    this.#isPaused = false;
    for (const socket of this.#sockets) socket.resume();
  }

  /** Accepts nothing while the process has no free descriptor. */
  holdWhileExhausted(): void {
    if (this.#libc !== undefined) holdWhileExhausted(this.#libc, this.#sockets);
  }

  /** Whether a connection waits to be accepted. */
  hasPending(): boolean {
    return this.areKept
      ? this.#libc!.areReadable(this.#kept.map(({ fd }) => fd)).includes(true)
      : this.#sockets.some((socket) => socket.hasPending());
  }

  /**
   * The indexes of kept sockets that are to accept, and whose listener the
   * runtime has closed.
   */
  lostIndexes(): number[] {
    if (this.#isPaused) return [];
    return [...this.#kept.keys()]
      .filter((index) => !this.#sockets[index]!.isOpen);
  }

  /** The socket for a listener to come. */
  kept(index: number): KeptSocket {
    return this.#kept[index]!;
  }

  /** Records that another listener was put onto a kept socket. */
  replace(index: number, socket: EpollSocket): void {
    this.#sockets[index] = socket;
  }

  /** Closes the kept numbers, when no listener is to come. */
  release(): void {
    for (const { fd } of this.#kept.splice(0)) this.#libc!.close(fd);
  }

  /** The accepted connections; `undefined` where they are unknown. */
  connections(): OpenConnections | undefined {
    return this.#libc && openConnections(this.#libc, this.#knownAddresses);
  }

  /** Whether an accepted connection may be open. */
  mayHaveConnections(): boolean {
    return this.#libc !== undefined && this.connections()?.count !== 0;
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
