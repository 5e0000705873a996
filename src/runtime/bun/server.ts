/**
 * Servers of `Bun.serve` on all sockets of a name, as one that can be drained.
 *
 * @module
 */

import type { OpenConnections } from "../../linux/connections.ts";
import type { ClosableWebSocket } from "../../core/types.ts";
import type { Opened } from "../adoption/adopt_all.ts";
import { type Announcer, endingConnection } from "../http/request_tracker.ts";
import type { BunServer } from "./types.ts";
import type { Drainable } from "../../shutdown/drain.ts";
import type { Sockets } from "../adoption/listen_sockets.ts";

/** What this uses of the options of `Bun.serve`. */
interface ServeOptions {
  readonly fetch?: unknown;
  readonly error?: unknown;
  readonly routes?: unknown;
  /** Routes by their old name. */
  readonly static?: unknown;
  readonly websocket?: unknown;
}

type Handler = (this: unknown, ...args: unknown[]) => unknown;

/** The options of a server, watched over. */
export class WatchedOptions {
  /** The WebSockets that are open. */
  readonly webSockets: Set<ClosableWebSocket> = new Set();
  readonly #announcer: Announcer;
  #given: ServeOptions = {};
  /** Responses and files among the routes, marked as the last on a connection. */
  #ending: ReadonlyMap<unknown, Response> = new Map();

  /** @param announcer What the handlers' calls are given to. */
  constructor(announcer: Announcer) {
    this.#announcer = announcer;
  }

  /** The options to give to Bun for those of the program. */
  watch(options: ServeOptions & object): object {
    this.#note(options);
    return this.#watched(options, (response) => response);
  }

