/**
 * Bun's own servers and sockets, at full speed, on the sockets that a service
 * manager handed over: `Bun.serve`, `Bun.listen` and `Bun.udpSocket`, with a
 * name in the place of an address.
 *
 * Bun takes no descriptor. So it makes its listener on a placeholder, whose
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

import { describeTarget, openTarget, requireOne, useTarget } from "./target.ts";
import { readDrainOptions } from "./shutdown/options.ts";
import { isBusy } from "./runtime/adoption/listen_sockets.ts";
import { Announcer } from "./runtime/http/request_tracker.ts";
import {
  listenAt,
  mergeListeners,
  mergeServers,
  ownMethods,
  serveAt,
  udpSocketAt,
} from "./runtime/bun/listeners.ts";
import { DrainableBunServers, WatchedOptions } from "./runtime/bun/server.ts";
import type {
  BunListener,
  BunOptions,
  BunServer,
  BunServers,
  BunUdpSocket,
} from "./runtime/bun/types.ts";
import { requireRuntime } from "./runtime/current.ts";
import { holdWhileOpen } from "./shutdown/active_handle.ts";
import { Lifetime } from "./shutdown/server_lifetime.ts";
import { openNative } from "./runtime/adoption/native.ts";
import type { DrainOptions, Fallback, ListenTarget } from "./core/types.ts";

export type { ListenAddress } from "./core/listen_address.ts";
export type { Fallback, ListenTarget } from "./core/types.ts";
export type {
  BunAddress,
  BunListener,
  BunOptions,
  BunServer,
  BunServers,
  BunUdpSocket,
} from "./runtime/bun/types.ts";
export type { ClosableWebSocket, DrainOptions } from "./core/types.ts";

/**
 * The type of the global `Bun` where Bun's types are installed; without them,
 * what is known of it here.
 */
export type BunTypes = typeof globalThis extends { Bun: infer Types } ? Types
  : BunServers;

/**
 * The options of a function of Bun's. Of several forms it is the first, which in
 * Bun's types is that for a port.
 */
export type OptionsOf<Call> = Call extends
  { (options: infer First): unknown; (options: infer Last): unknown }
  ? unknown extends First ? Last : First
  : BunOptions;

/** What a function of Bun's gives in its first form, waited for. */
export type ResultOf<Call> = Call extends
  { (options: never): infer First; (options: never): infer Last }
  ? Awaited<unknown extends First ? Last : First>
  : unknown;

/** Options without an address, where one is required. */
export type WithoutAddress<Options> = Omit<
  Options,
  "hostname" | "port" | "unix"
>;

/** Where to listen when a process is not activated. */
export interface FallbackOptions {
  /** Where to listen when, and only when, the process is not activated. */
  readonly fallback?: Fallback;
}

/** The server of `Bun.serve`, as Bun's types have it where they are installed. */
export type Server = BunTypes extends { serve: infer Call } ? ResultOf<Call>
  : BunServer;

/** The options of `Bun.serve`; an address among them is not used. */
export type ServeOptions =
  & (BunTypes extends { serve: infer Call } ? OptionsOf<Call> : BunOptions)
  & FallbackOptions
  & {
    /** How the server ends without losing a request. */
    readonly drain?: DrainOptions;
  };

/** The listener of `Bun.listen`. */
export type Listener = BunTypes extends { listen: infer Call } ? ResultOf<Call>
  : BunListener;

/** The options of `Bun.listen`; an address among them is not used. */
export type ListenOptions =
  & (BunTypes extends { listen: infer Call } ? WithoutAddress<OptionsOf<Call>>
    : BunOptions)
  & FallbackOptions;

/** The socket of `Bun.udpSocket`. */
export type UdpSocket = BunTypes extends { udpSocket: infer Call }
  ? ResultOf<Call>
  : BunUdpSocket;

/** The options of `Bun.udpSocket`; an address among them is not used. */
export type UdpSocketOptions =
  & (BunTypes extends { udpSocket: infer Call } ? OptionsOf<Call> : BunOptions)
  & FallbackOptions;

/**
 * `Bun.serve` on the sockets of a name.
 *
 * Several sockets of one name (IPv4 and IPv6, say) are one server: all of them
 * start, or none. What it shows is the address of the first.
 *
 * `stop()` drains: see {@linkcode DrainOptions}. `stop(true)` ends the server at
 * once, as it does with `Bun.serve`.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options The options of `Bun.serve`, and where to listen else.
 * @returns The server of `Bun.serve`.
 * @throws {ActivationError} As `serve` of the neutral entry point.
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
  const doing = `Serving HTTP on ${describeTarget(target)}`;
  const { fallback, own } = split(options, doing);
  const { drain, ...rest } = own as { drain?: DrainOptions };
  const settings = readDrainOptions(drain, doing);
  const announcer = new Announcer();
  const watched = new WatchedOptions(announcer);
  const first = watched.watch(rest);
  const opened = await openTarget("bun", target, fallback, {
    bind: (place) => serveAt(bun(), place, first),
    close: (server) => server.stop(true),
  }, doing);
  const methods = opened.listeners.map(ownMethods);
  const lifetime = new Lifetime(
    new DrainableBunServers(opened, methods, announcer, watched),
    settings,
    { webSockets: watched.webSockets },
  );
  return mergeServers(opened.listeners, methods, {
    stop(now) {
      if (!now) return lifetime.drain();
      lifetime.close();
      return lifetime.finished;
    },
    reload(options) {
      const watching = watched.watch(options);
      const next = announcer.isAnnouncing
        ? watched.announcing() ?? watching
        : watching;
      for (const each of methods) each.reload(next);
      return opened.listeners[0];
    },
  }) as Server;
}

/**
 * `Bun.listen` on the sockets of a name.
 *
 * Several sockets of one name are one listener: all of them start, or none.
 * What it shows is the address of the first.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options The options of `Bun.listen`, and where to listen else.
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
  const doing = `Listening on ${describeTarget(target)}`;
  const { fallback, own } = split(options, doing);
  const opened = await openTarget("bun", target, fallback, {
    bind: (place) => listenAt(bun(), place, own),
    close: (listener) => listener.stop(true),
  }, doing);
  return holdWhileOpen(
    mergeListeners(opened.listeners),
    () => isBusy(opened.sockets),
  ) as Listener;
}

/**
 * `Bun.udpSocket` on the UDP socket of a name.
 *
 * @param target The name, or an address such as `systemd:dns` or `fd:3`; one
 * socket.
 * @param options The options of `Bun.udpSocket`, and where to listen else.
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
  const doing = `Receiving datagrams on ${describeTarget(target)}`;
  const { fallback, own } = split(options, doing);
  const { listeners: [opened] } = await useTarget(
    target,
    fallback,
    doing,
    (endpoints) => {
      requireOne(endpoints, doing);
      return openNative(requireRuntime("bun"), endpoints, "datagram", {
        bind: (place) => udpSocketAt(bun(), place, own),
        close: (each) => each.close(),
      }, doing);
    },
  );
  return holdWhileOpen(opened!) as UdpSocket;
}

/** The options for Bun, without an address, and the one for us. */
function split(
  options: object & FallbackOptions,
  doing: string,
): { fallback: Fallback | undefined; own: object } {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `${doing}: expected an object of options, found ${typeof options}`,
    );
  }
  const { fallback, hostname: _h, port: _p, unix: _u, ...own } = options as
    & FallbackOptions
    & { hostname?: unknown; port?: unknown; unix?: unknown };
  return { fallback, own };
}

function bun(): BunServers {
  return (globalThis as unknown as { Bun: BunServers }).Bun;
}
