/**
 * `Bun.serve` and `Bun.listen` of an unmodified program on inherited sockets; the
 * servers of Bun's `node:http` and `node:net` call these two.
 *
 * @module
 */

import type * as http from "node:http";
import { createListeners } from "../runtime/adoption/create_listeners.ts";
import { builtin, processGlobal } from "../runtime/builtin.ts";
import {
  bunFunctions,
  type BunListener,
  type BunServer,
} from "../runtime/bun/functions.ts";
import {
  createBunListener,
  mergeBunListeners,
  override,
} from "../runtime/bun/listeners.ts";
import { BunServers } from "../runtime/bun/server.ts";
import {
  type AskedAddress,
  askedPath,
  askedPort,
  describeCall,
} from "./asked_address.ts";
import { drainListener } from "./drained_listener.ts";
import {
  type CreateServer,
  type HandedSockets,
  tellHandledError,
} from "./handed_sockets.ts";

type BunOptions = Record<string, unknown>;

/** Variables with the port of `Bun.serve`, in Bun's order. */
const PORT_VARIABLES = ["BUN_PORT", "PORT", "NODE_PORT"] as const;
/** Bun's port without any of them. */
const BUN_PORT = 3000;

/** Replaces the two functions. */
export function preloadBun(
  handed: HandedSockets,
): void {
  const own = bunFunctions();
  const calls = new BunCalls(handed);
  const { Bun } = globalThis as unknown as { Bun: object };
  Object.assign(Bun, {
    serve: (options: BunOptions) => calls.serve(options) ?? own.serve(options),
    listen: (options: BunOptions) =>
      calls.listen(options) ?? own.listen(options),
  });
}

/** The calls that take sockets; `undefined` for those that bind an address. */
class BunCalls {
  readonly #handed: HandedSockets;
  readonly #nodeServer: () => http.Server | undefined = trackNodeServers();

  constructor(handed: HandedSockets) {
    this.#handed = handed;
  }

  serve(options: BunOptions): BunServer | undefined {
    const { platform } = this.#handed;
    return this.#take(
      "Bun.serve",
      askedOfServe(options),
      (source, call, onEnd) => {
        const server = BunServers.create(platform, source, options, call);
        const node = this.#nodeServer();
        node?.prependListener("request", (_, response) => {
          server.nodeRequests.track(response);
        });
        const lifetime = this.#handed.begin(server);
        lifetime.finished.then(onEnd, onEnd);
        if (node !== undefined) delayCallback(node, lifetime.finished);
        return server.merge((now) => {
          const stopped = lifetime.stop(now);
          // Another server may listen while connections are open.
          onEnd();
          return stopped;
        });
      },
    );
  }

  listen(options: BunOptions): BunListener | undefined {
    const { platform } = this.#handed;
    return this.#take(
      "Bun.listen",
      askedOfListen(options),
      (source, call, onEnd) => {
        const { listeners, sockets } = createListeners(
          platform,
          source,
          "stream-listener",
          {
            create: (bindTo, inherited) =>
              createBunListener(bunFunctions(), bindTo, inherited, options),
            close: (listener) => listener.stop(true),
          },
          call,
        );
        const listener = mergeBunListeners(listeners);
        const close = drainListener(this.#handed, listener, sockets);
        const { stop } = listener;
        const stopAll = (closeActiveConnections?: boolean) => {
          close();
          stop.call(listener, closeActiveConnections);
          onEnd();
        };
        return override(listener, {
          stop: stopAll,
          [Symbol.dispose]: () => stopAll(),
        });
      },
    );
  }

  /** Takes the sockets that a call gets, and releases them if it fails. */
  #take<T>(
    name: string,
    asked: AskedAddress | undefined,
    create: CreateServer<T>,
  ): T | undefined {
    if (asked === undefined) return undefined;
    const call = describeCall(name, asked, "unix");
    try {
      return this.#handed.use(asked, call, create);
    } catch (error) {
      const server = this.#nodeServer();
      if (server !== undefined) tellHandledError(server, error);
      throw error;
    }
  }
}

/**
 * Makes `close()` of a server call back when its sockets can be taken again: Bun
 * itself calls back before the connections are closed.
 */
function delayCallback(server: http.Server, finished: Promise<void>): void {
  const { close } = server;
  server.close = (callback) => {
    server.close = close;
    return close.call(server, (error) => {
      const report = () => callback?.(error);
      finished.then(report, report);
    });
  };
}

/** Returns what a call of `Bun.serve` asks for; `undefined` if nothing fixed. */
function askedOfServe(options: BunOptions): AskedAddress | undefined {
  if (Object(options) !== options) return undefined;
  if (hasValue(options["unix"])) return askedPath(options["unix"]);
  const port = options["port"] ?? defaultPort();
  return askedPort(
    typeof port === "number" ? Math.trunc(port) : port,
    options["hostname"],
  );
}

/** Returns the port that Bun takes without an option. */
function defaultPort(): string | number {
  const { env, execArgv = [] } = processGlobal()!;
  const index = execArgv.lastIndexOf("--port");
  const flag = index >= 0
    ? execArgv[index + 1]
    : execArgv.findLast((word) => word.startsWith("--port="))
      ?.slice("--port=".length);
  const candidates = [flag, ...PORT_VARIABLES.map((name) => env[name])];
  // Bun passes over what is no port.
  return candidates.find((text) =>
    text !== undefined && /^[0-9]+$/.test(text)
  ) ??
    BUN_PORT;
}

function askedOfListen(options: BunOptions): AskedAddress | undefined {
  if (Object(options) !== options || hasValue(options["fd"])) return undefined;
  return hasValue(options["unix"])
    ? askedPath(options["unix"])
    : askedPort(options["port"], options["hostname"]);
}

function hasValue(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "";
}

/** Notices the server of `node:http` that calls `Bun.serve`. */
function trackNodeServers(): () => http.Server | undefined {
  let current: http.Server | undefined;
  const { Server: HttpServer } = builtin("node:http");
  const { Server: HttpsServer } = builtin("node:https");
  const prototypes = new Set<{ listen: unknown }>([
    HttpServer.prototype,
    HttpsServer.prototype,
  ]);
  for (const prototype of prototypes) {
    const listen = prototype.listen as (...args: unknown[]) => unknown;
    prototype.listen = function (this: http.Server, ...args: unknown[]) {
      const outer = current;
      current = this;
      try {
        return listen.apply(this, args);
      } finally {
        current = outer;
      }
    };
  }
  return () => current;
}
