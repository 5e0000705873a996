/**
 * The options of `Bun.serve`, with handlers that track their requests and
 * announce the end of a connection when the server drains.
 *
 * @module
 */

import type { ClosableWebSocket } from "../../core/types.ts";
import { OptionsReader, replaceMembers } from "../adoption/options_reader.ts";
import {
  closeConnectionAfter,
  type RequestTracker,
} from "../http/request_tracker.ts";
import {
  constantsOf,
  functionsOf,
  isFunction,
  isObject,
  mapRoutes,
  readRoutes,
} from "./routes.ts";

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

  /**
   * Returns the options of the program with handlers that track requests.
   *
   * @returns The options, and a function to call when Bun has taken them.
   */
  track(options: object): { tracked: object; commit: () => void } {
    const reader = new OptionsReader(options);
    const handlers = readHandlers(reader);
    // Cloned before Bun takes the body out of a response that it is given.
    const lastResponses = new Map(
      ROUTES_NAMES.flatMap((name) => constantsOf(handlers[name]))
        .map((constant) => [
          constant,
          closeConnectionAfter(
            constant instanceof Response
              ? constant.clone()
              : new Response(constant),
          ),
        ]),
    );
    return {
      tracked: reader.replace(this.#tracked(handlers, (response) => response)),
      commit: () => {
        this.#remember({ ...reader.members, ...handlers });
        this.#lastResponses = lastResponses;
      },
    };
  }

  /** Remembers the options that Bun has in effect after `options` are set. */
  #remember(options: Record<string, unknown>): void {
    const defined = Object.entries(options)
      .filter(([, value]) => value !== undefined && value !== null);
    const hasRoutes = defined.some(([name]) => isRoutesName(name));
    const kept = Object.entries(this.#current).flatMap(([name, value]) => {
      if (!isRoutesName(name)) return [[name, value]];
      // Without new routes, Bun keeps the old ones that are functions.
      const functions = hasRoutes ? undefined : functionsOf(value);
      return functions === undefined ? [] : [[name, functions]];
    });
    this.#current = Object.fromEntries([...kept, ...defined]);
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
    const options = { ...this.#current, error };
    return {
      ...options,
      ...this.#tracked(
        options,
        (response) => this.#lastResponses.get(response) ?? response,
      ),
    };
  }

  /** Returns the members of options that are handlers, tracking requests. */
  #tracked(
    options: Record<string, unknown>,
    toRoute: (response: unknown) => unknown,
  ): Record<string, unknown> {
    const track: Record<string, (value: unknown) => unknown> = {
      fetch: (value) => isFunction(value) ? this.#counted(value) : value,
      error: (value) => isFunction(value) ? this.#uncounted(value) : value,
    };
    for (const name of ROUTES_NAMES) {
      track[name] = (routes) =>
        mapRoutes(routes, (handler) => this.#counted(handler), toRoute);
    }
    for (const name of WEB_SOCKET_NAMES) {
      track[name] = (value) =>
        isObject(value) ? this.#trackedWebSockets(value) : value;
    }
    return Object.fromEntries(
      Object.keys(track).filter((name) => Object.hasOwn(options, name))
        .map((name) => [name, track[name]!(options[name])]),
    );
  }

  #counted(handler: (...args: unknown[]) => unknown): object {
    const tracker = this.#tracker;
    return function (this: unknown, ...args: unknown[]) {
      tracker.total++;
      return tracker.track(Reflect.apply(handler, this, args));
    };
  }

  #uncounted(handler: (...args: unknown[]) => unknown): object {
    const tracker = this.#tracker;
    return function (this: unknown, ...args: unknown[]) {
      return tracker.track(Reflect.apply(handler, this, args));
    };
  }

  /** The same handlers, which register each WebSocket while it is open. */
  #trackedWebSockets(handlers: Record<string, unknown>): object {
    const { webSockets } = this;
    const tracked = (
      name: "open" | "close",
      register: (socket: ClosableWebSocket) => void,
    ) => {
      const handler = handlers[name];
      // Bun reports a handler of another type.
      if (handler && !isFunction(handler)) return handler;
      return function (
        this: unknown,
        ...args: [ClosableWebSocket, ...unknown[]]
      ) {
        register(args[0]);
        return isFunction(handler) && Reflect.apply(handler, this, args);
      };
    };
    return replaceMembers(handlers, {
      open: tracked("open", (socket) => webSockets.add(socket)),
      close: tracked("close", (socket) => webSockets.delete(socket)),
    });
  }
}

/** Answers as Bun does in production, because Bun's own page can't be marked. */
function answerBunError(error: unknown): Response {
  console.error(error);
  return new Response("Something went wrong!", { status: 500 });
}

/** The name of the routes, and their old name, which Bun reads without routes. */
const ROUTES_NAMES = ["routes", "static"] as const;

/** The name of the handlers of WebSockets, and another that Bun reads, too. */
const WEB_SOCKET_NAMES = ["websocket", "webSocket"] as const;

function isRoutesName(name: string): boolean {
  return (ROUTES_NAMES as readonly string[]).includes(name);
}

/** Reads the members that are handlers, and the members of these, once. */
function readHandlers(reader: OptionsReader): Record<string, unknown> {
  const { read } = reader;
  const routes = readRoutes(read("routes"));
  return {
    fetch: read("fetch"),
    error: read("error"),
    routes,
    ...(routes === undefined && { static: readRoutes(read("static")) }),
    ...Object.fromEntries(WEB_SOCKET_NAMES.map((name) => {
      const handlers = read(name);
      return [
        name,
        isObject(handlers) ? new OptionsReader(handlers).replace({}) : handlers,
      ];
    })),
  };
}
