/**
 * Bun's own servers and sockets at a place, with what they show corrected: the
 * inherited address where the place is only a placeholder. Several of them as
 * one, since a name can have several sockets.
 *
 * @module
 */

import { type Address, formatAddress } from "../../core/address.ts";
import type {
  BunAddress,
  BunListener,
  BunServer,
  BunServers,
  BunUdpSocket,
} from "./types.ts";
import type { Place, Placeholder } from "../adoption/placeholder.ts";

/** Makes a server of `Bun.serve`. */
export function serveAt(
  bun: BunServers,
  { bind, inherited }: Place,
  options: object,
): BunServer {
  const server = bun.serve({ ...options, ...bunPlace(bind) });
  if (inherited !== undefined) {
    const scheme = server.protocol ?? ("tls" in options ? "https" : "http");
    show(server, {
      ...shownOf(inherited),
      url: new URL(
        "port" in inherited
          ? `${scheme}://${formatAddress(inherited)}/`
          : `unix://${formatAddress(inherited)}`,
      ),
      address: "port" in inherited
        ? toBunAddress(inherited)
        : formatAddress(inherited),
    });
  }
  return server;
}

/** Makes a listener of `Bun.listen`. */
export function listenAt(
  bun: BunServers,
  { bind, inherited }: Place,
  options: object,
): BunListener {
  const listener = bun.listen({ ...options, ...bunPlace(bind) });
  if (inherited !== undefined) show(listener, shownOf(inherited));
  return listener;
}

/** Makes a socket of `Bun.udpSocket`. */
export async function udpSocketAt(
  bun: BunServers,
  { bind, inherited }: Place,
  options: object,
): Promise<BunUdpSocket> {
  const socket = await bun.udpSocket({ ...options, ...bunPlace(bind) });
  if (inherited !== undefined) {
    show(socket, {
      ...shownOf(inherited),
      address: toBunAddress(inherited),
    });
  }
  return socket;
}

function bunPlace(place: Placeholder): object {
  if (place.kind === "unix") return { unix: place.path };
  return { hostname: place.hostname, port: place.port };
}

function shownOf(address: Address): object {
  if (address.kind === "ipv4" || address.kind === "ipv6") {
    return { hostname: address.hostname, port: address.port };
  }
  return { hostname: undefined, port: undefined, unix: formatAddress(address) };
}

function toBunAddress(address: Address): BunAddress | undefined {
  if (address.kind !== "ipv4" && address.kind !== "ipv6") return undefined;
  const { kind, hostname, port } = address;
  return {
    address: hostname,
    family: kind === "ipv4" ? "IPv4" : "IPv6",
    port,
  };
}

/** What Bun shows is read-only, but not frozen. */
function show<T extends object>(owner: T, shown: object): T {
  for (const name of Reflect.ownKeys(shown)) {
    Object.defineProperty(owner, name, {
      configurable: true,
      enumerable: typeof name === "string",
      value: Reflect.get(shown, name),
    });
  }
  return owner;
}

/**
 * Makes the first of several servers stand for all: what is done to it is done
 * to all, and what is asked of a request is asked of the server that has it.
 *
 * @param servers The servers, at least one.
 * @param own Their own methods.
 * @param ending How they are stopped and take other options.
 * @returns The first of them.
 */
export function mergeServers(
  servers: readonly BunServer[],
  own: readonly Methods[],
  { stop, reload }: Pick<BunServer, "stop" | "reload">,
): BunServer {
  const [first] = servers as [BunServer, ...BunServer[]];
  const ends = { stop, reload, [Symbol.dispose]: () => void stop() };
  // Handlers are given the server that has the request, whichever it is.
  for (const each of servers) show(each, ends);
  if (servers.length === 1) return first;
  const sum = (numbers: readonly number[]) =>
    numbers.reduce((total, each) => total + each, 0);
  const ofAll = {
    ref: () => own.forEach((each) => each.ref()),
    unref: () => own.forEach((each) => each.unref()),
    closeIdleConnections: () =>
      own.forEach((each) => each.closeIdleConnections?.()),
    publish: (...message: Parameters<BunServer["publish"]>) =>
      sum(own.map((each) => each.publish(...message))),
    subscriberCount: (topic: string) =>
      sum(own.map((each) => each.subscriberCount(topic))),
  };
  const ofRequests: Pick<Methods, "requestIP" | "upgrade" | "timeout"> = {
    requestIP(request) {
      for (const each of own) {
        const found = ifOwn(() => each.requestIP(request));
        if (found) return found;
      }
      return null;
    },
    upgrade: (request, options) =>
      own.some((each) => ifOwn(() => each.upgrade(request, options))),
    timeout: (request, seconds) =>
      own.forEach((each) => ifOwn(() => each.timeout(request, seconds))),
  };
  show(first, ofRequests);
  const prototype = Object.getPrototypeOf(first);
  for (const server of servers) {
    show(server, ofAll);
    for (const name of ["pendingRequests", "pendingWebSockets"] as const) {
      Object.defineProperty(server, name, {
        configurable: true,
        get: () =>
          sum(
            servers.map((each) => Reflect.get(prototype, name, each) as number),
          ),
      });
    }
  }
  return first;
}

/** Bun 1.4 throws for a request of another server. */
function ifOwn<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

/** Makes the first of several listeners stand for all. */
export function mergeListeners(listeners: readonly BunListener[]): BunListener {
  const [first] = listeners as [BunListener, ...BunListener[]];
  if (listeners.length === 1) return first;
  const own = listeners.map((each) => ({
    stop: each.stop.bind(each),
    reload: each.reload.bind(each),
    ref: each.ref.bind(each),
    unref: each.unref.bind(each),
  }));
  return show(first, {
    [Symbol.dispose]: () => own.forEach((each) => each.stop()),
    stop: (now?: boolean) => own.forEach((each) => each.stop(now)),
    reload: (options: object) => own.forEach((each) => each.reload(options)),
    ref: () => own.forEach((each) => each.ref()),
    unref: () => own.forEach((each) => each.unref()),
  });
}

/** The methods that mean all servers. */
export type Methods = Omit<
  BunServer,
  | "hostname"
  | "port"
  | "address"
  | "pendingRequests"
  | "pendingWebSockets"
  | "protocol"
>;

/** A server's own methods, before they are made to mean all servers. */
export function ownMethods(server: BunServer): Methods {
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
