/**
 * Reading and writing a descriptor that isn't a socket.
 *
 * @module
 */

import { delay } from "../timers.ts";

/** How a descriptor was opened. */
export type FileAccess = "read" | "write" | "read-write";

/** The kinds of descriptors that aren't sockets. */
export type OpenedKind = "file" | "fifo" | "character-device";

/** The number of bytes; `undefined` if the call would have to wait. */
export type Attempt = number | undefined | Promise<number | undefined>;

/** Reads and writes one descriptor. */
export interface FileIo {
  readonly access: FileAccess;
  /** Reads at the offset. 0 is the end. */
  tryRead(bytes: Uint8Array): Attempt;
  /** Reads at a position. 0 is the end. */
  tryReadAt(bytes: Uint8Array, position: number): Attempt;
  /** Writes some of the bytes. */
  tryWrite(bytes: Uint8Array): Attempt;
  /** Closes the descriptor as soon as no call uses it. No call may follow. */
  close(): void;
}

/** The interval of looking for something to read, and the longest one. */
const MIN_POLL_MS = 1;
const MAX_POLL_MS = 50;

/**
 * Repeats a call until it doesn't have to wait.
 *
 * @param isStopped Whether to give up. Asked before each call, so that no call
 * takes bytes that have no reader any more, or uses a number that is closed.
 * @returns `undefined` if it gave up.
 */
export async function untilDone(
  attempt: () => Attempt,
  isStopped: () => boolean,
): Promise<number | undefined> {
  for (let wait = MIN_POLL_MS;; wait = Math.min(2 * wait, MAX_POLL_MS)) {
    if (isStopped()) return undefined;
    const count = await attempt();
    if (count !== undefined) return count;
    if (isStopped()) return undefined;
    await delay(wait);
  }
}
