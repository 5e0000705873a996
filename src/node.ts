/**
 * For servers of `node:net`, `node:tls`, `node:http`, `node:https`, `node:http2`
 * and sockets of `node:dgram`: everything that is written for them runs on
 * inherited descriptors unchanged.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { listen } from "@listenfds/listenfds/node";
 *
 * const server = createServer((_, response) => response.end("hello\n"));
 * await listen(server, "web", { fallback: { port: 8080 } });
 * ```
 *
 * @module
 */

import type * as dgram from "node:dgram";
import type * as net from "node:net";
import { type Address, sameAddress } from "./core/address.ts";
import type { Descriptor } from "./core/descriptor.ts";
import { ActivationError, quote } from "./core/errors.ts";
import { describeTarget, useDescriptor, useTarget } from "./target.ts";
import { addressMismatch, listenError } from "./runtime/node/acceptor.ts";
import { attach } from "./runtime/node/server_binding.ts";
import { builtin } from "./runtime/builtin.ts";
import { currentRuntime } from "./runtime/current.ts";
import { readDrainOptions } from "./shutdown/options.ts";
import { holdWhileOpen } from "./shutdown/active_handle.ts";
import { Lifetime } from "./shutdown/server_lifetime.ts";
import { DrainableNodeServer } from "./runtime/node/server.ts";
import type { Runtime } from "./runtime/platform.ts";
import { inetAddress } from "./runtime/socket_address.ts";
import type { DrainOptions, Fallback, ListenTarget } from "./core/types.ts";

export type { Fallback, ListenTarget } from "./core/types.ts";
export type { Address, InetAddress, UnixAddress } from "./core/address.ts";
export type { ListenAddress } from "./core/listen_address.ts";
export { ActivationError, type ActivationErrorCode } from "./core/errors.ts";
export type { ClosableWebSocket, DrainOptions } from "./core/types.ts";

/** How {@linkcode listen} listens. */
export interface ListenOptions {
  /** Where to listen when, and only when, the process is not activated. */
  readonly fallback?: Fallback;
  /** How the server ends without losing a request. */
  readonly drain?: DrainOptions;
}

/**
 * Makes a server listen on the sockets that a service manager handed over under
 * a name. It emits `listening`. Closing it closes all of them, and its `close`
 * event waits for the connections of all.
 *
 * @param server A server that doesn't listen yet: of `node:net`, `node:tls`,
 * `node:http`, `node:https` or `node:http2`. One that is being drained is waited
 * for.
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options How to listen.
 * @returns The address of each socket, in order; `undefined` where it can't be
 * told (a Unix socket on Deno without `--allow-ffi`).
 * @throws {ActivationError} As `listen` of the main entry point does.
 */
export async function listen(
  server: net.Server,
  target: ListenTarget,
  options: ListenOptions = {},
): Promise<readonly (Address | undefined)[]> {
  const doing = `Listening on ${describeTarget(target)}`;
  const runtime = currentRuntime();
  const takesDescriptors = runtime.httpServerTakesDescriptors ||
    // Bun's HTTP servers, which don't, aren't derived from net.Server either.
    server instanceof builtin("node:net").Server;
  if (!takesDescriptors) requireConnections(runtime, server, doing);
  const settings = readDrainOptions(options.drain, doing);
  const last = lifetimes.get(server);
  // What it does until it has ended, it does to the connections of the next.
  if (last?.isDraining) await last.finished.catch(() => {});
  if (server.listening) {
    throw new TypeError(`${doing}: the server listens already`);
  }
  return await useTarget(
    target,
    options.fallback,
    doing,
    async (endpoints) => {
      const isInherited = "descriptor" in endpoints[0];
      // Known from an earlier call, if that could not make it listen.
      const drainable = drainables.get(server) ??
        new DrainableNodeServer(server);
      drainables.set(server, drainable);
      drainable.begin();
      const attached = await attach(
        runtime,
        server,
        endpoints,
        takesDescriptors,
        doing,
      );
      drainable.attached(attached, isInherited);
      const { ended } = drainable;
      lifetimes.set(server, new Lifetime(drainable, settings, { ended }));
      return attached.addresses;
    },
  );
}

