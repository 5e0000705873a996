/**
 * Deno's own servers and listeners, at full speed, on the sockets that a service
 * manager handed over: `Deno.serve`, `Deno.listen`, `Deno.listenTls` and
 * `Deno.listenDatagram`, with a name in the place of an address.
 *
 * Deno takes no descriptor. So it makes its listener on a placeholder, whose
 * place the inherited socket then takes: with `--allow-ffi`, and `--allow-net`
 * for the placeholder (for a Unix socket `--allow-read` and `--allow-write`).
 * Without them, `serve` and `listen` of the neutral entry point go another way.
 *
 * @example
 * ```ts
 * import { serve } from "@listenfds/listenfds/deno";
 *
 * const server = await serve("web", () => new Response("hello\n"));
 * Deno.addSignalListener("SIGTERM", () => server.shutdown());
 * ```
 *
 * @module
 */

import { ActivationError } from "./core/errors.ts";
import { describeTarget, openTarget, requireOne, useTarget } from "./target.ts";
import { readDrainOptions } from "./shutdown/options.ts";
import type { Opened } from "./runtime/adoption/adopt_all.ts";
import { isBusy } from "./runtime/adoption/listen_sockets.ts";
import { Announcer } from "./runtime/http/request_tracker.ts";
import { requireRuntime } from "./runtime/current.ts";
import { mergeListeners, mergeServers } from "./runtime/deno/merge.ts";
import {
  type DatagramConn,
  type DenoServeOptions,
  listenAt,
  listenDatagramAt,
  listenTlsAt,
} from "./runtime/deno/listeners.ts";
import { DenoServers, serverMaker } from "./runtime/deno/server.ts";
import { holdWhileOpen } from "./shutdown/active_handle.ts";
import { Lifetime } from "./shutdown/server_lifetime.ts";
import { openNative } from "./runtime/adoption/native.ts";
import type { DrainOptions, Fallback, ListenTarget } from "./core/types.ts";

export type { ListenAddress } from "./core/listen_address.ts";
export type { Fallback, ListenTarget } from "./core/types.ts";
export type {
  DatagramConn,
  DenoServeOptions,
} from "./runtime/deno/listeners.ts";
export type { ClosableWebSocket, DrainOptions } from "./core/types.ts";

/** The options of `Deno.serve`, without an address. */
export type ServeOptions<Addr extends Deno.Addr = Deno.NetAddr> =
  & Omit<DenoServeOptions, "onListen">
  & {
    /** Where to listen when, and only when, the process is not activated. */
    readonly fallback?: Fallback;
    /**
     * Called for each socket with its address; by default, nothing is said. If
     * it throws, the server ends, and its sockets with it.
     */
    readonly onListen?: (localAddr: Addr) => void;
    /** How the server ends without losing a request. */
    readonly drain?: DrainOptions;
  };

/**
 * `Deno.serve` on the sockets of a name.
 *
 * Several sockets of one name (IPv4 and IPv6, say) are one server: all of them
 * start, or none. `addr` is the address of the first.
 *
 * `shutdown()` drains: see {@linkcode DrainOptions}. Aborting `signal` ends the
 * server at once, as it does with `Deno.serve`.
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
 * @param options The options of `Deno.serve`, and where to listen else.
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
export async function serve(
  target: ListenTarget,
  ...rest: [Deno.ServeHandler<Deno.Addr>] | [
    ServeOptions<Deno.Addr>,
    Deno.ServeHandler<Deno.Addr>,
  ]
): Promise<Deno.HttpServer> {
  const [options, handler] = rest.length === 1 ? [{}, rest[0]] : rest;
  const { fallback, onListen, drain, signal, ...own } = options as ServeOptions<
    Deno.Addr
  >;
  const doing = `Serving HTTP on ${describeTarget(target)}`;
  if (typeof handler !== "function") {
    throw new TypeError(
      `${doing}: expected a handler function, found ${typeof handler}`,
    );
  }
  const settings = readDrainOptions(drain, doing);
  signal?.throwIfAborted();
  const announcer = new Announcer();
  const opened = await openTarget(
    "deno",
    target,
    fallback,
    serverMaker(own, () => handler, announcer),
    doing,
  );
  const servers = opened.listeners.map(({ server }) => server);
  const ended = Promise.all(servers.map(({ finished }) => finished));
  const drainable = new DenoServers(opened, announcer);
  const lifetime = new Lifetime(drainable, settings, { ended });
  const close = () => lifetime.close();
  try {
    for (const { addr } of servers) onListen?.(addr);
  } catch (error) {
    close();
    throw error;
  }
  if (signal?.aborted) close();
  else signal?.addEventListener("abort", close, { once: true });
  return mergeServers(servers, lifetime);
}

/** Where to listen when a process is not activated. */
export interface ListenOptions {
  /** Where to listen when, and only when, the process is not activated. */
  readonly fallback?: Fallback;
}

