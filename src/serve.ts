/**
 * Serving HTTP with a fetch handler on the sockets of a name.
 *
 * @module
 */

import { requireAbortSignal, requireOptions } from "./core/errors.ts";
import type {
  FetchServer,
  ListenTarget,
  ServeHandler,
  ServeOptions,
} from "./core/types.ts";
import { isEvaluatedAgain } from "./runtime/builtin.ts";
import { defaultOnError } from "./runtime/http/fetch_handler.ts";
import { currentPlatform } from "./runtime/current.ts";
import { ServerContext } from "./runtime/server_context.ts";
import { loadBackends, readBackend, serveOnFirst } from "./runtime/select.ts";
import { ActiveHandle } from "./shutdown/active_handle.ts";
import { beginLifetime, watchIdleness } from "./shutdown/idle_exit.ts";
import { type EndSettings, readEndOptions } from "./shutdown/options.ts";
import type { ServerLifetime } from "./shutdown/server_lifetime.ts";
import { describeTarget, prepareClaim } from "./target.ts";

/**
 * Serves HTTP on the sockets that a service manager passed under a name.
 *
 * Several sockets of one name (IPv4 and IPv6, say) are one server: all of them
 * start, or none. After a failure all can be claimed again. TLS and upgrades to
 * WebSockets are up to the servers of the entry points `./deno`, `./bun` and
 * `./node`.
 *
 * The server shuts down gracefully on `SIGTERM`, see {@linkcode EndOptions}.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param handler Answers a request: a function, or an app with a `fetch` method
 * such as one of Hono, h3 or Elysia. Nothing else of an app is read or called.
 * @returns The server.
 * @throws {ActivationError} With the code `missing-name` or `already-claimed`;
 * `wrong-kind`, `ambiguous-name` or `not-open` before anything is touched;
 * `not-activated` without an activation and a fallback; `bind-while-activated`
 * for an address to bind; `unsupported` if this version of the runtime can't
 * listen on an inherited descriptor; `address-mismatch` if it listens elsewhere;
 * `permission` or `system` if the runtime or the operating system refuses; or as
 * `activation()`.
 * @throws {SyntaxError | RangeError} If the target is an invalid address, or a
 * variable is malformed.
 *
 * @example
 * ```ts
 * import { serve } from "@listenfds/listenfds";
 *
 * await serve("web", () => new Response("hello\n"));
 * ```
 */
export function serve(
  target: ListenTarget,
  handler: ServeHandler | { fetch: ServeHandler },
): Promise<FetchServer>;
/**
 * Serves HTTP on the sockets of a name, with options.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options Where to listen without an activation, and how to end.
 * @param handler Answers a request.
 * @returns The server.
 *
 * @example
 * ```ts
 * import { serve } from "@listenfds/listenfds";
 *
 * await serve(
 *   "web",
 *   { fallback: { port: 8080, hostname: "127.0.0.1" } },
 *   (request) => new Response(`${new URL(request.url).pathname}\n`),
 * );
 * ```
 */
export function serve(
  target: ListenTarget,
  options: ServeOptions,
  handler: ServeHandler | { fetch: ServeHandler },
): Promise<FetchServer>;
export async function serve(
  target: ListenTarget,
  ...rest: [unknown] | [ServeOptions, unknown]
): Promise<FetchServer> {
  const [options = {}, app] = rest.length === 1 ? [{}, rest[0]] : rest;
  const action = `Serving HTTP on ${describeTarget(target)}`;
  requireOptions(options, action);
  const handler = toHandler(app, action);
  const { fallback, onError, signal } = options;
  requireAbortSignal(signal, action);
  const option = readBackend(options.backend, action);
  const settings = readEndOptions(options, action);
  const service: Service = { handler, onError, signal, settings };
  const hot = isEvaluatedAgain() ? await import("./reload.ts") : undefined;
  const reloaded = hot?.reloadServer<Service, FetchServer>(
    "serve",
    target,
    service,
  );
  if (reloaded !== undefined) return reloaded.result;
  const platform = currentPlatform();
  const context = new ServerContext();
  const opening = new ActiveHandle();
  try {
    const backends = await loadBackends(platform, option, "serve");
    const claimAs = await prepareClaim(fallback);
    const claim = claimAs(target, "stream-listener", action);
    try {
      const { server, ...selected } = await serveOnFirst(
        platform,
        backends,
        claim.source,
        ...replaceable(service),
        context,
        action,
      );
      const lifetime = beginLifetime(platform, server, settings);
      claim.opened(settings.notifies);
      // A handler is given the runtime's own server, too, and may end it.
      server.merge?.(lifetime.stop);
      lifetime.closeOnAbort(signal);
      const served = { ...selected, ...toFetchServer(lifetime, context) };
      hot?.rememberServer("serve", target, served.finished, (next: Service) => {
        Object.assign(service, next);
        lifetime.configure(next.settings);
        watchIdleness(lifetime, next.settings.exitWhenIdleMs);
        lifetime.closeOnAbort(next.signal);
        return served;
      });
      return served;
    } catch (error) {
      await claim.release();
      throw error;
    }
  } finally {
    opening.close();
  }
}

/** The arguments of a call that the next evaluation of the program replaces. */
interface Service {
  readonly handler: ServeHandler;
  readonly onError: ServeOptions["onError"];
  readonly signal: AbortSignal | undefined;
  readonly settings: EndSettings;
}

/** Returns the handlers; where they can be replaced, ones that read them anew. */
function replaceable(
  service: Service,
): [ServeHandler, ServeOptions["onError"]] {
  if (!isEvaluatedAgain()) return [service.handler, service.onError];
  return [
    (request, info) => service.handler(request, info),
    (error) => (service.onError ?? defaultOnError)(error),
  ];
}

/** Returns the function that answers: the handler itself, or `fetch` of an app. */
function toHandler(handler: unknown, action: string): ServeHandler {
  if (typeof handler === "function") return handler as ServeHandler;
  const { fetch } = Object(handler) as { fetch?: unknown };
  if (typeof fetch === "function") {
    // With as many parameters as `fetch` has, because servers look at them.
    return fetch.length > 1
      ? (request, info) => fetch.call(handler, request, info)
      : (request, ...info) => fetch.call(handler, request, ...info);
  }
  throw new TypeError(
    `${action}: expected a handler function or an app with a fetch method, ` +
      `found ${typeof handler}`,
  );
}

/** Returns the members that the program uses to control the server. */
function toFetchServer(
  lifetime: ServerLifetime,
  context: ServerContext,
): Omit<FetchServer, "backend" | "backendReason"> {
  const { server, finished } = lifetime;
  // A program may leave `finished` alone: a failure must not end the process.
  finished.catch(() => {});
  const shutdown = () => lifetime.shutdown();
  return {
    addresses: server.addresses,
    finished,
    get shutdownSignal() {
      return context.shutdownSignal;
    },
    shutdown,
    close: () => lifetime.close(),
    ref: () => server.ref(),
    unref: () => server.unref(),
    [Symbol.asyncDispose]: shutdown,
  };
}
