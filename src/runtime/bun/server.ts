/**
 * `Bun.serve` on all sockets of a name, as one server that drains.
 *
 * @module
 */

import {
  type Address,
  formatAddress,
  isInetAddress,
  toAddressInfo,
} from "../../core/address.ts";
import type { ClosableWebSocket, Placeholder } from "../../core/types.ts";
import { NativeServer } from "../../shutdown/native_server.ts";
import { delay } from "../timers.ts";
import { shutdownTimes } from "../../shutdown/times.ts";
import { createListeners } from "../adoption/create_listeners.ts";
import type { ListenSockets } from "../adoption/listen_sockets.ts";
import { replaceMembers } from "../adoption/options_reader.ts";
import { RequestTracker } from "../http/request_tracker.ts";
import type { ServerContext } from "../server_context.ts";
import type { ListenSource, Platform } from "../platform.ts";
import { boundAddress } from "./connection.ts";
import { bunFunctions, type BunServer } from "./functions.ts";
import { override, shownAddress, toBunOptions } from "./listeners.ts";
import { NodeRequests } from "./node_requests.ts";
import { OptionsTracker } from "./options.ts";

/** Bun's own servers as one. */
export class BunServers extends NativeServer {
  readonly addresses: readonly (Address | undefined)[];
  readonly #servers: readonly [BunServer, ...BunServer[]];
  readonly #own: readonly ReturnType<typeof ownMethods>[];
  readonly #options: OptionsTracker;
  /** The requests of a server of `node:http` that uses it. */
  readonly nodeRequests: NodeRequests;

  /** Creates the servers, all or none, with options of `Bun.serve`. */
  static create(
    platform: Platform,
    source: ListenSource,
    options: object,
    action: string,
    context?: ServerContext,
  ): BunServers {
    const tracker = new RequestTracker();
    const optionsTracker = new OptionsTracker(tracker);
    const { tracked, commit } = optionsTracker.track(options);
    const { listeners, sockets } = createListeners(
      platform,
      source,
      "stream-listener",
      {
        create: (bindTo, inherited) => serveOnBun(bindTo, inherited, tracked),
        close: (server) => ignoreError(server.stop(true)),
      },
      action,
    );
    commit();
    const [first, ...rest] = listeners;
    return new BunServers(
      source,
      [first!, ...rest],
      sockets,
      tracker,
      optionsTracker,
      context,
    );
  }

  private constructor(
    source: ListenSource,
    servers: readonly [BunServer, ...BunServer[]],
    sockets: ListenSockets,
    tracker: RequestTracker,
    options: OptionsTracker,
    context: ServerContext | undefined,
  ) {
    super(servers[0], sockets, tracker, context);
    this.#servers = servers;
    this.#own = servers.map(ownMethods);
    this.#options = options;
    this.nodeRequests = new NodeRequests(tracker);
    this.addresses = source.kind === "inherited"
      ? sockets.addresses
      : servers.map((server) => boundAddress(server, source.address));
  }

  /**
   * The WebSockets without a backlog, because Bun drops the backlog of one that is
   * closed.
   */
  get webSockets(): Iterable<ClosableWebSocket> {
    return [...this.#options.webSockets].filter(
      (socket: ClosableWebSocket & { getBufferedAmount?(): number }) =>
        !socket.getBufferedAmount?.(),
    );
  }

  override closeConnectionsAfterResponses(): void {
    super.closeConnectionsAfterResponses();
    this.nodeRequests.closeConnections();
    this.#reloadClosingConnections();
  }

  #reloadClosingConnections(): void {
    const options = this.#options.closingConnections();
    if (options === undefined) return;
    try {
      for (const own of this.#own) own.reload(options);
    } catch {
      // Fewer clients learn that their connection ends; the drain goes on.
    }
  }

