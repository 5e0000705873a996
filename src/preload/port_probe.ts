/**
 * Servers without a listener for connections, which look whether a port is free:
 * they listen, and are closed again. Such a server succeeds without touching the
 * inherited socket.
 *
 * @module
 */

import type * as net from "node:net";
import { builtin } from "../runtime/builtin.ts";

/** What a probe becomes. */
interface ProbeOutcome {
  /**
   * The program listens for connections after all.
   *
   * @param hasListened Whether `listening` has been emitted.
   */
  begin(hasListened: boolean): void;
  /** The program has closed it. */
  end(): void;
}

/** A server that looks as if it listened. */
export class PortProbe {
  readonly #server: net.Server;
  readonly #address: ReturnType<net.Server["address"]>;
  readonly #outcome: ProbeOutcome;
  #isOver = false;
  #hasListened = false;

  constructor(
    server: net.Server,
    address: ReturnType<net.Server["address"]>,
    outcome: ProbeOutcome,
  ) {
    this.#server = server;
    this.#address = address;
    this.#outcome = outcome;
  }

  listen(callback: (() => void) | undefined): void {
    const server = this.#server;
    Object.defineProperties(server, {
      listening: { configurable: true, value: true },
      address: {
        configurable: true,
        writable: true,
        value: () => this.#address,
      },
      close: {
        configurable: true,
        writable: true,
        value: (onClose?: (error?: Error) => void) => this.#close(onClose),
      },
    });
    server.on("newListener", this.#onNewListener);
    // Most programs add their listener before or right after the call.
    builtin("node:timers").setImmediate(() => {
      if (this.#isOver) return;
      this.#hasListened = true;
      if (callback !== undefined) server.once("listening", callback);
      server.emit("listening");
    });
  }

  readonly #onNewListener = (event: string | symbol): void => {
    if (event !== "connection") return;
    this.#finish();
    this.#outcome.begin(this.#hasListened);
  };

  #close(onClose?: (error?: Error) => void): net.Server {
    const server = this.#server;
    this.#finish();
    this.#outcome.end();
    if (onClose !== undefined) server.once("close", () => onClose());
    builtin("node:timers").setImmediate(() => server.emit("close"));
    return server;
  }

  #finish(): void {
    this.#isOver = true;
    const server = this.#server;
    server.off("newListener", this.#onNewListener);
    for (const name of ["listening", "address", "close"] as const) {
      Reflect.deleteProperty(server, name);
    }
  }
}
