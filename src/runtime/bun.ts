/**
 * The shim for Bun, whose `net.Socket` can't take a descriptor over.
 *
 * @module
 */

import type * as http from "node:http";
import { ActivationError } from "../core/errors.ts";
import type { Address } from "../core/address.ts";
import { firstKnown } from "../linux/first_known.ts";
import { processGlobal } from "./builtin.ts";
import { bunLibc, NO_LIBC } from "./libc.ts";
import {
  closeFile,
  inspectLibc,
  inspectProc,
  isClosed,
  nodeRuntime,
  once,
} from "./node.ts";
import type { Connection } from "../types.ts";
import type { Runtime } from "./runtime.ts";
import { inetAddress } from "./socket_address.ts";

/** What this shim uses of a socket of `Bun.connect`. */
interface BunSocket {
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  write(data: Uint8Array, offset: number): number;
  shutdown(): void;
  end(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

/** What this shim uses of the global `Bun`. */
export interface BunGlobal {
  readonly version: string;
  connect(options: {
    fd: number;
    allowHalfOpen: boolean;
    socket: {
      data(socket: BunSocket, data: Uint8Array): void;
      drain(socket: BunSocket): void;
      end(socket: BunSocket): void;
      error(socket: BunSocket, error: Error): void;
      close(socket: BunSocket, error?: Error): void;
    };
  }): Promise<BunSocket>;
}

/** Makes the shim for Bun. */
export function bunRuntime(bun: BunGlobal): Runtime {
  const { pid } = processGlobal()!;
  const libc = once(bunLibc);
  const inspector = firstKnown(inspectLibc(libc), inspectProc);
  return {
    ...nodeRuntime(),
    name: "bun",
    title: "Bun",
    version: bun.version,
    since: {
      "stream-listener": "1.4",
      "stream-connection": "1.2",
      "datagram": "1.4",
    },
    httpServerTakesDescriptors: false,
    inspector,
    pidfdId: () => libc()?.pidfdId(pid),
    adopter: () => libc() ?? NO_LIBC,
    receive: (fd) => libc()?.setCloseOnExec(fd) ?? !isClosed(fd),
    close: (fd) => closeFile(fd, inspector),
    prepareRequest: pauseSocket,
    connect: (fd) => connectBun(bun, fd),
  };
}

/**
 * Pausing a request whose connection was given to the server doesn't pause the
 * socket on Bun: a body that is not read would pile up in memory.
 */
function pauseSocket(request: http.IncomingMessage): void {
  const { socket } = request;
  const { pause, resume } = request;
  request.pause = () => {
    socket.pause();
    return pause.call(request);
  };
  request.resume = () => {
    socket.resume();
    return resume.call(request);
  };
}

/** Turns the callbacks of `Bun.connect` into streams. */
async function connectBun(bun: BunGlobal, fd: number): Promise<Connection> {
  let input!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  let inputEnded = false;
  let outputEnded = false;
  let closed: Error | undefined;
  let onWritable: (() => void) | undefined;
  // The stream asks for data before there is a socket.
  let onReadable = () => {};

  const endInput = (settle: () => void) => {
    if (inputEnded) return;
    inputEnded = true;
    settle();
  };
  const fail = (error: Error) => {
    closed ??= error;
    endInput(() => input.error(error));
    onWritable?.();
  };

  const readable = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      input = controller;
    },
    pull() {
      onReadable();
    },
    cancel() {
      inputEnded = true;
      onReadable();
    },
  }, { highWaterMark: 1 });

  const socket = await bun.connect({
    fd,
    allowHalfOpen: true,
    socket: {
      data(from, data) {
        if (inputEnded) return;
        // Bun uses the memory again for what comes next.
        input.enqueue(new Uint8Array(data));
        if (input.desiredSize! <= 0) from.pause();
      },
      drain: () => onWritable?.(),
      end: () => endInput(() => input.close()),
      error: (_, error) => fail(error),
      close(_, error) {
        // After our side has ended, Bun tells the end of the peer's like this.
        if (outputEnded && !error) endInput(() => input.close());
        fail(new DOMException("The connection is closed", "AbortError"));
      },
    },
  }).catch((error) => {
    throw new ActivationError(
      "failed",
      `Taking over the connection in descriptor ${fd}: ${error.message}`,
      { cause: error },
    );
  });

  onReadable = () => socket.resume();
  const writable = new WritableStream<Uint8Array>({
    async write(chunk) {
      for (let offset = 0; offset < chunk.length;) {
        if (closed !== undefined) throw closed;
        const written = socket.write(chunk, offset);
        if (written < 0) throw closed ?? new Error("The connection is closed");
        offset += written;
        if (offset < chunk.length) {
          await new Promise<void>((resolve) => onWritable = resolve);
          onWritable = undefined;
        }
      }
    },
    close() {
      if (outputEnded) return;
      outputEnded = true;
      // end() would close both directions.
      if (inputEnded) socket.end();
      else socket.shutdown();
    },
    abort: () => socket.terminate(),
  });

  // Read at once: they are gone when the socket is closed.
  const localAddress: Address | undefined = inetAddress(
    socket.localAddress,
    socket.localPort,
  );
  const remoteAddress = inetAddress(socket.remoteAddress, socket.remotePort);
  const close = () => socket.terminate();
  return {
    readable,
    writable,
    localAddress,
    remoteAddress,
    close,
    [Symbol.dispose]: close,
  };
}