  async closeGracefully(): Promise<void> {
    for (const own of this.#own) ignoreError(own.stop());
    // The promise of stop() has another meaning in each version.
    while (
      this.#servers.some((server) => ownCount(server, "pendingRequests") > 0)
    ) {
      await delay(shutdownTimes.tickMs);
    }
    // Before Bun 1.4, stop() leaves idle connections open.
    for (const own of this.#own) own.closeIdleConnections?.();
    await this.connectionsClosed();
  }

  closeAllConnections(): void {
    this.isCut = true;
    // Bun still sends what has been written. On 1.2 the promise may never settle.
    for (const own of this.#own) ignoreError(own.stop(true));
    this.sockets.endConnections();
    for (const own of this.#own) own.unref();
  }

  ref(): void {
    for (const own of this.#own) own.ref();
  }

  unref(): void {
    for (const own of this.#own) own.unref();
  }

  /** Replaces the options of the program, and keeps tracking requests. */
  reload(options: object): BunServer {
    // Bun reports the type of anything else.
    if (Object(options) !== options) this.#own[0]!.reload(options);
    const { tracked, commit } = this.#options.track(options);
    for (const own of this.#own) own.reload(tracked);
    commit();
    if (this.tracker.closesConnections) this.#reloadClosingConnections();
    return this.#servers[0];
  }

  /**
   * Makes the first server stand for all: its methods act on all servers, and a
   * method with a request acts on the server that has the request.
   */
  merge(stop: (now?: boolean) => Promise<void>): BunServer {
    const [first] = this.#servers;
    const own = this.#own;
    const ending = {
      stop,
      reload: (options: object) => this.reload(options),
      [Symbol.dispose]: () => void stop(),
    };
    // A handler gets the server that has the request, which may be any of them.
    for (const server of this.#servers) override(server, ending);
    if (own.length === 1) return first;
    const ofRequests: Pick<BunServer, "requestIP" | "upgrade" | "timeout"> = {
      requestIP(request) {
        for (const each of own) {
          const address = ifOwnRequest(() => each.requestIP(request));
          if (address) return address;
        }
        return null;
      },
      upgrade: (request, options) =>
        own.some((each) => ifOwnRequest(() => each.upgrade(request, options))),
      timeout: (request, seconds) =>
        own.forEach((each) =>
          ifOwnRequest(() => each.timeout(request, seconds))
        ),
    };
    override(first, ofRequests);
    for (const server of this.#servers) this.#showTotals(server);
    return first;
  }

  /** Makes the methods and counts of one server mean all servers. */
  #showTotals(server: BunServer): void {
    const own = this.#own;
    const sum = (counts: readonly number[]) =>
      counts.reduce((total, count) => total + count, 0);
    override(server, {
      ref: () => this.ref(),
      unref: () => this.unref(),
      closeIdleConnections: () =>
        own.forEach((each) => each.closeIdleConnections?.()),
      publish: (...message: Parameters<BunServer["publish"]>) =>
        sum(own.map((each) => each.publish(...message))),
      subscriberCount: (topic: string) =>
        sum(own.map((each) => each.subscriberCount(topic))),
    });
    for (const name of ["pendingRequests", "pendingWebSockets"] as const) {
      Object.defineProperty(server, name, {
        configurable: true,
        get: () => sum(this.#servers.map((each) => ownCount(each, name))),
      });
    }
  }
}

/** Creates a server of `Bun.serve`. */
function serveOnBun(
  bindTo: Placeholder,
  inherited: Address | undefined,
  options: object,
): BunServer {
  if (inherited === undefined) {
    return bunFunctions().serve(toBunOptions(options, bindTo));
  }
  const { id } = options as { id?: unknown };
  const shownId = id === undefined || id === null ? {} : { id: `${id}` };
  // Under --hot, Bun takes servers with one id, or all on port 0, for one server.
  const unnamed = replaceMembers(options, { id: null });
  const server = bunFunctions().serve(toBunOptions(unnamed, bindTo));
  const text = formatAddress(inherited);
  const scheme = server.protocol ?? "http";
  return override(server, {
    ...shownAddress(inherited),
    ...shownId,
    // Later, because the first URL of a process takes a while to parse.
    get url() {
      return new URL(
        isInetAddress(inherited) ? `${scheme}://${text}/` : `unix://${text}`,
      );
    },
    address: toAddressInfo(inherited) ?? text,
  });
}

/** Calls a method that throws on Bun 1.4 for a request of another server. */
function ifOwnRequest<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}

/** The methods of a server, before they mean all servers. */
function ownMethods(server: BunServer) {
  return {
    stop: server.stop.bind(server),
    reload: server.reload.bind(server),
    ref: server.ref.bind(server),
    unref: server.unref.bind(server),
    closeIdleConnections: server.closeIdleConnections?.bind(server),
    requestIP: server.requestIP.bind(server),
    upgrade: server.upgrade.bind(server),
    timeout: server.timeout.bind(server),
    publish: server.publish.bind(server),
    subscriberCount: server.subscriberCount.bind(server),
  };
}

/** Reads a server's own count, also after it reports the sum of all servers. */
function ownCount(
  server: BunServer,
  name: "pendingRequests" | "pendingWebSockets",
): number {
  return Reflect.get(Object.getPrototypeOf(server), name, server) as number;
}

function ignoreError(promise: Promise<void> | undefined): void {
  promise?.catch(() => {});
}
