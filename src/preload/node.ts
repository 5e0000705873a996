/**
 * Servers of `node:net` of an unmodified program, and those that use it
 * (`node:http`, `node:tls` …), on inherited sockets.
 *
 * @module
 */

import type * as net from "node:net";
import { toAddressInfo } from "../core/address.ts";
import { requireUsable } from "../runtime/checks.ts";
import { builtin } from "../runtime/builtin.ts";
import { NodeServer } from "../runtime/node/server.ts";
import type { ServerLifetime } from "../shutdown/server_lifetime.ts";
import { ClusterPrimary } from "./cluster.ts";
import type { ClusterWorker } from "./cluster_worker.ts";
import {
  type HandedSockets,
  type TakenSockets,
  tellHandledError,
} from "./handed_sockets.ts";
import {
  describeListen,
  type ListenArguments,
  readListenArguments,
} from "./listen_arguments.ts";
import { PortProbe } from "./port_probe.ts";
import type { ProgramSignals } from "./program_signals.ts";

type Listen = (...args: unknown[]) => net.Server;

/** Replaces `listen()` of all servers. */
export function preloadNode(
  handed: HandedSockets,
  signals: ProgramSignals,
  cluster: ClusterPrimary | ClusterWorker,
): void {
  const servers = new NodeServers(handed, signals, cluster);
  const prototypes = new Set<object>([
    builtin("node:net").Server.prototype,
    builtin("node:http").Server.prototype,
    builtin("node:https").Server.prototype,
  ]);
  for (const prototype of prototypes) {
    // One that inherits it must inherit ours.
    if (!Object.hasOwn(prototype, "listen")) continue;
    const own = Reflect.get(prototype, "listen") as Listen;
    Object.defineProperty(prototype, "listen", {
      configurable: true,
      writable: true,
      value(this: net.Server, ...args: unknown[]): net.Server {
        return servers.listen(this, own, args);
      },
    });
  }
}

/** The servers that listen on inherited sockets. */
class NodeServers {
  readonly #handed: HandedSockets;
  readonly #servers = new WeakMap<net.Server, NodeServer>();
  readonly #lifetimes = new WeakMap<net.Server, ServerLifetime>();
  /** What gives the sockets of a server back. */
  readonly #ends = new WeakMap<net.Server, () => void>();
  readonly #signals: ProgramSignals;
  readonly #cluster: ClusterPrimary | ClusterWorker;

  constructor(
    handed: HandedSockets,
    signals: ProgramSignals,
    cluster: ClusterPrimary | ClusterWorker,
  ) {
    this.#signals = signals;
    this.#cluster = cluster;
    this.#handed = handed;
  }

  /** Listens as the program asks; errors are events, as from Node. */
  listen(server: net.Server, own: Listen, args: unknown[]): net.Server {
    const read = readListenArguments(args);
    const fd = read === undefined ? descriptorOfCluster(args) : undefined;
    if (fd !== undefined && this.#cluster instanceof ClusterPrimary) {
      this.#cluster.listen(server, fd, () => void own.apply(server, args));
      return server;
    }
    // Node itself refuses a server that listens already.
    if (read === undefined || server.listening) return own.apply(server, args);
    let taken: TakenSockets | undefined;
    try {
      taken = this.#handed.take(read.asked, describeListen(read.asked));
    } catch (error) {
      queueError(server, error);
      return server;
    }
    if (taken === undefined) return own.apply(server, args);
    const sockets = taken;
    if (isProbe(server)) {
      new PortProbe(server, toAddressInfo(sockets.source.infos[0]!.address), {
        begin: (hasListened) => {
          if (!hasListened) return this.#start(server, own, sockets, read);
          withoutEvent(server, "listening", () => {
            this.#start(server, own, sockets, { ...read, callback: undefined });
          });
        },
        end: () => sockets.release(),
      }).listen(read.callback);
    } else this.#start(server, own, sockets, read);
    return server;
  }

  #start(
    server: net.Server,
    own: Listen,
    taken: TakenSockets,
    { asked, callback, options }: ListenArguments,
  ): void {
    const call = describeListen(asked);
    const { platform } = this.#handed;
    try {
      const { descriptors, infos } = taken.source;
      requireUsable(platform, descriptors, infos, "stream-listener", call);
      const known = this.#servers.get(server) ?? this.#adopt(server);
      if (!(this.#cluster instanceof ClusterPrimary)) {
        if (callback !== undefined) server.once("listening", callback);
        void this.#startInWorker(this.#cluster, server, known, taken, call);
        return;
      }
      known.listenNow(
        platform,
        taken.source,
        (address) =>
          own.call(
            server,
            { ...options, ...address },
            ...callback ? [callback] : [],
          ),
        call,
      );
      this.#begin(server, known, taken);
    } catch (error) {
      taken.release();
      queueError(server, error);
    }
  }

  /** Listens through the primary, which takes a while. */
  async #startInWorker(
    worker: ClusterWorker,
    server: net.Server,
    known: NodeServer,
    taken: TakenSockets,
    call: string,
  ): Promise<void> {
    try {
      await known.listen(this.#handed.platform, taken.source, true, call);
      worker.add(server);
      this.#begin(server, known, taken);
    } catch (error) {
      taken.release();
      // The primary listens no more.
      if (!this.#signals.isStopping) queueError(server, error);
    }
  }

  #begin(server: net.Server, known: NodeServer, taken: TakenSockets): void {
    const lifetime = this.#handed.begin(known);
    this.#lifetimes.set(server, lifetime);
    this.#ends.set(server, taken.end);
    lifetime.finished.then(taken.end, taken.end);
  }

  /** Prepares a server, once. */
  #adopt(server: net.Server): NodeServer {
    const known = new NodeServer(server);
    this.#servers.set(server, known);
    const { close } = server;
    server.close = (callback) => {
      const lifetime = this.#lifetimes.get(server);
      if (!lifetime?.hasBegunShutdown) {
        // Another server may listen while connections are open.
        this.#ends.get(server)?.();
        return close.call(server, callback);
      }
      // Node's own would call back with an error, since nothing listens any more.
      const onEnd = () => {
        callback?.();
        // The event of the drain came before the program closed the server.
        server.emit("close");
      };
      lifetime.finished.then(onEnd, onEnd);
      return server;
    };
    return known;
  }
}

/** Calls a function whose next event of a server the program has had already. */
function withoutEvent(
  server: net.Server,
  event: string,
  call: () => void,
): void {
  const { emit } = server;
  server.emit = ((name: string, ...args: unknown[]) => {
    if (name !== event) return Reflect.apply(emit, server, [name, ...args]);
    server.emit = emit;
    return false;
  }) as typeof emit;
  call();
}

/** Whether a server has no use for connections, yet. */
function isProbe(server: net.Server): boolean {
  // Before Deno 2.8, a server of HTTP has no such listener of its own.
  return ["connection", "request"].every((event) =>
    server.listenerCount(event) === 0
  );
}

/** Reports an error as Node does, after the call has returned. */
function queueError(server: net.Server, error: unknown): void {
  builtin("node:timers").setImmediate(() => {
    tellHandledError(server, error);
    server.emit("error", error);
  });
}

/**
 * Returns the descriptor where `node:cluster` makes a server listen for its workers,
 * which have asked for it by its number.
 */
function descriptorOfCluster(
  [options]: readonly unknown[],
): number | undefined {
  const { fd } = Object(options) as { readonly fd?: unknown };
  const { workers } = builtin("node:cluster");
  return typeof fd === "number" && Object.keys(workers ?? {}).length > 0
    ? fd
    : undefined;
}
