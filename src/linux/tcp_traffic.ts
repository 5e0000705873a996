/**
 * What happens on the connections of a runtime's own server, as the kernel sees
 * it: the runtime doesn't report responses that it still sends, nor requests of
 * which a part has come.
 *
 * @module
 */

import type { Address } from "../core/address.ts";
import type { Libc } from "../ffi/libc.ts";
import type { TcpInfo } from "../ffi/tcp_info.ts";
import { acceptedFds } from "./connections.ts";

/** Time without progress after which a response is given up. */
const STALL_MS = 1000;
/** Number of looks with progress that tell a long response from a short one. */
export const MIN_LOOKS = 3;

/** What was seen of a connection. */
interface Progress {
  bytesAcked: bigint;
  /** Number of looks at which bytes were on their way. */
  looks: number;
  lastMs: number;
}

/** The traffic on the TCP connections that were accepted at some addresses. */
export class TcpTraffic {
  readonly #libc: Libc;
  readonly #addresses: readonly Address[];
  #seen: Map<string, Progress> = new Map();
  #hasFirstBytes = false;
  #hasNewBytes = false;
  #hasSentLately = false;

  constructor(libc: Libc, addresses: readonly Address[]) {
    this.#libc = libc;
    this.#addresses = addresses;
  }

  /** Whether a client has sent bytes and was sent none: a part of a request. */
  get hasFirstBytes(): boolean {
    return this.#hasFirstBytes;
  }

  /**
   * Whether a client has sent bytes after those that it was sent. In HTTP/1 they
   * are a part of the next request; a client of HTTP/2 also acknowledges frames.
   * Bytes within a clock tick of the kernel (4 ms) after a response don't count.
   */
  get hasNewBytes(): boolean {
    return this.#hasNewBytes;
  }

  /**
   * Whether a client was sent bytes within the last second. In HTTP/2, a response
   * that its client reads slowly waits in the runtime, and the kernel knows no
   * more of it than that it was sent parts of it.
   */
  get hasSentLately(): boolean {
    return this.#hasSentLately;
  }

  /** Whether a long response is being sent. */
  get isSending(): boolean {
    const now = performance.now();
    return [...this.#seen.values()].some(({ looks, lastMs }) =>
      looks >= MIN_LOOKS && now - lastMs < STALL_MS
    );
  }

  /** Looks at all connections. */
  update(): void {
    const seen = new Map<string, Progress>();
    this.#hasFirstBytes = this.#hasNewBytes = this.#hasSentLately = false;
    for (const [key, info] of this.#infos()) {
      if (info.dataSegmentsSent === 0) {
        this.#hasFirstBytes ||= info.bytesReceived > 0n;
      } else {
        this.#hasNewBytes ||= info.lastReceivedMs < info.lastSentMs;
        this.#hasSentLately ||= info.lastSentMs < STALL_MS;
      }
      seen.set(key, progressOf(info, this.#seen.get(key)));
    }
    this.#seen = seen;
  }

  /** Ends the connections on which the client has never sent a byte. */
  endUnused(): void {
    for (const [, { bytesReceived }, fd] of this.#infos()) {
      if (bytesReceived > 0n) continue;
      try {
        this.#libc.shutdownConnection(fd);
      } catch {
        // The peer has closed the connection already.
      }
    }
  }

  /** Iterates over the connections; a key names a connection, not its number. */
  *#infos(): Generator<readonly [key: string, info: TcpInfo, fd: number]> {
    try {
      for (const fd of acceptedFds(this.#libc, this.#addresses)) {
        const info = this.#read(fd);
        if (info !== undefined) yield info;
      }
    } catch {
      // No descriptor is free: nothing is known.
    }
  }

  #read(fd: number): readonly [string, TcpInfo, number] | undefined {
    try {
      return [
        `${fd} ${this.#libc.peerAddress(fd)}`,
        this.#libc.tcpInfo(fd),
        fd,
      ];
    } catch {
      // A Unix socket, or one that was closed meanwhile.
      return undefined;
    }
  }
}

function progressOf(
  { bytesAcked, bytesNotSent }: TcpInfo,
  before: Progress | undefined,
): Progress {
  // Bytes that were sent and not acknowledged say nothing: a client may delay that
  // for longer than the interval between two looks.
  const isMoving = bytesNotSent > 0 ||
    (before !== undefined && before.bytesAcked !== bytesAcked);
  const { looks = 0, lastMs = 0 } = before ?? {};
  return isMoving
    ? { bytesAcked, looks: looks + 1, lastMs: performance.now() }
    : { bytesAcked, looks, lastMs };
}
