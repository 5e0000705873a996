/**
 * Deno's own servers and listeners, at full speed, on the sockets that a service
 * manager passed: `Deno.serve`, `Deno.listen`, `Deno.listenTls` and
 * `Deno.listenDatagram`, with a name in place of an address.
 *
 * Deno takes no descriptor. So it creates its listener on a placeholder, whose
 * place the inherited socket then takes: with `--allow-ffi`, and `--allow-net`
 * for the placeholder (for a Unix socket `--allow-read` and `--allow-write`).
 * Without these permissions, use `serve` and `listen` of the neutral entry point.
 *
 * @example
 * ```ts
 * import { serve } from "@listenfds/listenfds/deno";
 *
 * await serve("web", () => new Response("hello\n"));
 * ```
 *
 * @module
 */

import {
  requireAbortSignal,
  requireHandler,
  requireOptions,
} from "./core/errors.ts";
import type {
  EndOptions,
  Fallback,
  FallbackOptions,
  ListenTarget,
} from "./core/types.ts";
import { createListeners } from "./runtime/adoption/create_listeners.ts";
import { requirePlatform } from "./runtime/current.ts";
import { announceServer } from "./runtime/deno/announce.ts";
import {
  type DatagramConn,
  denoFunctions,
  requireListenDatagram,
} from "./runtime/deno/functions.ts";
import {
  createDatagramConn,
  createDenoListener,
  createTlsListener,
  mergeDenoListeners,
} from "./runtime/deno/listeners.ts";
import { type DenoServeOptions, DenoServer } from "./runtime/deno/server.ts";
import { readServeArguments } from "./runtime/deno/serve_arguments.ts";
import { trackListener } from "./shutdown/active_handle.ts";
import { beginLifetime } from "./shutdown/idle_exit.ts";
import { readEndOptions } from "./shutdown/options.ts";
import { describeTarget, prepareClaim, requireOne } from "./target.ts";

export type { ListenAddress } from "./core/listen_address.ts";
export type {
  ClosableWebSocket,
  EndOptions,
  Fallback,
  FallbackOptions,
  ListenTarget,
  ShutdownOptions,
} from "./core/types.ts";
export type { DatagramConn } from "./runtime/deno/functions.ts";
export type { DenoServeOptions } from "./runtime/deno/server.ts";

/** The options of `Deno.serve`, without an address. */
export type ServeOptions<Addr extends Deno.Addr = Deno.NetAddr> =
  & Omit<DenoServeOptions, "onListen">
  & FallbackOptions
  & EndOptions
  & {
    /**
     * Called for each socket with its address; by default, nothing is printed. If
     * it throws, the server is closed, with its sockets.
     */
    readonly onListen?: (localAddr: Addr) => void;
  };

/**
 * `Deno.serve` on the sockets of a name.
 *
 * Several sockets of one name (IPv4 and IPv6, say) are one server: all of them
 * start, or none. `addr` is the address of the first.
 *
 * It shuts down gracefully on `SIGTERM` and by `shutdown()`, see
 * {@linkcode EndOptions}. Aborting `signal` ends it at once, as with `Deno.serve`.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param handler Answers a request.
 * @returns The server of `Deno.serve`.
 * @throws {ActivationError} As `serve` of the neutral entry point;
 * `unsupported` or `permission` if Deno's server can't be used here.
 *
 * @example
 * ```ts
 * import { serve } from "@listenfds/listenfds/deno";
 *
 * await serve("web", () => new Response("hello\n"));
 * ```
 */
export function serve<Addr extends Deno.Addr = Deno.NetAddr>(
  target: ListenTarget,
  handler: Deno.ServeHandler<Addr>,
): Promise<Deno.HttpServer<Addr>>;
/**
 * `Deno.serve` on the sockets of a name, with its options.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options The options of `Deno.serve`, and where to listen without an activation.
 * @param handler Answers a request.
 * @returns The server of `Deno.serve`.
 *
 * @example
 * ```ts
 * import { serve } from "@listenfds/listenfds/deno";
 *
 * await serve(
 *   "web",
 *   { fallback: { port: 8080 }, onListen: (addr) => console.log(addr) },
 *   () => new Response("hello\n"),
 * );
 * ```
 */
export function serve<Addr extends Deno.Addr = Deno.NetAddr>(
  target: ListenTarget,
  options: ServeOptions<Addr>,
  handler: Deno.ServeHandler<Addr>,
): Promise<Deno.HttpServer<Addr>>;
/**
 * `Deno.serve` on the sockets of a name, with the handler among its options.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options These options, and the `handler`.
 * @returns The server of `Deno.serve`.
 *
 * @example
 * ```ts
 * import { serve } from "@listenfds/listenfds/deno";
 *
 * await serve("web", { handler: () => new Response("hello\n") });
 * ```
 */
export function serve<Addr extends Deno.Addr = Deno.NetAddr>(
  target: ListenTarget,
  options: ServeOptions<Addr> & { readonly handler: Deno.ServeHandler<Addr> },
): Promise<Deno.HttpServer<Addr>>;
export async function serve(
  target: ListenTarget,
  ...args: unknown[]
): Promise<Deno.HttpServer> {
  const action = `Serving HTTP on ${describeTarget(target)}`;
  const { options, handler } = readServeArguments<
    ServeOptions<Deno.Addr>
  >(args, action);
  const { fallback, onListen } = options;
  const signal = options.signal ?? undefined;
  requireAbortSignal(signal, action);
  if (onListen) requireHandler(onListen, action, "onListen");
  const settings = readEndOptions(options, action);
  signal?.throwIfAborted();
  const platform = requirePlatform("deno");
  const claimAs = await prepareClaim(fallback);
  const claim = claimAs(target, "stream-listener", action);
  let server: DenoServer;
  try {
    server = DenoServer.create(
      platform,
      claim.source,
      options,
      handler,
      handler,
      action,
    );
  } catch (error) {
    await claim.release();
    throw error;
  }
  const lifetime = beginLifetime(platform, server, settings);
  claim.opened(settings.notifies);
  return announceServer(server, lifetime, options, onListen, signal);
}

