/**
 * Bun's own servers and sockets, at full speed, on the sockets that a service
 * manager passed: `Bun.serve`, `Bun.listen` and `Bun.udpSocket`, with a name in
 * place of an address.
 *
 * Bun takes no descriptor. So it creates its listener on a placeholder, whose
 * place the inherited socket then takes.
 *
 * @example
 * ```ts
 * import { serve } from "@listenfds/listenfds/bun";
 *
 * await serve("web", { fetch: () => new Response("hello\n") });
 * ```
 *
 * @module
 */

import { requireOptions } from "./core/errors.ts";
import type {
  EndOptions,
  FallbackOptions,
  ListenTarget,
} from "./core/types.ts";
import {
  createListenerAsync,
  createListeners,
} from "./runtime/adoption/create_listeners.ts";
import { OptionsReader } from "./runtime/adoption/options_reader.ts";
import {
  bunFunctions,
  type BunListener,
  type BunServer,
} from "./runtime/bun/functions.ts";
import {
  createBunListener,
  createUdpSocket,
  mergeBunListeners,
} from "./runtime/bun/listeners.ts";
import { BunServers } from "./runtime/bun/server.ts";
import { isEvaluatedAgain } from "./runtime/builtin.ts";
import { requirePlatform } from "./runtime/current.ts";
import { ActiveHandle, trackListener } from "./shutdown/active_handle.ts";
import { beginLifetime, watchIdleness } from "./shutdown/idle_exit.ts";
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
export type { BunListener, BunServer } from "./runtime/bun/functions.ts";

/**
 * The options and the result of a function of Bun. Of several forms it is the
 * first, which in Bun's types is that for a port.
 */
export type FormOf<Call> = Call extends {
  (options: infer FirstOptions): infer FirstResult;
  (options: infer LastOptions): infer LastResult;
} ? unknown extends FirstOptions ? [LastOptions, Awaited<LastResult>]
  : [FirstOptions, Awaited<FirstResult>]
  : [Record<string, unknown>, unknown];

/** The server of `Bun.serve`, as Bun's types have it where they are installed. */
export type Server = typeof globalThis extends { Bun: { serve: infer Call } }
  ? FormOf<Call>[1]
  : BunServer;

/**
 * The options of `Bun.serve`; an address among them is not used. An app of Hono or
 * Elysia, or an instance of a class, is taken as `Bun.serve` takes it.
 */
export type ServeOptions =
  & (typeof globalThis extends { Bun: { serve: infer Call } } ? FormOf<Call>[0]
    : Record<string, unknown> | object)
  & FallbackOptions
  & EndOptions;

/** The listener of `Bun.listen`. */
export type Listener = typeof globalThis extends { Bun: { listen: infer Call } }
  ? FormOf<Call>[1]
  : BunListener;

/** The options of `Bun.listen`; an address among them is not used. */
export type ListenOptions =
  & (typeof globalThis extends { Bun: { listen: infer Call } }
    ? Omit<FormOf<Call>[0], "hostname" | "port" | "unix">
    : Record<string, unknown> | object)
  & FallbackOptions;

/** The socket of `Bun.udpSocket`. */
export type UdpSocket = typeof globalThis extends
  { Bun: { udpSocket: infer Call } } ? FormOf<Call>[1]
  : { close(): void };

/** The options of `Bun.udpSocket`; an address among them is not used. */
export type UdpSocketOptions =
  & (typeof globalThis extends { Bun: { udpSocket: infer Call } }
    ? FormOf<Call>[0]
    : Record<string, unknown> | object)
  & FallbackOptions;

/**
 * `Bun.serve` on the sockets of a name.
 *
 * Several sockets of one name (IPv4 and IPv6, say) are one server: all of them
 * start, or none. What it shows is the address of the first.
 *
 * It shuts down gracefully on `SIGTERM` and by `stop()`, see
 * {@linkcode EndOptions}. `stop(true)` ends it at once, as with `Bun.serve`.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options The options of `Bun.serve`, and where to listen without an activation.
 * @returns The server of `Bun.serve`.
 * @throws {ActivationError} As `serve` of the neutral entry point.
 * @throws {TypeError} If Bun refuses the options; then nothing is claimed.
 *
 * @example
 * ```ts
 * import { serve } from "@listenfds/listenfds/bun";
 *
 * const server = await serve("web", {
 *   fallback: { port: 8080 },
 *   fetch: () => new Response("hello\n"),
 * });
 * ```
 */
