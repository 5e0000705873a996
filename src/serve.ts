/**
 * Serving HTTP with a fetch handler on the sockets of a name.
 *
 * @module
 */

import type { Address } from "./core/address.ts";
import type {
  DrainOptions,
  Fallback,
  ListenTarget,
  Made,
  Mode,
  ServeErrorHandler,
  ServeHandler,
} from "./core/types.ts";
import type { GracefulServer } from "./runtime/backend.ts";
import { currentPlatform } from "./runtime/current.ts";
import { loadBackends, readMode, serveOnFirst } from "./runtime/select.ts";
import { ActiveHandle } from "./shutdown/active_handle.ts";
import { exitWhenIdle } from "./shutdown/idle_exit.ts";
import { type DrainSettings, readDrainOptions } from "./shutdown/options.ts";
import { ServerLifetime } from "./shutdown/server_lifetime.ts";
import { claimTarget, describeTarget, requireHandler } from "./target.ts";

/** How {@linkcode serve} serves. */
export interface ServeOptions {
  /** Where to listen when, and only when, the process is not activated. */
  readonly fallback?: Fallback;
  /**
   * Answers where the handler threw. By default the error is printed and the
   * answer is a plain 500, as `Deno.serve` and `Bun.serve` do.
   */
  readonly onError?: ServeErrorHandler;
  /** Shuts the server down when it is aborted. */
  readonly signal?: AbortSignal;
  /** How the server ends without losing a request. */
  readonly drain?: DrainOptions;
  /**
   * `auto`, the default: the runtime's own server where it can be put onto the
   * sockets, else `node:http`. `native` or `portable`: the one or the other, or
   * an error. Node's own server is `node:http`.
   */
  readonly mode?: Mode;
}

/** An HTTP server on all sockets of a name. */
export interface FetchServer extends Made {
  /**
   * The address of each socket, in order; `undefined` where it can't be told
   * (a Unix socket on Deno without `--allow-ffi`).
   */
  readonly addresses: readonly (Address | undefined)[];
  /**
   * Resolves when the server is shut down or closed, and nothing is left.
   * Rejects if it fails, as that of `Deno.serve` does where no more files can be
   * opened.
   */
  readonly finished: Promise<void>;
  /**
   * Drains: stops accepting, answers the requests that were accepted, and tells
   * the clients to use other connections. What comes meanwhile waits for the
   * next process. After {@linkcode DrainOptions.timeout} what is left is closed.
   * The socket stays with the service manager: it is not shut down, and its path
   * is not removed.
   *
   * @returns The same promise as {@linkcode FetchServer.finished}.
   */
  shutdown(): Promise<void>;
  /** Stops accepting and closes all connections at once. */
  close(): void;
  /** Keeps the process alive while this serves, as it does from the start. */
  ref(): void;
  /** Lets the process end although this serves. */
  unref(): void;
  /** The same as {@linkcode FetchServer.shutdown}. */
  [Symbol.asyncDispose](): Promise<void>;
}

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
  const opening = new ActiveHandle();
  try {
    const selection = await loadBackends(currentPlatform(), mode);
    const claim = claimTarget(target, fallback, action);
    try {
      const { server, ...made } = await serveOnFirst(
        selection,
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
  settings: DrainSettings,
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
