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
import type { Libc } from "../ffi/libc.ts";
import { candidateFds } from "./candidate_fds.ts";
import {
  type EpollRegistration,
  EpollSocket,
  findRegistrations,
} from "./epoll_socket.ts";

/** An inherited socket that has taken a placeholder's place. */
export class AdoptedSocket extends EpollSocket {
  readonly #libc: Libc;
  readonly #inheritedFd: number;
  readonly #wasNonBlocking: boolean;

  constructor(
    libc: Libc,
    fd: number,
    inheritedFd: number,
    registration: EpollRegistration,
  ) {
    const { inode } = libc.statDescriptor(inheritedFd);
    super(libc, fd, inode, registration);
    this.#libc = libc;
    this.#inheritedFd = inheritedFd;
    this.#wasNonBlocking = libc.isNonBlocking(inheritedFd);
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
      this.pause();
    } finally {
      this.#libc.setNonBlocking(this.#inheritedFd, this.#wasNonBlocking);
    }
  }
}

/** An inherited socket, and the placeholder whose place it is to take. */
export interface Placement {
  /** The inherited socket. */
  readonly fd: number;
  /**
   * The placeholder's address, which no other socket of this process has. A port
   * of 0 stands for any.
   */
  readonly placeholder: Address;
  /**
   * The likely number of the placeholder, from
   * {@linkcode Libc.findLowestFreeFd}.
   */
  readonly from: number;
}

/**
 * Puts inherited sockets in the place of placeholders: all, or none.
 *
 * @param onFailure Called with the index of the socket before an error is thrown.
 * @throws {Error} If a step fails; then the inherited sockets are as before.
 */
export function adoptSockets(
  libc: Libc,
  placements: readonly Placement[],
  onFailure: (index: number) => void = () => {},
): AdoptedSocket[] {
  const adopted: AdoptedSocket[] = [];
  let index = 0;
  try {
    const fds: number[] = [];
    for (; index < placements.length; index++) {
      fds.push(findPlaceholder(libc, placements[index]!));
    }
    index = 0;
    const registrations = findRegistrations(libc, fds);
    for (; index < placements.length; index++) {
      const { fd } = placements[index]!;
      adopted.push(takePlace(libc, fd, fds[index]!, registrations[index]!));
    }
    return adopted;
  } catch (error) {
    for (const socket of adopted) socket.rollback();
    onFailure(index);
    throw error;
  }
}

/** Puts one inherited socket in the place of a placeholder. */
function takePlace(
  libc: Libc,
  fd: number,
  placeholderFd: number,
  registration: EpollRegistration,
): AdoptedSocket {
  const { epollFd, entry } = registration;
  const adopted = new AdoptedSocket(libc, placeholderFd, fd, registration);
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
  { fd: inheritedFd, placeholder, from }: Placement,
): number {
  // Almost always the likely number, unless another thread opened a file, too.
  for (const fd of candidateFds(libc, from)) {
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
