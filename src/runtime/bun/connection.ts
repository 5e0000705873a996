/**
 * The callbacks of a socket of `Bun.connect` or `Bun.listen` as a
 * {@linkcode Connection}.
 *
 * @module
 */

import { type Address, inetAddress } from "../../core/address.ts";
import { decodeSockaddr } from "../../core/sockaddr.ts";
import type { Connection, Fallback } from "../../core/types.ts";
import type { Libc } from "../../ffi/libc.ts";
import { closedError } from "../errors.ts";

/** What this library uses of a socket of Bun. */
export interface BunSocket {
  /** The streams of an accepted socket. */
  data?: BunStreams;
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  write(data: Uint8Array): number;
  shutdown(): void;
  end(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

/** The two streams of one socket. */
export class BunStreams {
  readonly #readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  #input!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  #inputEnded = false;
  #outputEnded = false;
  #closed: Error | undefined;
  #onWritable: (() => void) | undefined;
  /** The stream asks for data before there is a socket. */
  #socket: BunSocket | undefined;

  constructor() {
    this.#readable = new ReadableStream({
      start: (controller) => {
        this.#input = controller;
      },
      pull: () => this.#socket?.resume(),
      cancel: () => {
        this.#inputEnded = true;
        this.#socket?.resume();
      },
    }, { highWaterMark: 1 });
  }

  /** The callbacks of the socket. */
  readonly handlers: {
    data(socket: BunSocket, data: Uint8Array): void;
    drain(socket: BunSocket): void;
    end(socket: BunSocket): void;
    error(socket: BunSocket, error: Error): void;
    close(socket: BunSocket, error?: Error): void;
  } = {
    data: (socket, data) => {
      if (this.#inputEnded) return;
      // Bun uses the memory again for what comes next.
      this.#input.enqueue(new Uint8Array(data));
      if (this.#input.desiredSize! <= 0) socket.pause();
    },
    drain: () => this.#onWritable?.(),
    end: () => this.#endInput(() => this.#input.close()),
    error: (_, error) => this.#fail(error),
    close: (_, error) => {
      // After our side has ended, Bun reports the end of the peer's in this way.
      if (this.#outputEnded && !error) {
        this.#endInput(() => this.#input.close());
      }
      this.#fail(closedError());
    },
  };

  /**
   * Returns the connection of a socket.
   *
   * @param local The local address, if the socket itself can't report it.
   */
  open(socket: BunSocket, local: Address | undefined): Connection {
    this.#socket = socket;
    // Not terminate(), which drops what the kernel has not sent yet.
    const close = () => socket.end();
    return {
      readable: this.#readable,
      writable: this.#writable(socket),
      // Read at once: they are gone when the socket is closed.
      localAddress: inetAddress(socket.localAddress, socket.localPort) ?? local,
      remoteAddress: inetAddress(socket.remoteAddress, socket.remotePort),
      close,
      [Symbol.dispose]: close,
    };
  }

  #writable(socket: BunSocket): WritableStream<Uint8Array> {
    return new WritableStream({
      start(controller) {
        // abort() below is called only when the write in flight has ended. Before
        // 1.4, Bun has no such signal, or doesn't abort it.
        controller.signal?.addEventListener("abort", () => socket.terminate());
      },
      write: (chunk) => {
        const written = this.#write(socket, chunk);
        return written < chunk.length
          ? this.#writeRest(socket, chunk.subarray(written))
          : undefined;
      },
      close: () => {
        if (this.#outputEnded) return;
        this.#outputEnded = true;
        // end() would close both directions.
        if (this.#inputEnded) socket.end();
        else socket.shutdown();
      },
      abort: () => socket.terminate(),
    });
  }

  /** Returns how many bytes the socket has taken. */
  #write(socket: BunSocket, chunk: Uint8Array): number {
    if (this.#closed !== undefined) throw this.#closed;
    const written = socket.write(chunk);
    if (written >= 0) return written;
    throw this.#closed ?? new Error("The connection is closed");
  }

  async #writeRest(socket: BunSocket, chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.length > 0;) {
      if (this.#closed !== undefined) throw this.#closed;
      await new Promise<void>((resolve) => this.#onWritable = resolve);
      this.#onWritable = undefined;
      rest = rest.subarray(this.#write(socket, rest));
    }
  }

  #endInput(settle: () => void): void {
    if (this.#inputEnded) return;
    this.#inputEnded = true;
    settle();
  }

  #fail(error: Error): void {
    this.#closed ??= error;
    this.#endInput(() => this.#input.error(error));
    this.#onWritable?.();
  }
}

/** What servers and listeners of Bun tell of their address. */
interface BoundListener {
  /** As in the options: a name, too. */
  readonly hostname?: string | undefined;
  readonly port?: number | undefined;
  /** Of `Bun.serve`. */
  readonly address?:
    | string
    | { readonly address: string; readonly port: number }
    | null
    | undefined;
  /** Of `Bun.listen` from Bun 1.4 on. */
  readonly fd?: number | undefined;
}

/**
 * The address of a server or listener that Bun has bound itself.
 *
 * @param libc Tells the address of a listener that has only a name.
 */
export function boundAddress(
  { hostname, port, address, fd }: BoundListener,
  fallback: Fallback,
  libc?: Libc,
): Address | undefined {
  if ("path" in fallback) return { kind: "unix", path: fallback.path };
  if (typeof address === "object" && address !== null) {
    return inetAddress(address.address, address.port);
  }
  const numeric = inetAddress(hostname, port);
  return numeric !== undefined || fd === undefined || libc === undefined
    ? numeric
    : decodeSockaddr(libc.localAddress(fd));
}