/**
 * `Deno.listen` on the sockets of a name.
 *
 * Several sockets of one name are one listener: all of them start, or none, and
 * it accepts on all of them. `addr` is the address of the first.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options Where to listen without an activation.
 * @returns The listener of `Deno.listen`.
 * @throws {ActivationError} As {@linkcode serve}.
 *
 * @example
 * ```ts
 * import { listen } from "@listenfds/listenfds/deno";
 *
 * for await (const connection of await listen("echo")) {
 *   connection.readable.pipeTo(connection.writable).catch(() => {});
 * }
 * ```
 */
export async function listen(
  target: ListenTarget,
  options: FallbackOptions = {},
): Promise<Deno.Listener> {
  const action = `Listening on ${describeTarget(target)}`;
  requireOptions(options, action, true);
  return await openListener(target, options.fallback, {
    create: (bindTo, inherited) =>
      createDenoListener(denoFunctions(), bindTo, inherited, options),
    close: (listener) => listener.close(),
  }, action);
}

/** The options of `Deno.listenTls`, without an address. */
export type ListenTlsOptions =
  & Omit<Deno.ListenTlsOptions, "port" | "hostname" | "transport" | "reusePort">
  & Deno.TlsCertifiedKeyPem
  & FallbackOptions;

/**
 * `Deno.listenTls` on the TCP sockets of a name.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options The options of `Deno.listenTls`, and where to listen without an activation.
 * @returns The listener of `Deno.listenTls`.
 * @throws {ActivationError} As {@linkcode serve}.
 *
 * @example
 * ```ts
 * import { listenTls } from "@listenfds/listenfds/deno";
 *
 * const listener = await listenTls("imaps", {
 *   cert: await Deno.readTextFile("cert.pem"),
 *   key: await Deno.readTextFile("key.pem"),
 * });
 * ```
 */
export async function listenTls(
  target: ListenTarget,
  options: ListenTlsOptions,
): Promise<Deno.TlsListener> {
  const action = `Listening for TLS on ${describeTarget(target)}`;
  requireOptions(options, action, true);
  return await openListener(target, options.fallback, {
    create: (bindTo, inherited) =>
      createTlsListener(denoFunctions(), bindTo, inherited, options),
    close: (listener) => listener.close(),
  }, action);
}

/** Opens one listener on all sockets of a target. */
async function openListener<T extends Deno.Listener<Deno.Conn>>(
  target: ListenTarget,
  fallback: Fallback | undefined,
  factory: Parameters<typeof createListeners<T>>[3],
  action: string,
): Promise<T> {
  const platform = requirePlatform("deno");
  const claimAs = await prepareClaim(fallback);
  const claim = claimAs(target, "stream-listener", action);
  try {
    const { listeners, sockets } = createListeners(
      platform,
      claim.source,
      "stream-listener",
      factory,
      action,
    );
    claim.opened();
    return trackListener(
      mergeDenoListeners(listeners),
      () => sockets.mayHaveConnections(),
    );
  } catch (error) {
    await claim.release();
    throw error;
  }
}

/** The options of `Deno.listenDatagram` for UDP, without an address. */
export interface ListenDatagramOptions extends FallbackOptions {
  /** Whether multicast datagrams of this machine are received, too. */
  readonly loopback?: boolean;
}

/**
 * `Deno.listenDatagram` on the UDP socket of a name. Deno has it with
 * `--unstable-net`.
 *
 * @param target The name, or an address such as `systemd:dns` or `fd:3`; one
 * socket.
 * @param options The options, and where to listen without an activation.
 * @returns The socket of `Deno.listenDatagram`.
 * @throws {ActivationError} As {@linkcode serve}; `ambiguous-name` for several
 * sockets.
 *
 * @example
 * ```ts
 * import { listenDatagram } from "@listenfds/listenfds/deno";
 *
 * const socket = await listenDatagram("dns");
 * for await (const [data, from] of socket) await socket.send(data, from);
 * ```
 */
export async function listenDatagram(
  target: ListenTarget,
  options: ListenDatagramOptions = {},
): Promise<DatagramConn> {
  const action = `Receiving datagrams on ${describeTarget(target)}`;
  requireOptions(options, action, true);
  const { fallback } = options;
  const platform = requirePlatform("deno");
  const open = requireListenDatagram(action);
  const claimAs = await prepareClaim(fallback);
  const claim = claimAs(target, "datagram", action);
  try {
    requireOne(claim.source, action);
    const { listeners: [socket] } = createListeners(
      platform,
      claim.source,
      "datagram",
      {
        create: (bindTo, inherited) =>
          createDatagramConn(open, bindTo, inherited, options),
        close: (socket) => socket.close(),
      },
      action,
    );
    claim.opened();
    return trackListener(socket!);
  } catch (error) {
    await claim.release();
    throw error;
  }
}
