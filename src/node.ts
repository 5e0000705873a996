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
import { type Address, inetAddress, sameAddress } from "./core/address.ts";
import type { Descriptor } from "./core/descriptor.ts";
import { ActivationError, requireOptions } from "./core/errors.ts";
import type {
  EndOptions,
  FallbackOptions,
  ListenTarget,
  ShutdownOptions,
} from "./core/types.ts";
import { builtin } from "./runtime/builtin.ts";
import { currentPlatform } from "./runtime/current.ts";
import { addressMismatch, listenError } from "./runtime/errors.ts";
import { NodeServer } from "./runtime/node/server.ts";
import type { Platform } from "./runtime/platform.ts";
import { ActiveHandle, trackListener } from "./shutdown/active_handle.ts";
import { beginLifetime } from "./shutdown/idle_exit.ts";
import { readEndOptions, readShutdownOptions } from "./shutdown/options.ts";
import type { ServerLifetime } from "./shutdown/server_lifetime.ts";
import { claimDescriptor, describeTarget, prepareClaim } from "./target.ts";

export type {
  ClosableWebSocket,
  EndOptions,
  Fallback,
  FallbackOptions,
  ListenTarget,
  ShutdownOptions,
} from "./core/types.ts";
export type { Address, InetAddress, UnixAddress } from "./core/address.ts";
export type { ListenAddress } from "./core/listen_address.ts";
export { ActivationError, type ActivationErrorCode } from "./core/errors.ts";

/** The options of {@linkcode listen}. */
export interface ListenOptions extends FallbackOptions, EndOptions {}

/**
 * Makes a server listen on the sockets that a service manager passed under a
 * name. It emits `listening`. Closing it closes all of them, and its `close` event
 * waits for the connections of all. It shuts down gracefully on `SIGTERM`, see
 * {@linkcode EndOptions}.
 *
 * @param server A server that doesn't listen yet: of `node:net`, `node:tls`,
 * `node:http`, `node:https` or `node:http2`. A shutdown in progress is awaited.
 * @param target The name, or an address such as `systemd:web` or `fd:3`.
 * @param options Where to listen without an activation, and how to end.
 * @returns The address of each socket, in order; `undefined` where it is unknown
 * (a Unix socket on Deno without `--allow-ffi`).
 * @throws {TypeError} If the server listens already, or another call makes it
 * listen.
 * @throws {ActivationError} As `listen` of the main entry point.
 */
export async function listen(
  server: net.Server,
  target: ListenTarget,
  options: ListenOptions = {},
): Promise<readonly (Address | undefined)[]> {
  const action = `Listening on ${describeTarget(target)}`;
  requireOptions(options, action);
  const platform = currentPlatform();
  const takesDescriptors = requireListenable(platform, server, action);
  const settings = readEndOptions(options, action);
  const earlier = lifetimes.get(server);
  // Wait, because a drain would also close connections that are accepted later.
  if (earlier?.isDraining) await earlier.finished.catch(() => {});
  if (server.listening || beginning.has(server)) {
    throw new TypeError(
      `${action}: the server listens already, or another call makes it listen`,
    );
  }
  beginning.add(server);
  try {
    const claimAs = await prepareClaim(options.fallback);
    const claim = claimAs(target, "stream-listener", action);
    const opening = new ActiveHandle();
    try {
      // Reused after an earlier call whose server drained, or failed to listen.
      const known = nodeServers.get(server) ?? new NodeServer(server);
      nodeServers.set(server, known);
      await known.listen(platform, claim.source, takesDescriptors, action);
      lifetimes.set(server, beginLifetime(platform, known, settings));
      claim.opened(settings.notifies);
      return known.addresses;
    } catch (error) {
      await claim.release();
      throw error;
    } finally {
      opening.close();
    }
  } finally {
    beginning.delete(server);
  }
}

/** The servers that a call is making listen. */
const beginning = new WeakSet<net.Server>();

/** The wrapper of each server that was passed to `listen()`. */
const nodeServers = new WeakMap<net.Server, NodeServer>();

/** The lifetime of each server that listens. */
const lifetimes = new WeakMap<net.Server, ServerLifetime>();

/**
 * Checks that a server can listen on a descriptor, or can be passed connections.
 *
 * @returns Whether it can listen on a descriptor itself.
 */