  /** Notes what Bun knows after it was given options, maybe not the first. */
  #note(options: ServeOptions & object): void {
    const said = Object.entries(options).filter(([, value]) =>
      value !== undefined
    );
    const hasRoutes = said.some(([name]) => isNameOfRoutes(name));
    const kept = Object.entries(this.#given).flatMap(([name, value]) => {
      if (!isNameOfRoutes(name)) return [[name, value]];
      // Without others, Bun keeps those that are functions.
      const own = hasRoutes ? undefined : functionsOf(value);
      return own === undefined ? [] : [[name, own]];
    });
    this.#given = Object.fromEntries([...kept, ...said]);
    // Now: Bun takes the body out of those that it is given.
    this.#ending = new Map(
      said.filter(([name]) => isNameOfRoutes(name))
        .flatMap(([, routes]) => constantsOf(routes))
        .map((each) => [
          each,
          endingConnection(
            each instanceof Response ? each.clone() : new Response(each),
          ),
        ]),
    );
  }

  /**
   * The options for clients to be told with each answer that the connection ends
   * there; `undefined` if the handlers do so already.
   */
  announcing(): object | undefined {
    const { error = answerError } = this.#given;
    if (this.#ending.size === 0 && error !== answerError) return undefined;
    return this.#watched(
      { ...this.#given, error },
      (response) => this.#ending.get(response) ?? response,
    );
  }

  #watched(
    options: ServeOptions,
    toRoute: (response: unknown) => unknown,
  ): object {
    const { fetch, error, websocket } = options;
    return {
      ...options,
      ...(isFunction(fetch) && { fetch: this.#counted(fetch) }),
      ...(isFunction(error) && { error: this.#passed(error) }),
      ...Object.fromEntries(
        ROUTES.filter((name) => isObject(options[name])).map((name) => [
          name,
          mapValues(
            options[name] as Record<string, unknown>,
            (route) => this.#route(route, toRoute),
          ),
        ]),
      ),
      ...(isObject(websocket) && { websocket: this.#tracked(websocket) }),
    };
  }

  /** A route is a function, one for each method, or something constant. */
  #route(route: unknown, toRoute: (response: unknown) => unknown): unknown {
    if (isFunction(route)) return this.#counted(route);
    if (!isPlainObject(route)) return toRoute(route);
    return mapValues(
      route,
      (each) => isFunction(each) ? this.#counted(each) : toRoute(each),
    );
  }

  #counted(handler: Handler): Handler {
    const announcer = this.#announcer;
    return function (...args) {
      announcer.begun++;
      return announcer.pass(handler.apply(this, args));
    };
  }

  #passed(handler: Handler): Handler {
    const announcer = this.#announcer;
    return function (...args) {
      return announcer.pass(handler.apply(this, args));
    };
  }

  /** The same handlers, with the WebSockets noted while they are open. */
  #tracked(handlers: Record<string, unknown>): object {
    const { webSockets } = this;
    const { open, close } = handlers;
    return Object.create(handlers, {
      open: {
        enumerable: true,
        value(socket: ClosableWebSocket) {
          webSockets.add(socket);
          return isFunction(open) ? open.call(handlers, socket) : undefined;
        },
      },
      close: {
        enumerable: true,
        value(socket: ClosableWebSocket, ...rest: unknown[]) {
          webSockets.delete(socket);
          return isFunction(close)
            ? close.call(handlers, socket, ...rest)
            : undefined;
        },
      },
    });
  }
}

/** What Bun does in production, whose own page for errors has no mark. */
function answerError(error: unknown): Response {
  console.error(error);
  return new Response("Something went wrong!", { status: 500 });
}

function isFunction(value: unknown): value is Handler {
  return typeof value === "function";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/**
 * One that was written as `{ GET: … }`, or a module that exports `GET`, and
 * nothing that Bun itself has made.
 */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (!isObject(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  // Bun gives modules a prototype of their own.
  return prototype === Object.prototype || prototype === null ||
    Object.prototype.toString.call(value) === "[object Module]";
}

function mapValues(
  object: Record<string, unknown>,
  change: (value: unknown) => unknown,
): object {
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => [name, change(value)]),
  );
}

/** What routes are called, and were called before. */
const ROUTES = ["routes", "static"] as const;

function isNameOfRoutes(name: string): boolean {
  return (ROUTES as readonly string[]).includes(name);
}

function isConstant(route: unknown): route is Response | Blob {
  return route instanceof Response || route instanceof Blob;
}

function constantsOf(routes: unknown): (Response | Blob)[] {
  if (!isObject(routes)) return [];
  return Object.values(routes)
    .flatMap((route) => isPlainObject(route) ? Object.values(route) : [route])
    .filter(isConstant);
}

/** Those that are functions, of all methods or of some; if there are any. */
function functionsOf(routes: unknown): Record<string, unknown> | undefined {
  if (!isObject(routes)) return undefined;
  const kept = Object.entries(routes)
    .map(([name, route]) =>
      [name, isPlainObject(route) ? functionsOf(route) : route] as const
    )
    .filter(([, route]) => isFunction(route) || isPlainObject(route));
  return kept.length > 0 ? Object.fromEntries(kept) : undefined;
}

/** The methods of a server that end it, as they were. */
export type OwnServer = Pick<BunServer, "stop" | "unref" | "reload">;

/** How often to look whether all requests are answered. */
const TICK_MS = 10;

/** Bun's own servers as one. */
export class DrainableBunServers implements Drainable {
  readonly isInherited: boolean;
  readonly #servers: readonly BunServer[];
  readonly #own: readonly OwnServer[];
  readonly #sockets: Sockets;
  readonly #announcer: Announcer;
  readonly #options: WatchedOptions;

  /**
   * @param opened The servers and their sockets.
   * @param own The servers' own methods, whatever replaces them.
   * @param announcer What their handlers' calls are given to.
   * @param options Their options.
   */
  constructor(
    { listeners, sockets }: Opened<BunServer>,
    own: readonly OwnServer[],
    announcer: Announcer,
    options: WatchedOptions,
  ) {
    this.isInherited = sockets.areInherited;
    this.#servers = listeners;
    this.#own = own;
    this.#sockets = sockets;
    this.#announcer = announcer;
    this.#options = options;
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
    const options = this.#options.announcing();
    if (options === undefined) return;
    try {
      for (const each of this.#own) each.reload(options);
    } catch {
      // Clients are told less then; all else goes on.
    }
  }

  connections(): OpenConnections | undefined {
    return this.#sockets.connections();
  }

  async end(): Promise<void> {
    for (const each of this.#own) ignore(each.stop());
    // The promise of stop() means other things in other versions.
    while (this.#servers.some((each) => pendingRequests(each) > 0)) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  }

  cut(): void {
    // What has been written is still sent. On Bun 1.2 the promise may never
    // settle.
    for (const each of this.#own) ignore(each.stop(true));
    this.#sockets.endConnections();
    for (const each of this.#own) each.unref();
  }
}

function ignore(promise: Promise<void> | undefined): void {
  promise?.catch(() => {});
}

/** Bun's own number, also where the server shows that of several. */
export function pendingRequests(server: BunServer): number {
  const prototype = Object.getPrototypeOf(server);
  return Reflect.get(prototype, "pendingRequests", server) as number;
}
