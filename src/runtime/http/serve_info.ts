/**
 * The second argument of a fetch handler.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import type { ServeInfo } from "../../core/types.ts";
import type { ServerContext } from "../server_context.ts";

/**
 * The info of one request. A class, because creating an object literal with a
 * getter takes many times as long.
 */
export class RequestInfo implements ServeInfo {
  readonly #context: ServerContext;
  readonly #address: Address | undefined | (() => Address | undefined);
  readonly #server: unknown;

  /**
   * @param address The client's address, or a function that reads it at each access.
   * @param server The server that has the request, if it isn't the context's.
   */
  constructor(
    context: ServerContext,
    address: Address | undefined | (() => Address | undefined),
    server?: unknown,
  ) {
    this.#context = context;
    this.#address = address;
    this.#server = server;
  }

  get remoteAddress(): Address | undefined {
    const address = this.#address;
    return typeof address === "function" ? address() : address;
  }

  get shutdownSignal(): AbortSignal {
    return this.#context.shutdownSignal;
  }

  get server(): unknown {
    return this.#server ?? this.#context.server;
  }
}
