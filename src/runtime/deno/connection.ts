/**
 * A connection of `Deno.listen` as a {@linkcode Connection}.
 *
 * Deno's own streams would do, but closing the writable one closes both
 * directions.
 *
 * @module
 */

import { type Address, fromUnixPath, inetAddress } from "../../core/address.ts";
import type { Connection } from "../../core/types.ts";
import { closedError } from "../errors.ts";

/** Largest chunk that is read. */
const READ_BYTES = 64 * 1024;

/** Converts a connection that was accepted at a local address. */
export function fromDenoConn(
  connection: Deno.Conn,
  local: Deno.Addr,
): Connection {
  const { localAddr, remoteAddr } = connection;
  const state = new DenoConnState(connection);
  const close = () => state.close();
  return {
    readable: readableOf(connection, state),
    writable: writableOf(connection, state),
    localAddress: fromDenoAddr(
      localAddr.transport === "tcp" ? localAddr : local,
    ),
    remoteAddress: remoteAddr.transport === "tcp"
      ? fromDenoAddr(remoteAddr)
      : undefined,
    close,
    [Symbol.dispose]: close,
  };
}

/** Which directions of a connection have ended. */
class DenoConnState {
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

  /** Closes after an error, and returns the error to report. */
  fail(error: unknown): unknown {
    const reported = this.#isClosed ? closedError() : error;
    this.close();
    return reported;
  }
}

function readableOf(
  connection: Deno.Conn,
  state: DenoConnState,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let isReading = false;
  let isCancelled = false;
  /** Discards input after a cancel, so that output is still sent. */
  const discard = async () => {
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
        if (isCancelled) return void discard();
        controller.enqueue(bytes.subarray(0, length));
      } catch (error) {
        const reported = state.fail(error);
        if (!isCancelled) controller.error(reported);
      }
    },
    cancel() {
      isCancelled = true;
      if (!isReading && !state.inputEnded) void discard();
    },
  }, { highWaterMark: 0 });
}

function writableOf(
  connection: Deno.Conn,
  state: DenoConnState,
): WritableStream<Uint8Array> {
  return new WritableStream({
    async write(chunk) {
      try {
        for (let sent = 0; sent < chunk.length;) {
          sent += await connection.write(chunk.subarray(sent));
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
export function fromDenoAddr(addr: Deno.Addr): Address | undefined {
  switch (addr.transport) {
    case "tcp":
    case "udp":
      return inetAddress(addr.hostname, addr.port);
    case "unix":
    case "unixpacket":
      return fromUnixPath(addr.path);
    default:
      return undefined;
  }
}
