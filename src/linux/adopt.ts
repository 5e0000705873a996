/**
 * Putting a listener of the runtime's own onto an inherited socket.
 *
 * Neither `Deno.serve` nor `Bun.serve` takes a descriptor. So the runtime makes
 * its listener on a placeholder, and then the number of the placeholder is made
 * to mean the inherited socket: `dup3(2)` closes the placeholder's socket, and
 * the epoll instance that the runtime waits on is told to watch the inherited
 * one with the same data. The runtime goes on as if nothing had happened.
 *
 * Nothing here waits for anything: between the first step and the last no
 * connection is accepted, so that all of it can be undone.
 *
 * @module
 */

import { type Address, sameAddress } from "../core/address.ts";
import { parseEpollEntry } from "./procfs.ts";
import { decodeSockaddr } from "../core/sockaddr.ts";
import type { EpollEntry, Libc } from "../ffi/libc.ts";

/** An inherited socket that has taken a placeholder's place. */
export interface AdoptedSocket {
  readonly fd: number;
  commit(): void;
  rollback(): void;
  pause(): void;
  resume(): void;
  hasPending(): boolean;
}

/** Where an epoll instance watches a descriptor. */
interface Watched {
  readonly epoll: number;
  readonly entry: EpollEntry;
}

/**
 * Puts an inherited socket in the place of a placeholder.
 *
 * @param libc The C library.
 * @param fd The inherited socket.
 * @param placeholder Where the placeholder is bound: an address that no other
 * socket of this process has.
 * @param from Where to begin to look for it, see {@linkcode Libc.lowestFree}.
 * @returns What became of it.
 * @throws {Error} If a step fails; then `fd` is as it was.
 */
export function adoptSocket(
  libc: Libc,
  fd: number,
  placeholder: Address,
  from: number,
): AdoptedSocket {
  const number = findSocket(libc, placeholder, fd, from);
  const { epoll, entry } = findWatched(libc, number);
  const wasNonBlocking = libc.isNonBlocking(fd);
  const restore = () => libc.setNonBlocking(fd, wasNonBlocking);
  // A blocking one hangs the event loop when somebody else accepts first.
  libc.setNonBlocking(fd, true);
  try {
    libc.duplicateOnto(fd, number);
    libc.watch(epoll, number, entry);
    // In fdinfo it could be seen, too, but reading that takes the longer the
    // more is watched.
    if (!libc.isWatched(epoll, number, entry)) {
      throw new Error(
        `the epoll instance ${epoll} doesn't watch descriptor ${number}`,
      );
    }
  } catch (error) {
    try {
      libc.unwatch(epoll, number);
    } catch {
      // It was not watched yet.
    }
    restore();
    throw error;
  }
  let isPaused = false;
  return {
    fd: number,
    commit: () => libc.close(fd),
    rollback() {
      libc.unwatch(epoll, number);
      restore();
    },
    pause() {
      if (isPaused) return;
      isPaused = true;
      libc.unwatch(epoll, number);
    },
    resume() {
      if (!isPaused) return;
      libc.watch(epoll, number, entry);
      isPaused = false;
    },
    hasPending: () => libc.isReadable(number),
  };
}

/** Finds the one socket that is bound to an address. */
function findSocket(
  libc: Libc,
  address: Address,
  except: number,
  from: number,
): number {
  const isIt = (fd: number) => {
    if (fd === except) return false;
    try {
      const found = decodeSockaddr(libc.socketName(fd));
      return found !== undefined && isAt(found, address);
    } catch {
      // Not open, or no socket.
      return false;
    }
  };
  // Very likely it is the first, but another thread may open something, too.
  for (const fd of descriptors(libc, from)) if (isIt(fd)) return fd;
  throw new Error("the placeholder's descriptor was not found");
}

/** Whether an address is the one, or on its host if that has no port. */
function isAt(found: Address, wanted: Address): boolean {
  if ("port" in wanted && wanted.port === 0 && "port" in found) {
    return sameAddress({ ...found, port: 0 } as Address, wanted);
  }
  return sameAddress(found, wanted);
}

/** All numbers that a descriptor can have, the likely one first. */
export function* descriptors(
  libc: Libc,
  likely?: number,
): Generator<number> {
  if (likely !== undefined) yield likely;
  const size = /^FDSize:\s*(\d+)$/m.exec(libc.readFile("/proc/self/status"));
  if (size === null) throw new Error("/proc/self/status has no FDSize");
  for (let fd = 3; fd < Number(size[1]); fd++) yield fd;
}

/** The epoll instance that watched the last placeholder. */
let lastEpoll: number | undefined;

function findWatched(libc: Libc, fd: number): Watched {
  for (const epoll of descriptors(libc, lastEpoll)) {
    if (!isEpoll(libc, epoll)) continue;
    const entry = readEntry(libc, epoll, fd);
    if (entry === undefined) continue;
    lastEpoll = epoll;
    return { epoll, entry };
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

function readEntry(
  libc: Libc,
  epoll: number,
  fd: number,
): EpollEntry | undefined {
  const { inode } = libc.status(fd);
  let rest = "";
  for (const part of libc.readParts(`/proc/self/fdinfo/${epoll}`)) {
    const text = rest + part;
    const entry = parseEpollEntry(text, fd, inode);
    if (entry !== undefined) return entry;
    // The last line may not be whole.
    rest = text.slice(text.lastIndexOf("\n") + 1);
  }
  return undefined;
}
