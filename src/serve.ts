/**
 * Serving HTTP with a fetch handler on the sockets of a name.
 *
 * @module
 */

import type {
  FetchServer,
  ListenTarget,
  Made,
  ServeHandler,
  ServeOptions,
} from "./core/types.ts";
import type { GracefulServer } from "./runtime/backend.ts";
import { currentPlatform } from "./runtime/current.ts";
import { loadBackends, readMode, serveOnFirst } from "./runtime/select.ts";
import { ActiveHandle } from "./shutdown/active_handle.ts";
import { exitWhenIdle } from "./shutdown/idle_exit.ts";
import { readDrainOptions } from "./shutdown/options.ts";
import { ServerLifetime } from "./shutdown/server_lifetime.ts";
import { claimTarget, describeTarget, requireHandler } from "./target.ts";

/**
 * Serves HTTP on the sockets that a service manager handed over under a name.
 *
 * Several sockets of one name (IPv4 and IPv6, say) are one server: all of them
 * start, or none. If that fails, all of them can be claimed again.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param handler Answers a request.
 * @returns The server.
 * @throws {ActivationError} With the code `missing-name` or `claimed`;
 * `wrong-kind` or `closed` before anything is touched; `not-activated` if there
 * is neither an activation nor a fallback; `activated` if an address is to be
 * bound although there is one; `unsupported` if this version of the runtime
 * can't listen on an inherited descriptor; `permission` or `failed` if the
 * operating system or the runtime refuses.
 * @throws {SyntaxError | RangeError} If the target is an address that doesn't
 * parse, or the environment doesn't.
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
  handler: ServeHandler,
): Promise<FetchServer>;
/**
 * Serves HTTP on the sockets of a name, with options.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options How to serve.
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
  handler: ServeHandler,
): Promise<FetchServer>;
export async function serve(
  target: ListenTarget,
  ...rest: [ServeHandler] | [ServeOptions, ServeHandler]
): Promise<FetchServer> {
  const [options, handler] = rest.length === 1 ? [{}, rest[0]] : rest;
  const { fallback, onError, signal } = options;
  const action = `Serving HTTP on ${describeTarget(target)}`;
  requireHandler(handler, action);
  requireSignal(signal, action);
  const mode = readMode(options.mode, action);
  const settings = readDrainOptions(options.drain, action);
  const platform = currentPlatform();
  const opening = new ActiveHandle();
  try {
    const backends = await loadBackends(platform, mode, "serve");
    const claim = claimTarget(target, fallback, action);
    try {
      const { server, ...made } = await serveOnFirst(
        platform,
        mode,
        backends,
        claim.source,
        handler,
        onError,
        action,
      );
      return startServer(server, made, settings, signal);
    } catch (error) {
      await claim.release();
      throw error;
    }
  } finally {
    opening.close();
  }
}

/** Begins the lifetime of a server, and returns what the program is given. */
function startServer(
  server: GracefulServer,
  made: Made,
  settings: ReturnType<typeof readDrainOptions>,
  signal: AbortSignal | undefined,
): FetchServer {
  const lifetime = new ServerLifetime(server, settings);
  exitWhenIdle(lifetime, settings.idleTimeout);
  const shutdown = () => lifetime.drain();
  if (signal?.aborted) shutdown();
  else signal?.addEventListener("abort", shutdown);
  const removeListener = () => signal?.removeEventListener("abort", shutdown);
  lifetime.finished.then(removeListener, removeListener);
  return {
    ...made,
    addresses: server.addresses,
    finished: lifetime.finished,
    shutdown,
    close: () => lifetime.close(),
    ref: () => server.ref(),
    unref: () => server.unref(),
    [Symbol.asyncDispose]: shutdown,
  };
}

function requireSignal(signal: unknown, action: string): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw new TypeError(
    `${action}: expected the option signal to be an AbortSignal, found ` +
      typeof signal,
  );
}
