/**
 * A `net.Socket` as a {@linkcode Connection}.
 *
 * `Duplex.toWeb()` would do, but on Node 22 its readable side doesn't end
 * before the writable side has: an echo would wait for itself.
 *
 * @module
 */

import type * as net from "node:net";
import type { Address } from "../../core/address.ts";
import type { Connection } from "../../core/types.ts";
import { inetAddress } from "../socket_address.ts";

/**
 * Makes a connection of a socket, which must be half-open-able
 * (`allowHalfOpen`) and not read from yet.
 *
 * @param socket The socket.
 * @param local The local address, if the socket itself can't tell.
 * @returns The connection.
 */
export function toConnection(
  socket: net.Socket,
  local: Address | undefined,
): Connection {
  // Read at once: they are gone when the socket is closed.
  const localAddress = inetAddress(socket.localAddress, socket.localPort) ??
    local;
  const remoteAddress = inetAddress(socket.remoteAddress, socket.remotePort);
  const close = () => {
    socket.destroy();
  };
  return {
    readable: toReadable(socket),
    writable: toWritable(socket),
    localAddress,
    remoteAddress,
    close,
    [Symbol.dispose]: close,
  };
}

/** What is told to whoever uses a connection that is closed. */
export function closedError(): DOMException {
  return new DOMException("The connection is closed", "AbortError");
}

function toReadable(
  socket: net.Socket,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let ended = false;
  return new ReadableStream({
    start(controller) {
      socket.on("data", (chunk: Uint8Array<ArrayBuffer>) => {
        if (ended) return;
        controller.enqueue(
          new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength),
        );
        if (controller.desiredSize! <= 0) socket.pause();
      });
      const end = (settle: () => void) => {
        if (ended) return;
        ended = true;
        settle();
      };
      socket.once("end", () => end(() => controller.close()));
      socket.on("error", (error) => end(() => controller.error(error)));
      socket.once("close", () => end(() => controller.error(closedError())));
      socket.pause();
    },
    pull() {
      socket.resume();
    },
    cancel() {
      // Nobody reads any more: drop what comes, but let what is written out.
      ended = true;
      socket.resume();
    },
  }, { highWaterMark: 1 });
}

function toWritable(socket: net.Socket): WritableStream<Uint8Array> {
  return new WritableStream({
    start(controller) {
      socket.on("error", (error) => controller.error(error));
      socket.once("close", () => controller.error(closedError()));
    },
    write(chunk) {
      return settle((done) => socket.write(chunk, done));
    },
    close() {
      return settle((done) => socket.end(() => done()));
    },
    abort() {
      socket.destroy();
    },
  });

  function settle(
    start: (done: (error?: Error | null) => void) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      // A destroyed socket need not call back: without this, writes would hang.
      const onClose = () => reject(closedError());
      socket.once("close", onClose);
      start((error) => {
        socket.off("close", onClose);
        if (error) reject(error);
        else resolve();
      });
    });
  }
}