function requireListenable(
  { httpServerTakesDescriptors, title, version }: Platform,
  server: net.Server,
  action: string,
): boolean {
  // Bun's HTTP servers take no descriptors, and aren't instances of net.Server.
  if (
    httpServerTakesDescriptors || server instanceof builtin("node:net").Server
  ) return true;
  const { Server: HttpsServer } = builtin("node:https");
  if (!((server as object) instanceof HttpsServer)) return false;
  // Before Bun 1.4, where no server takes connections, both are one class.
  const isHttpToo = HttpsServer as unknown === builtin("node:http").Server;
  throw new ActivationError(
    "unsupported",
    isHttpToo
      ? `${action}: servers of node:http of ${title} ${version} take neither a ` +
        `descriptor nor connections: use serve of /bun, or Bun 1.4 or later`
      : `${action}: an https.Server of ${title} ${version} takes neither a ` +
        `descriptor nor connections: use http2.createSecureServer() with ` +
        `allowHTTP1`,
  );
}

/**
 * Shuts a server down without losing a request, which `server.close()` doesn't
 * promise: it closes idle connections although a request may be on its way.
 *
 * A server of HTTP stops accepting, answers the accepted requests, and tells the
 * clients to use other connections; the connections of other servers end when
 * the program or the client ends them. After `timeout` all that is left is closed.
 *
 * @param server A server that {@linkcode listen} has made listen.
 * @param options Options that differ from those of {@linkcode listen}.
 * @returns Resolves when the server has ended, and nothing is left.
 * @throws {TypeError} If {@linkcode listen} has not made the server listen.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { listen, shutdown } from "@listenfds/listenfds/node";
 *
 * const server = createServer((_, response) => response.end("hello\n"));
 * await listen(server, "web", { gracefulShutdown: false });
 * process.once("SIGTERM", () => shutdown(server, { timeout: 5_000 }));
 * ```
 */
export async function shutdown(
  server: net.Server,
  options: Pick<ShutdownOptions, "timeout" | "webSockets"> = {},
): Promise<void> {
  const action = "Shutting a server down";
  const lifetime = lifetimes.get(server);
  if (lifetime === undefined) {
    throw new TypeError(
      `${action}: expected a server that listen() has made listen, found ` +
        `another one`,
    );
  }
  const { timeoutMs, webSockets } = readShutdownOptions(
    options,
    "options",
    action,
  );
  await lifetime.shutdown({
    ...options.timeout !== undefined && { timeoutMs },
    ...options.webSockets !== undefined && { webSockets },
  });
}

/**
 * Binds a socket of `node:dgram` to the datagram socket that a service manager
 * passed under a name (`ListenDatagram=`).
 *
 * @param socket A socket that isn't bound yet, of the descriptor's family.
 * @param target The name, `systemd:NAME` or `fd:NUMBER`, of one datagram socket.
 * @returns The address that the socket is bound to, where it is known.
 * @throws {ActivationError} With the code `missing-name`, `already-claimed` or
 * `ambiguous-name`; `wrong-kind` or `not-open` before anything is touched;
 * `not-activated` without an activation; `unsupported` on Deno, and on Bun before
 * 1.4; `system` if the operating system refuses.
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
  target: ListenTarget,
): Promise<Address | undefined> {
  const action = `Binding a datagram socket to ${describeTarget(target)}`;
  const claim = claimDescriptor(target, "datagram", action);
  const opening = new ActiveHandle();
  try {
    const { descriptor, info: { address: expected } } = claim;
    await bindTo(socket, descriptor, action);
    const { address, port } = socket.address();
    const actual = inetAddress(address, port);
    if (expected && actual && !sameAddress(expected, actual)) {
      socket.close();
      const platform = currentPlatform();
      throw addressMismatch(platform, descriptor, expected, actual, action);
    }
    trackListener(socket);
    claim.opened();
    return actual ?? expected;
  } catch (error) {
    await claim.release();
    throw error;
  } finally {
    opening.close();
  }
}

function bindTo(
  socket: dgram.Socket,
  descriptor: Descriptor,
  action: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown) =>
      reject(listenError(error, `${action}: ${descriptor}`));
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