export async function serve(
  target: ListenTarget,
  options: ServeOptions,
): Promise<Server> {
  const action = `Serving HTTP on ${describeTarget(target)}`;
  requireOptions(options, action, true);
  const { fallback } = options;
  const settings = readEndOptions(options, action);
  const service = { options, settings };
  const hot = isEvaluatedAgain() ? await import("./reload.ts") : undefined;
  const reloaded = hot?.reloadServer<typeof service, Server>(
    "bun",
    target,
    service,
  );
  if (reloaded !== undefined) return reloaded.result;
  const platform = requirePlatform("bun");
  const claimAs = await prepareClaim(fallback);
  const claim = claimAs(target, "stream-listener", action);
  let server: BunServers;
  try {
    server = BunServers.create(platform, claim.source, options, action);
  } catch (error) {
    await claim.release();
    throw error;
  }
  const lifetime = beginLifetime(platform, server, settings);
  claim.opened(settings.notifies);
  const merged = server.merge(lifetime.stop) as Server;
  lifetime.finished.catch(() => {});
  hot?.rememberServer(
    "bun",
    target,
    lifetime.finished,
    (next: typeof service) => {
      server.reload(next.options);
      lifetime.configure(next.settings);
      watchIdleness(lifetime, next.settings.exitWhenIdleMs);
      return merged;
    },
  );
  return merged;
}

/**
 * `Bun.listen` on the sockets of a name.
 *
 * Several sockets of one name are one listener: all of them start, or none.
 * What it shows is the address of the first.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options The options of `Bun.listen`, and where to listen without an activation.
 * @returns The listener of `Bun.listen`.
 * @throws {ActivationError} As {@linkcode serve}.
 *
 * @example
 * ```ts
 * import { listen } from "@listenfds/listenfds/bun";
 *
 * await listen("echo", {
 *   socket: {
 *     data(socket: { write(data: Uint8Array): number }, data: Uint8Array) {
 *       socket.write(data);
 *     },
 *   },
 * });
 * ```
 */
export async function listen(
  target: ListenTarget,
  options: ListenOptions,
): Promise<Listener> {
  const action = `Listening on ${describeTarget(target)}`;
  requireOptions(options, action, true);
  const { fallback } = options;
  const platform = requirePlatform("bun");
  const claimAs = await prepareClaim(fallback);
  const claim = claimAs(target, "stream-listener", action);
  try {
    const functions = bunFunctions();
    const reader = new OptionsReader(options);
    const { listeners, sockets } = createListeners(
      platform,
      claim.source,
      "stream-listener",
      {
        create: (bindTo, inherited) =>
          createBunListener(functions, bindTo, inherited, reader.replace({})),
        close: (listener) => listener.stop(true),
      },
      action,
    );
    claim.opened();
    return trackListener(
      mergeBunListeners(listeners),
      () => sockets.mayHaveConnections(),
    ) as Listener;
  } catch (error) {
    await claim.release();
    throw error;
  }
}

/**
 * `Bun.udpSocket` on the UDP socket of a name.
 *
 * @param target The name, or an address such as `systemd:dns` or `fd:3`; one
 * socket.
 * @param options The options of `Bun.udpSocket`, and where to listen without an activation.
 * @returns The socket of `Bun.udpSocket`.
 * @throws {ActivationError} As {@linkcode serve}; `ambiguous-name` for several
 * sockets.
 *
 * @example
 * ```ts
 * import { udpSocket } from "@listenfds/listenfds/bun";
 *
 * await udpSocket("dns", {
 *   socket: {
 *     data(
 *       socket: { send(data: Uint8Array, port: number, host: string): boolean },
 *       data: Uint8Array,
 *       port: number,
 *       host: string,
 *     ) {
 *       socket.send(data, port, host);
 *     },
 *   },
 * });
 * ```
 */
export async function udpSocket(
  target: ListenTarget,
  options: UdpSocketOptions,
): Promise<UdpSocket> {
  const action = `Receiving datagrams on ${describeTarget(target)}`;
  requireOptions(options, action, true);
  const { fallback } = options;
  const platform = requirePlatform("bun");
  const claimAs = await prepareClaim(fallback);
  const claim = claimAs(target, "datagram", action);
  const opening = new ActiveHandle();
  try {
    requireOne(claim.source, action);
    const functions = bunFunctions();
    const socket = await createListenerAsync(
      platform,
      claim.source,
      "datagram",
      {
        create: (bindTo, inherited) =>
          createUdpSocket(functions, bindTo, inherited, options),
        close: (socket) => socket.close(),
      },
      action,
    );
    claim.opened();
    return trackListener(socket) as UdpSocket;
  } catch (error) {
    await claim.release();
    throw error;
  } finally {
    opening.close();
  }
}