/**
 * `Deno.listen` on the sockets of a name.
 *
 * Several sockets of one name are one listener: all of them start, or none, and
 * it accepts on all of them. `addr` is the address of the first.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options Where to listen else.
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
  options: ListenOptions = {},
): Promise<Deno.Listener> {
  const doing = `Listening on ${describeTarget(target)}`;
  const opened = await openTarget("deno", target, options.fallback, {
    bind: listenAt,
    close: (listener) => listener.close(),
  }, doing);
  return merge(opened);
}

/** The options of `Deno.listenTls`, without an address. */
export type ListenTlsOptions =
  & Omit<Deno.ListenTlsOptions, "port" | "hostname" | "transport" | "reusePort">
  & Deno.TlsCertifiedKeyPem
  & ListenOptions;

/**
 * `Deno.listenTls` on the TCP sockets of a name.
 *
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options The options of `Deno.listenTls`, and where to listen else.
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
  const { fallback, cert, key, ...own } = options;
  const doing = `Listening for TLS on ${describeTarget(target)}`;
  const opened = await openTarget("deno", target, fallback, {
    bind: (place) => listenTlsAt(place, own, { cert, key }),
    close: (listener) => listener.close(),
  }, doing);
  return merge(opened);
}

/** One listener of several, which keeps the process. */
function merge<T extends Deno.Listener<Deno.Conn>>(
  { listeners, sockets }: Opened<T>,
): T {
  return holdWhileOpen(mergeListeners(listeners), () => isBusy(sockets));
}

/** The options of `Deno.listenDatagram` for UDP, without an address. */
export interface ListenDatagramOptions extends ListenOptions {
  /** Whether packets that were sent from this machine come back, for multicast. */
  readonly loopback?: boolean;
}

/**
 * `Deno.listenDatagram` on the UDP socket of a name. Deno has it with
 * `--unstable-net`.
 *
 * @param target The name, or an address such as `systemd:dns` or `fd:3`; one
 * socket.
 * @param options Its options, and where to listen else.
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
  const { fallback, ...own } = options;
  const doing = `Receiving datagrams on ${describeTarget(target)}`;
  const { listeners: [opened] } = await useTarget(
    target,
    fallback,
    doing,
    (endpoints) => {
      const runtime = requireRuntime("deno");
      const open = unstableListenDatagram(doing);
      requireOne(endpoints, doing);
      return openNative(runtime, endpoints, "datagram", {
        bind: (place) =>
          listenDatagramAt(
            place,
            (at) => open({ ...own, ...at, transport: "udp" }),
          ),
        close: (each) => each.close(),
      }, doing);
    },
  );
  return holdWhileOpen(opened!);
}

type ListenDatagram = (
  options: ListenDatagramOptions & {
    transport: "udp";
    hostname: string;
    port: number;
  },
) => DatagramConn;

function unstableListenDatagram(doing: string): ListenDatagram {
  const { listenDatagram } = Deno as unknown as {
    listenDatagram?: ListenDatagram;
  };
  if (listenDatagram !== undefined) return listenDatagram;
  throw new ActivationError(
    "unsupported",
    `${doing}: Deno.listenDatagram is missing: run with --unstable-net`,
  );
}
