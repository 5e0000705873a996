/**
 * A connection of `Deno.listen` as a {@linkcode Connection}.
 *
 * Deno's own streams would do, but closing the writable one closes both
 * directions.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import type { Connection } from "../../core/types.ts";
import { inetAddress } from "../socket_address.ts";
import { closedError } from "../node/connection.ts";

/** As much as is read at a time. */
const READ_BYTES = 64 * 1024;

/**
 * Makes a connection of one of Deno's.
 *
 * @param connection Deno's connection.
 * @param local The address that it was accepted at.
 * @returns The connection.
 */
export function toConnection(
  connection: Deno.Conn,
  local: Deno.Addr,
): Connection {
  const { localAddr, remoteAddr } = connection;
  const state = new ConnectionState(connection);
  const close = () => state.close();
  return {
    readable: toReadable(connection, state),
    writable: toWritable(connection, state),
    localAddress: toAddress(localAddr.transport === "tcp" ? localAddr : local),
    remoteAddress: remoteAddr.transport === "tcp"
      ? toAddress(remoteAddr)
      : undefined,
    close,
    [Symbol.dispose]: close,
  };
}

/** Which directions of a connection have ended. */
class ConnectionState {
  readonly #connection: Deno.Conn;
  #isClosed = false;
  #inputEnded = false;
  #outputEnded = false;

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  get inputEnded(): boolean {
    return this.#inputEnded;
  }

  endInput(): void {
    this.#inputEnded = true;
    if (this.#outputEnded) this.close();
  }

  endOutput(): void {
    this.#outputEnded = true;
    if (this.#inputEnded) this.close();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection.close();
  }

  /** Closes after an error, and tells which one to report. */
  fail(error: unknown): unknown {
    const reported = this.#isClosed ? closedError() : error;
    this.close();
    return reported;
  }
}

function toReadable(
  connection: Deno.Conn,
  state: ConnectionState,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let isReading = false;
  let isCancelled = false;
  /** Drops what comes when nobody reads any more: what is written goes out. */
  const drop = async () => {
    const bytes = new Uint8Array(READ_BYTES);
    try {
      while (await connection.read(bytes) !== null);
      state.endInput();
    } catch {
      state.close();
    }
  };
  return new ReadableStream({
    async pull(controller) {
      const bytes = new Uint8Array(READ_BYTES);
      try {
        isReading = true;
        const length = await connection.read(bytes);
        isReading = false;
        if (length === null) {
          if (!isCancelled) controller.close();
          return state.endInput();
        }
        if (isCancelled) return void drop();
        controller.enqueue(bytes.subarray(0, length));
      } catch (error) {
        const reported = state.fail(error);
        if (!isCancelled) controller.error(reported);
      }
    },
    cancel() {
      isCancelled = true;
      if (!isReading && !state.inputEnded) void drop();
    },
  }, { highWaterMark: 0 });
}

function toWritable(
  connection: Deno.Conn,
  state: ConnectionState,
): WritableStream<Uint8Array> {
  return new WritableStream({
    async write(chunk) {
      try {
        for (let at = 0; at < chunk.length;) {
          at += await connection.write(chunk.subarray(at));
        }
      } catch (error) {
        throw state.fail(error);
      }
    },
    async close() {
      try {
        await connection.closeWrite();
      } catch (error) {
        throw state.fail(error);
      }
      state.endOutput();
    },
    abort: () => state.close(),
  });
}

/** Reads an address of Deno's. */
export function toAddress(addr: Deno.Addr): Address | undefined {
  switch (addr.transport) {
    case "tcp":
    case "udp":
      return inetAddress(addr.hostname, addr.port);
    case "unix":
    case "unixpacket":
      return addr.path.startsWith("\0")
        ? { kind: "unix-abstract", name: addr.path.slice(1) }
        : { kind: "unix", path: addr.path };
    default:
      return undefined;
  }
}
