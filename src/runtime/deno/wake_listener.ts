/**
 * Waking a listener of Deno's `node:net` after descriptors were exhausted.
 *
 * @module
 */

import type * as net from "node:net";
import { repeatCheck } from "../repeat.ts";

/** A backlog that shrinks none, if a version of Deno should set it. */
const LARGE_BACKLOG = 65535;

/** What is used of the handle below a `net.Server`. */
interface ListenHandle {
  listen(backlog: number): number;
  writeBuffer(request: object, bytes: Uint8Array): number;
  /** TCP handles only. */
  setNoDelay?: unknown;
}

/**
 * Makes a server accept again after `accept(2)` has failed, until the server is
 * closed. Deno forgets then to wait for the next connection, reports no error,
 * and polls the listener only when the program uses its handle. Whether that has
 * happened can't be seen without permissions, so the handle is used at intervals.
 */
export function wakeListener(server: net.Server): void {
  const handle = listenHandle(server);
  if (handle === undefined) return;
  let hasAccepted = false;
  const onConnection = () => {
    hasAccepted = true;
  };
  server.on("connection", onConnection);
  repeatCheck(() => {
    if (listenHandle(server) !== handle) {
      server.off("connection", onConnection);
      return undefined;
    }
    const wasAccepting = hasAccepted;
    hasAccepted = false;
    wake(handle);
    // The next ones of a long backlog may exhaust the descriptors again.
    return wasAccepting;
  });
}

function listenHandle(server: net.Server): ListenHandle | undefined {
  return (server as unknown as { _handle?: ListenHandle | null })._handle ??
    undefined;
}

/** Makes Deno poll a listener, without a system call. */
function wake(handle: ListenHandle): void {
  try {
    // A TCP handle that listens already only polls. One of a Unix socket doesn't,
    // but takes a write of nothing.
    if (handle.setNoDelay !== undefined) handle.listen(LARGE_BACKLOG);
    else handle.writeBuffer({ oncomplete() {} }, new Uint8Array(0));
  } catch {
    // The handle of another version of Deno.
  }
}
