/**
 * Puts a listener of the runtime's own onto an inherited socket.
 *
 * Neither `Deno.serve` nor `Bun.serve` takes a descriptor. So the runtime creates
 * its listener on a placeholder, whose number then becomes a duplicate of the
 * inherited socket: `dup3(2)` closes the placeholder's socket, and the runtime's
 * epoll instance gets the inherited socket with the same entry. The runtime
 * doesn't notice the change.
 *
 * Everything here is synchronous. So no connection is accepted between the first
 * step and the last, and all steps can be undone.
 *
 * @module
 */

import { type Address, sameAddress } from "../core/address.ts";
import { decodeSockaddr } from "../core/sockaddr.ts";
import type { EpollEntry, Libc } from "../ffi/libc.ts";
import { candidateFds } from "./candidate_fds.ts";
import { parseEpollEntry } from "./procfs.ts";

/** An inherited socket that has taken a placeholder's place. */
export class AdoptedSocket {
  /** The number that the runtime knows the socket by. */
  readonly fd: number;
  readonly #libc: Libc;
  readonly #inheritedFd: number;
  readonly #wasNonBlocking: boolean;
  /** The runtime's epoll instance, and the placeholder's entry there. */
  readonly #epollFd: number;
  readonly #entry: EpollEntry;
  #isPaused = false;

  constructor(
    libc: Libc,
    fd: number,
    inheritedFd: number,
    epollFd: number,
    entry: EpollEntry,
  ) {
    this.#libc = libc;
    this.fd = fd;
    this.#inheritedFd = inheritedFd;
    this.#wasNonBlocking = libc.isNonBlocking(inheritedFd);
    this.#epollFd = epollFd;
    this.#entry = entry;
  }

  /** Closes the inherited number. After that, adopting can't be undone. */
  commit(): void {
    this.#libc.close(this.#inheritedFd);
  }

  /**
   * Restores the inherited number as it was, blocking or not. The listener
   * accepts nothing any more, and the caller closes it.
   */
  rollback(): void {
    try {
      this.#libc.removeFromEpoll(this.#epollFd, this.fd);
    } finally {
      this.#libc.setNonBlocking(this.#inheritedFd, this.#wasNonBlocking);
    }
  }

  /**
   * Stops the runtime from accepting: connections wait in the socket's backlog.
   * Must come before the runtime closes the listener, because another file may
   * get its number then. A second call does nothing.
   */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#libc.removeFromEpoll(this.#epollFd, this.fd);
  }

  /** Undoes {@linkcode AdoptedSocket.pause}. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#libc.addToEpoll(this.#epollFd, this.fd, this.#entry);
    this.#isPaused = false;
  }

  /** Checks whether a connection waits to be accepted. */
  hasPending(): boolean {
    return this.#libc.isReadable(this.fd);
  }
}

/**
 * Puts an inherited socket in the place of a placeholder.
 *
 * @param fd The inherited socket.
 * @param placeholder The placeholder's address, which no other socket of this
 * process has. A port of 0 stands for any.
 * @param from The likely number of the placeholder, from
 * {@linkcode Libc.findLowestFreeFd}.
 * @throws {Error} If a step fails; then `fd` is as it was.
 */
export function adoptSocket(
  libc: Libc,
  fd: number,
  placeholder: Address,
  from: number,
): AdoptedSocket {
  const placeholderFd = findPlaceholder(libc, placeholder, fd, from);
  const { epollFd, entry } = findEpoll(libc, placeholderFd);
  const adopted = new AdoptedSocket(libc, placeholderFd, fd, epollFd, entry);
  // A blocking socket hangs the event loop when another process accepts first.
  libc.setNonBlocking(fd, true);
  try {
    libc.duplicateOnto(fd, placeholderFd);
    libc.addToEpoll(epollFd, placeholderFd, entry);
    // Verified by adding it again, because the time of reading fdinfo grows with
    // the number of entries.
    if (!libc.addToEpollIfAbsent(epollFd, placeholderFd, entry)) {
      throw new Error(
        `the epoll instance ${epollFd} doesn't watch descriptor ${placeholderFd}`,
      );
    }
  } catch (error) {
    try {
      adopted.rollback();
    } catch {
      // The entry is missing, because the step that failed came before adding it.
    }
    throw error;
  }
  return adopted;
}

/** Finds the one socket that is bound to the placeholder's address. */
function findPlaceholder(
  libc: Libc,
  placeholder: Address,
  inheritedFd: number,
  likelyFd: number,
): number {
  // Almost always the likely number, unless another thread opened a file, too.
  for (const fd of candidateFds(libc, likelyFd)) {
    if (fd !== inheritedFd && isPlaceholder(libc, fd, placeholder)) return fd;
  }
  throw new Error("the placeholder's descriptor was not found");
}

function isPlaceholder(
  libc: Libc,
  fd: number,
  expected: Address,
): boolean {
  try {
    const actual = decodeSockaddr(libc.localAddress(fd));
    if (actual === undefined) return false;
    const isAnyPort = "port" in expected && expected.port === 0;
    return isAnyPort && "port" in actual
      ? sameAddress({ ...actual, port: 0 } as Address, expected)
      : sameAddress(actual, expected);
  } catch {
    // The number is free, or belongs to no socket.
    return false;
  }
}

/** The epoll instance that had the last placeholder. */
let lastEpollFd: number | undefined;

/** Finds the epoll instance that watches a descriptor, and the entry there. */
function findEpoll(
  libc: Libc,
  fd: number,
): { epollFd: number; entry: EpollEntry } {
  for (const epollFd of candidateFds(libc, lastEpollFd)) {
    if (!isEpoll(libc, epollFd)) continue;
    const entry = findEpollEntry(libc, epollFd, fd);
    if (entry === undefined) continue;
    lastEpollFd = epollFd;
    return { epollFd, entry };
  }
  throw new Error("no epoll instance watches the placeholder");
}

function isEpoll(libc: Libc, fd: number): boolean {
  try {
    return libc.readLink(`/proc/self/fd/${fd}`) === "anon_inode:[eventpoll]";
  } catch {
    return false;
  }
}

function findEpollEntry(
  libc: Libc,
  epollFd: number,
  fd: number,
): EpollEntry | undefined {
  const { inode } = libc.statDescriptor(fd);
  let partialLine = "";
  for (const chunk of libc.readChunks(`/proc/self/fdinfo/${epollFd}`)) {
    const text = partialLine + chunk;
    const entry = parseEpollEntry(text, fd, inode);
    if (entry !== undefined) return entry;
    partialLine = text.slice(text.lastIndexOf("\n") + 1);
  }
  return undefined;
}
