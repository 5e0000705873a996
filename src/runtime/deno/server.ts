/**
 * Servers of `Deno.serve` on all sockets of a name, as one that can be drained.
 *
 * @module
 */

import type { OpenConnections } from "../../linux/connections.ts";
import type { Maker, Opened } from "../adoption/adopt_all.ts";
import type { Announcer } from "../http/request_tracker.ts";
import { type DenoServeOptions, serveAt } from "./listeners.ts";
import type { Drainable } from "../../shutdown/drain.ts";
import { defaultOnError } from "../http/fetch_handler.ts";
import type { Place } from "../adoption/placeholder.ts";
import type { Sockets } from "../adoption/listen_sockets.ts";

/** A server, and how to end it at once. */
export interface AbortableServer {
  /** The server. */
  readonly server: Deno.HttpServer;
  /** Its own way to end gracefully. */
  readonly shutdown: () => Promise<void>;
  /** Ends it at once; not after its `shutdown()`: Deno throws then. */
  readonly abort: () => void;
}

/**
 * Tells how servers for a handler are made.
 *
 * @param options The options of `Deno.serve`.
 * @param handlerAt Tells what answers the requests at a place.
 * @param announcer Counts the requests, and marks the answers.
 * @returns What makes a server.
 */
export function serverMaker(
  options: DenoServeOptions,
  handlerAt: (place: Place) => Deno.ServeHandler<Deno.Addr>,
  announcer: Announcer,
): Maker<AbortableServer> {
  // What Deno does with an error that nobody handles.
  const { onError = defaultOnError } = options;
  const isTls = options.cert !== undefined;
  const watched: DenoServeOptions = {
    ...options,
    onError: (error) => announcer.pass(onError(error)),
  };
  return {
    bind(place) {
      const controller = new AbortController();
      const { signal } = controller;
      const given = handlerAt(place);
      const handler = isTls
        ? watchSending(given, announcer)
        : watch(given, announcer);
      const server = serveAt(place, { ...watched, signal }, handler);
      const shutdown = server.shutdown.bind(server);
      return { server, shutdown, abort: () => controller.abort() };
    },
    close: ({ shutdown }) => shutdown(),
  };
}

/**
 * Gives the handler's calls to the announcer. With as many parameters as the
 * handler has, since Deno makes no more than these, and is faster with fewer.
 */
function watch(
  handler: Deno.ServeHandler<Deno.Addr>,
  announcer: Announcer,
): Deno.ServeHandler<Deno.Addr> {
  const call = handler as (
    ...args: unknown[]
  ) => Response | Promise<Response>;
  switch (call.length) {
    case 0:
      return () => {
        announcer.begun++;
        return announcer.pass(call());
      };
    case 1:
      return (request) => {
        announcer.begun++;
        return announcer.pass(call(request));
      };
    default:
      return (request, info) => {
        announcer.begun++;
        return announcer.pass(call(request, info));
      };
  }
}

/**
 * The same for TLS, where clients may speak HTTP/2: Deno cancels the answers that
 * are being sent on it when it shuts down, so that these are waited for, too.
 */
function watchSending(
  handler: Deno.ServeHandler<Deno.Addr>,
  announcer: Announcer,
): Deno.ServeHandler<Deno.Addr> {
  return (request, info) => {
    announcer.begun++;
    announcer.watch(info.completed);
    return announcer.pass(handler(request, info));
  };
}

/** How often to look whether all requests are answered. */
const TICK_MS = 10;

/** How often at most, where new ones come all the time. */
const PATIENCE_TICKS = 500;

/** Deno's own servers as one. */
export class DenoServers implements Drainable {
  readonly isInherited: boolean;
  readonly #opened: readonly AbortableServer[];
  readonly #sockets: Sockets;
  readonly #announcer: Announcer;
  #isEnding = false;

  /**
   * @param opened The servers and their sockets.
   * @param announcer What their handler's calls are given to.
   */
  constructor(
    { listeners, sockets }: Opened<AbortableServer>,
    announcer: Announcer,
  ) {
    this.#opened = listeners;
    this.#sockets = sockets;
    this.#announcer = announcer;
    this.isInherited = sockets.areInherited;
  }

  get begun(): number {
    return this.#announcer.begun;
  }

  detach(): void {
    this.#sockets.detach();
  }

  attach(): void {
    this.#sockets.attach();
  }

  isWaiting(): boolean {
    return this.#sockets.isWaiting();
  }

  announce(): void {
    this.#announcer.announce();
  }

  connections(): OpenConnections | undefined {
    return this.#sockets.connections();
  }

  async end(): Promise<void> {
    await this.#answered();
    if (this.#isEnding) return;
    this.#isEnding = true;
    await Promise.all(this.#opened.map(({ shutdown }) => shutdown()));
  }

  /**
   * Waits until all requests are answered, and over TLS until the answers are
   * sent. After shutdown() nothing can be aborted any more, so that a handler that
   * never answers would keep the process for ever; and it cancels the streams of
   * HTTP/2 that are open. But
   * only it tells clients of HTTP/2 to stop (GOAWAY): if they don't on their own
   * account, it comes after a while all the same.
   */
  async #answered(): Promise<void> {
    const { begun } = this;
    for (let tick = 0; this.#announcer.pending > 0; tick++) {
      if (tick >= PATIENCE_TICKS && this.begun !== begun) return;
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      if (this.#isEnding) return;
    }
  }

  cut(): void {
    if (!this.#isEnding) {
      this.#isEnding = true;
      for (const { abort } of this.#opened) abort();
    }
    this.#sockets.endConnections();
    // What could not be ended must not hold the process.
    for (const { server } of this.#opened) server.unref();
  }
}