/** Bun's servers of HTTPS, and before 1.4 those of HTTP, take no connections. */
function requireConnections(
  { title, version }: Runtime,
  server: object,
  doing: string,
): void {
  const { Server: HttpsServer } = builtin("node:https");
  if (!(server instanceof HttpsServer)) return;
  // The same class where neither does.
  const isHttpToo = HttpsServer as unknown === builtin("node:http").Server;
  throw new ActivationError(
    "unsupported",
    isHttpToo
      ? `${doing}: servers of node:http of ${title} ${version} take neither a ` +
        `descriptor nor connections: use serve of /bun, or Bun 1.4 or later`
      : `${doing}: an https.Server of ${title} ${version} takes neither a ` +
        `descriptor nor connections: use http2.createSecureServer() with ` +
        `allowHTTP1`,
  );
}

/** What is known of the connections of servers. */
const drainables = new WeakMap<net.Server, DrainableNodeServer>();

/** The servers that listen, and when they end. */
const lifetimes = new WeakMap<net.Server, Lifetime>();

/**
 * Ends a server without losing a request, which `server.close()` does not
 * promise: it closes idle connections although a request may be on its way.
 *
 * A server of HTTP stops accepting, answers the requests that were accepted, and
 * tells the clients to use other connections; of others, the connections end
 * when the program or the client ends them. What is left after `timeout` is
 * closed.
 *
 * @param server A server that {@linkcode listen} has made listen.
 * @param options Other options than those that it was made to listen with.
 * @returns Resolves when the server has ended, and nothing is left.
 * @throws {TypeError} If the server is another one.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import process from "node:process";
 * import { drain, listen } from "@listenfds/listenfds/node";
 *
 * const server = createServer((_, response) => response.end("hello\n"));
 * await listen(server, "web");
 * process.once("SIGTERM", () => drain(server, { timeout: 10_000 }));
 * ```
 */
export async function drain(
  server: net.Server,
  options: Pick<DrainOptions, "timeout" | "webSockets"> = {},
): Promise<void> {
  const doing = "Draining a server";
  const lifetime = lifetimes.get(server);
  if (lifetime === undefined) {
    throw new TypeError(
      `${doing}: expected one that listen() has made listen, found another one`,
    );
  }
  readDrainOptions(options, doing);
  await lifetime.drain(options);
}

/**
 * Binds a socket of `node:dgram` to the datagram socket that a service manager
 * handed over under a name (`ListenDatagram=`).
 *
 * @param socket A socket that isn't bound yet, of the descriptor's family.
 * @param name The name, which must stand for one descriptor.
 * @returns The address that it is bound to, where that is known.
 * @throws {ActivationError} With the code `missing-name`, `claimed` or
 * `ambiguous-name`; `wrong-kind` or `closed` before anything is touched;
 * `not-activated` if there is no activation; `unsupported` on Deno, and on Bun
 * before 1.4; `failed` if the operating system refuses.
 *
 * @example
 * ```ts
 * import { createSocket } from "node:dgram";
 * import { bind } from "@listenfds/listenfds/node";
 *
 * const socket = createSocket("udp4");
 * socket.on("message", (data, from) => socket.send(data, from.port, from.address));
 * await bind(socket, "dns");
 * ```
 */
export async function bind(
  socket: dgram.Socket,
  name: string,
): Promise<Address | undefined> {
  const doing = `Binding a datagram socket to ${quote(name)}`;
  return await useDescriptor(
    name,
    "datagram",
    doing,
    async (descriptor, runtime) => {
      const { address: expected } = descriptor.info;
      await bindTo(socket, descriptor, doing);
      const bound = socket.address();
      const found = inetAddress(bound.address, bound.port);
      if (expected && found && !sameAddress(expected, found)) {
        socket.close();
        throw addressMismatch(runtime, descriptor, expected, found, doing);
      }
      holdWhileOpen(socket);
      return found ?? expected;
    },
  );
}

function bindTo(
  socket: dgram.Socket,
  descriptor: Descriptor,
  doing: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown) =>
      reject(listenError(error, `${doing}: ${descriptor}`));
    socket.once("error", onError);
    try {
      socket.bind({ fd: descriptor.fd }, () => {
        socket.off("error", onError);
        resolve();
      });
    } catch (error) {
      socket.off("error", onError);
      onError(error);
    }
  });
}
