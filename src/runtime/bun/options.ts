/**
 * The options of `Bun.serve`, with handlers that track their requests and
 * announce the end of a connection when the server drains.
 *
 * @module
 */

import type { ClosableWebSocket } from "../../core/types.ts";
import {
  closeConnectionAfter,
  type RequestTracker,
} from "../http/request_tracker.ts";

/** Tracks the requests and WebSockets of the handlers in options. */
export class OptionsTracker {
  /** The open WebSockets. */
  readonly webSockets: Set<ClosableWebSocket> = new Set();
  readonly #tracker: RequestTracker;
  /** The options that Bun has in effect. */
  #current: Record<string, unknown> = {};
  /** Constant responses and files among the routes, marked as the last. */
  #lastResponses: ReadonlyMap<unknown, Response> = new Map();

  constructor(tracker: RequestTracker) {
    this.#tracker = tracker;
  }

  /** Returns the options of the program with handlers that track requests. */
  track(options: object): object {
    this.#remember(options);
    return this.#tracked({ ...options }, (response) => response);
  }

  /** Remembers the options that Bun has in effect after `options` are set. */
  #remember(options: object): void {
    const defined = Object.entries(options)
      .filter(([, value]) => value !== undefined);
    const hasRoutes = defined.some(([name]) => isRoutesName(name));
    const kept = Object.entries(this.#current).flatMap(([name, value]) => {
      if (!isRoutesName(name)) return [[name, value]];
      // Without new routes, Bun keeps the old ones that are functions.
      const functions = hasRoutes ? undefined : functionsOf(value);
      return functions === undefined ? [] : [[name, functions]];
    });
    this.#current = Object.fromEntries([...kept, ...defined]);
    // Cloned before Bun takes the body out of a response that it is given.
    this.#lastResponses = new Map(
      defined.filter(([name]) => isRoutesName(name))
        .flatMap(([, routes]) => constantsOf(routes))
        .map((constant) => [
          constant,
          closeConnectionAfter(
            constant instanceof Response
              ? constant.clone()
              : new Response(constant),
          ),
        ]),
    );
  }

  /**
   * Returns the options with which each response ends its connection;
   * `undefined` if the handlers already mark each response.
   */
  closingConnections(): object | undefined {
    const { error = answerBunError } = this.#current;
    if (this.#lastResponses.size === 0 && error !== answerBunError) {
      return undefined;
    }
    return this.#tracked(
      { ...this.#current, error },
      (response) => this.#lastResponses.get(response) ?? response,
    );
  }

  #tracked(
    options: Record<string, unknown>,
    toRoute: (response: unknown) => unknown,
  ): object {
    const { fetch, error, websocket } = options;
    return {
      ...options,
      ...(isFunction(fetch) && { fetch: this.#counted(fetch) }),
      ...(isFunction(error) && { error: this.#uncounted(error) }),
      ...Object.fromEntries(
        ROUTES_NAMES.filter((name) => isObject(options[name])).map((name) => [
          name,
          mapObject(
            options[name] as Record<string, unknown>,
            (route) => this.#route(route, toRoute),
          ),
        ]),
      ),
      ...(isObject(websocket) && {
        websocket: this.#trackedWebSockets(websocket),
      }),
    };
  }

  /** A route is a function, an object of one for each method, or constant. */
  #route(route: unknown, toRoute: (response: unknown) => unknown): unknown {
    if (isFunction(route)) return this.#counted(route);
    if (!isPlainObject(route)) return toRoute(route);
    return mapObject(
      route,
      (each) => isFunction(each) ? this.#counted(each) : toRoute(each),
    );
  }

  #counted(handler: (...args: unknown[]) => unknown): object {
    const tracker = this.#tracker;
    return function (this: unknown, ...args: unknown[]) {
      tracker.total++;
      return tracker.track(handler.apply(this, args));
    };
  }

  #uncounted(handler: (...args: unknown[]) => unknown): object {
    const tracker = this.#tracker;
    return function (this: unknown, ...args: unknown[]) {
      return tracker.track(handler.apply(this, args));
    };
  }

  /** The same handlers, which register each WebSocket while it is open. */
  #trackedWebSockets(handlers: Record<string, unknown>): object {
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

/** Answers as Bun does in production, because Bun's own page can't be marked. */
function answerBunError(error: unknown): Response {
  console.error(error);
  return new Response("Something went wrong!", { status: 500 });
}

function isFunction(value: unknown): value is (...args: unknown[]) => unknown {
  return typeof value === "function";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/**
 * Whether a value was written as `{ GET: … }`, or is a module that exports
 * `GET`; an object that Bun itself has created is neither.
 */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (!isObject(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  // Bun gives modules a prototype of their own.
  return prototype === Object.prototype || prototype === null ||
    Object.prototype.toString.call(value) === "[object Module]";
}

function mapObject(
  object: Record<string, unknown>,
  change: (value: unknown) => unknown,
): object {
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => [name, change(value)]),
  );
}

/** The name of the routes, and their old name. */
const ROUTES_NAMES = ["routes", "static"] as const;

function isRoutesName(name: string): boolean {
  return (ROUTES_NAMES as readonly string[]).includes(name);
}

function constantsOf(routes: unknown): (Response | Blob)[] {
  if (!isObject(routes)) return [];
  return Object.values(routes)
    .flatMap((route) => isPlainObject(route) ? Object.values(route) : [route])
    .filter((route) => route instanceof Response || route instanceof Blob);
}

/** The routes that are functions, of all methods or of some, if any are. */
function functionsOf(routes: unknown): Record<string, unknown> | undefined {
  if (!isObject(routes)) return undefined;
  const kept = Object.entries(routes)
    .map(([name, route]) =>
      [name, isPlainObject(route) ? functionsOf(route) : route] as const
    )
    .filter(([, route]) => isFunction(route) || isPlainObject(route));
  return kept.length > 0 ? Object.fromEntries(kept) : undefined;
}
