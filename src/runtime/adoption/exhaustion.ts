/**
 * Listening sockets of a process that has no descriptor left for a connection.
 *
 * @module
 */

import type { Libc } from "../../ffi/libc.ts";
import type { EpollSocket } from "../../linux/epoll_socket.ts";
import { repeatCheck } from "../repeat.ts";

/**
 * Removes listening sockets from the epoll instance while the process has no free
 * descriptor, until the runtime has closed them. A runtime that polls for
 * connections level-triggered would otherwise use a whole core, because
 * `accept(2)` fails and the connections stay.
 */
export function holdWhileExhausted(
  libc: Libc,
  sockets: readonly EpollSocket[],
): void {
  repeatCheck(() => {
    const open = sockets.filter(({ isOpen }) => isOpen);
    const [first] = open;
    if (first === undefined) return undefined;
    if (first.isHeld) {
      if (!libc.hasFreeFd(first.fd)) return false;
      for (const socket of open) socket.unhold();
      return true;
    }
    const isExhausted = open.some((socket) => socket.hasPending()) &&
      !libc.hasFreeFd(first.fd);
    if (isExhausted) { for (const socket of open) socket.hold(); }
    return false;
  });
}
