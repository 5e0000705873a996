/**
 * The sockets of fallbacks that the service manager stores.
 *
 * The service manager keeps their addresses bound, also when their servers have
 * ended. So the next server for the same fallback needs the same socket, and this
 * process keeps a duplicate of each, until the socket is removed from the store.
 *
 * @module
 */

import { decodeSockaddr } from "../core/sockaddr.ts";
import type { Libc } from "../ffi/libc.ts";
import { findListener } from "../linux/listening_fds.ts";
import { managerState, type StoredSocket } from "../runtime/manager/state.ts";

/** Keeps a duplicate of a socket. */
export function keepStored(socket: StoredSocket): StoredSocket {
  managerState().storedSockets.add(socket);
  return socket;
}

/** Finds the socket of a fallback that no server of this process has. */
export function findUnserved(
  libc: Libc,
  key: string,
): StoredSocket | undefined {
  return [...managerState().storedSockets].find((socket) => {
    if (socket.key !== key) return false;
    const address = decodeSockaddr(libc.localAddress(socket.fd));
    return findListener(libc, address, socket.fd) === undefined;
  });
}

/** Returns the sockets of a name. */
export function findStored(name: string): StoredSocket[] {
  return [...managerState().storedSockets]
    .filter((socket) => socket.name === name);
}

/** Closes a duplicate, unless it is closed. The server's own socket stays open. */
export function closeStored(socket: StoredSocket): void {
  if (managerState().storedSockets.delete(socket)) socket.close();
}

/** Closes the duplicates of a name, which the service manager no longer stores. */
export function forgetStored(name: string): void {
  for (const socket of findStored(name)) closeStored(socket);
}
