/**
 * Listening sockets in the epoll instance of a runtime, which stop accepting there
 * although the runtime has no function for that.
 *
 * @module
 */

import type { EpollEntry, Libc } from "../ffi/libc.ts";
import { candidateFds } from "./candidate_fds.ts";
import { EPOLL_LINK, parseEpollEntries } from "./procfs.ts";

/** A listening socket that an epoll instance of the runtime watches. */
export class EpollSocket {
  /** The number that the runtime knows the socket by. */
  readonly fd: number;
  readonly #libc: Libc;
  readonly #inode: bigint;
  /** The runtime's epoll instance, and the socket's entry there. */
  readonly #epollFd: number;
  readonly #entry: EpollEntry;
  #isPaused = false;
  #isHeld = false;

  constructor(
    libc: Libc,
    fd: number,
    inode: bigint,
    { epollFd, entry }: EpollRegistration,
  ) {
    this.#libc = libc;
    this.fd = fd;
    this.#inode = inode;
    this.#epollFd = epollFd;
    this.#entry = entry;
  }

  /** Finds the socket in the epoll instances of this process. */
  static find(libc: Libc, fd: number): EpollSocket {
    const [registration] = findRegistrations(libc, [fd]);
    const { inode } = libc.statDescriptor(fd);
    return new EpollSocket(libc, fd, inode, registration!);
  }

  /**
   * Whether the runtime has the socket open. After the runtime has closed its
   * listener, another file may have the number.
   */
  get isOpen(): boolean {
    try {
      return this.#libc.statDescriptor(this.fd).inode === this.#inode;
    } catch {
      return false;
    }
  }

  /**
   * Stops the runtime from accepting: connections wait in the socket's backlog.
   * A second call does nothing.
   */
  pause(): void {
    this.#update(true, this.#isHeld);
  }

  /** Undoes {@linkcode EpollSocket.pause}. */
  resume(): void {
    this.#update(false, this.#isHeld);
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Pauses for another reason, which ends on its own. */
  hold(): void {
    this.#update(this.#isPaused, true);
  }

  /** Undoes {@linkcode EpollSocket.hold}. */
  unhold(): void {
    this.#update(this.#isPaused, false);
  }

  #update(isPaused: boolean, isHeld: boolean): void {
    const wasRemoved = this.#isPaused || this.#isHeld;
    const isRemoved = isPaused || isHeld;
    if (isRemoved !== wasRemoved && this.isOpen) {
      const { fd } = this;
      if (isRemoved) this.#libc.removeFromEpoll(this.#epollFd, fd);
      else this.#libc.addToEpoll(this.#epollFd, fd, this.#entry);
    }
    this.#isPaused = isPaused;
    this.#isHeld = isHeld;
  }

  /** Checks whether a connection waits to be accepted. */
  hasPending(): boolean {
    return this.isOpen && this.#libc.isReadable(this.fd);
  }
}

/** The epoll instance that watches a socket, and the entry there. */
export interface EpollRegistration {
  readonly epollFd: number;
  readonly entry: EpollEntry;
}

/** The epoll instance that watched the last socket. */
let lastEpollFd: number | undefined;

/**
 * Finds the epoll instances that watch descriptors, and the entries there. Each
 * instance is read once for all of them, because the kernel then writes all that
 * it watches.
 *
 * @returns The registrations, in the order of the descriptors.
 */
export function findRegistrations(
  libc: Libc,
  fds: readonly number[],
): EpollRegistration[] {
  const missing = new Map(
    fds.map((fd) => [fd, libc.statDescriptor(fd).inode] as const),
  );
  const found = new Map<number, EpollRegistration>();
  for (const epollFd of candidateFds(libc, lastEpollFd)) {
    if (!isEpoll(libc, epollFd)) continue;
    const text = libc.readFile(`/proc/self/fdinfo/${epollFd}`);
    for (const [fd, entry] of parseEpollEntries(text, missing)) {
      found.set(fd, { epollFd, entry });
      missing.delete(fd);
      lastEpollFd = epollFd;
    }
    if (missing.size === 0) return fds.map((fd) => found.get(fd)!);
  }
  throw new Error("no epoll instance watches the socket");
}

function isEpoll(libc: Libc, fd: number): boolean {
  try {
    return libc.readLink(`/proc/self/fd/${fd}`) === EPOLL_LINK;
  } catch {
    return false;
  }
}
