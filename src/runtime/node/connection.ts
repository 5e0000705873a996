/**
 * A `net.Socket` as a {@linkcode Connection}.
 *
 * `Duplex.toWeb()` would do, but on Node 22 its readable side doesn't end
 * before the writable side has: an echo would wait for itself.
 *
 * @module
 */

import type * as net from "node:net";
import { type Address, inetAddress } from "../../core/address.ts";
import type { Connection } from "../../core/types.ts";
import { builtin } from "../builtin.ts";
import { closedError, connectError } from "../errors.ts";

/** What is written to learn that all before it has been sent. */
const NOTHING = new Uint8Array();

/** Takes over a connected stream socket through `node:net`. */
export function connectSocket(fd: number): Connection {
  const { Socket } = builtin("node:net");
  let socket: net.Socket;
  try {
    socket = new Socket({
      fd,
      readable: true,
      writable: true,
      allowHalfOpen: true,
    });
  } catch (error) {
    throw connectError(error, fd);
  }
  return fromSocket(socket, undefined);
}

/**
 * Converts a socket, which must have `allowHalfOpen` and not be read from yet.
 *
 * @param local The local address, if the socket itself can't report it.
 */
export function fromSocket(
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
    readable: socketReadable(socket),
    writable: socketWritable(socket),
    localAddress,
    remoteAddress,
    close,
    [Symbol.dispose]: close,
  };
}

function socketReadable(
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
      // Discard input, so that output is still sent.
      ended = true;
      socket.resume();
    },
  }, { highWaterMark: 1 });
}

function socketWritable(socket: net.Socket): WritableStream<Uint8Array> {
  /** Ends the wait for what the socket has not sent yet. */
  let pending: PromiseWithResolvers<void> | undefined;
  const onEnded = (error?: Error | null) => {
    if (!error) pending?.resolve();
    // After close(), Node reports a write to a destroyed stream.
    else if (socket.destroyed && !socket.errored) {
      pending?.reject(closedError());
    } else pending?.reject(error);
  };
  const wait = () => (pending = Promise.withResolvers()).promise;
  return new WritableStream({
    start(controller) {
      // abort() below is called only when the write in flight has ended.
      controller.signal.addEventListener("abort", () => socket.destroy());
      socket.on("error", (error) => controller.error(error));
      socket.once("close", () => {
        controller.error(closedError());
        // A destroyed socket need not call back: without this, writes would hang.
        pending?.reject(closedError());
      });
    },
    write(chunk) {
      socket.write(chunk);
      // After an error, nothing is left to send, and the event "error" comes later.
      const isSent = socket.writableLength === 0 && !socket.errored &&
        !socket.destroyed;
      if (isSent) return;
      // Node calls a chunk's callback in the next tick, even if the chunk was sent
      // at once, as nearly all are. So only when something is left, an empty chunk
      // follows, whose callback means that all before it was sent.
      const sent = wait();
      socket.write(NOTHING, onEnded);
      return sent;
    },
    close() {
      const sent = wait();
      socket.end(onEnded);
      return sent;
    },
    abort() {
      socket.destroy();
    },
  });
}
