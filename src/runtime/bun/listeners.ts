/**
 * Bun's own listeners and sockets on a placeholder, with the inherited address
 * in what they report; several of them as one, since a name can have several
 * sockets.
 *
 * @module
 */

import type { Placeholder } from "../../core/types.ts";
import {
  type Address,
  formatAddress,
  isInetAddress,
  toAddressInfo,
} from "../../core/address.ts";
import { once } from "../descriptors.ts";
import {
  OptionsReader,
  type ReplacedMembers,
  replaceMembers,
} from "../adoption/options_reader.ts";
import type { BunFunctions, BunListener } from "./functions.ts";

/** Creates a listener of `Bun.listen`. */
export function createBunListener(
  { listen }: Pick<BunFunctions, "listen">,
  bindTo: Placeholder,
  inherited: Address | undefined,
  options: object,
): BunListener {
  const listener = listen(toBunOptions(options, bindTo));
  if (inherited !== undefined) override(listener, shownAddress(inherited));
  return listener;
}

/** Creates a socket of `Bun.udpSocket`. */
export async function createUdpSocket(
  { udpSocket }: Pick<BunFunctions, "udpSocket">,
  bindTo: Placeholder,
  inherited: Address | undefined,
  options: object,
): Promise<{ close(): void }> {
  const reader = new OptionsReader(options);
  if (inherited !== undefined && (reader.read("connect") ?? null) !== null) {
    throw new TypeError(
      "Connecting an inherited UDP socket: the service manager shares it, and " +
        "it would stay connected: remove the option connect, and pass the " +
        "address to send()",
    );
  }
  const socket = await udpSocket(toBunOptions(reader.replace({}), bindTo));
  if (inherited !== undefined) {
    override(socket, {
      ...shownAddress(inherited),
      address: toAddressInfo(inherited),
    });
  }
  return socket;
}

/** A placeholder as the members of Bun's options that say where to listen. */
function placeholderMembers(bindTo: Placeholder): ReplacedMembers {
  const none = {
    hostname: undefined,
    port: undefined,
    unix: undefined,
    fd: undefined,
  };
  if (bindTo.kind === "unix") return { ...none, unix: bindTo.path };
  return { ...none, hostname: bindTo.hostname, port: bindTo.port };
}

/** Options of Bun that listen at a placeholder. */
export function toBunOptions(
  options: object,
  bindTo: Placeholder,
): Record<string, unknown> {
  const replaced = replaceMembers(options, placeholderMembers(bindTo));
  return replaced as Record<string, unknown>;
}

/** The members of a server or listener that show its address. */
export function shownAddress(address: Address): object {
  if (isInetAddress(address)) {
    return { hostname: address.hostname, port: address.port };
  }
  return { hostname: undefined, port: undefined, unix: formatAddress(address) };
}

/**
 * Replaces members of an object of Bun, which are read-only but not frozen. A
 * getter is called at the first access.
 */
export function override<T extends object>(object: T, members: object): T {
  for (const name of Reflect.ownKeys(members)) {
    const { get, value } = Reflect.getOwnPropertyDescriptor(members, name)!;
    Object.defineProperty(object, name, {
      configurable: true,
      enumerable: typeof name === "string",
      ...get ? { get: once(get) } : { value },
    });
  }
  return object;
}

/** Makes the first of several listeners stand for all. */
export function mergeBunListeners(
  listeners: readonly BunListener[],
): BunListener {
  const [first] = listeners as [BunListener, ...BunListener[]];
  if (listeners.length === 1) return first;
  const own = listeners.map((each) => ({
    stop: each.stop.bind(each),
    reload: each.reload.bind(each),
    ref: each.ref.bind(each),
    unref: each.unref.bind(each),
  }));
  return override(first, {
    [Symbol.dispose]: () => own.forEach((each) => each.stop()),
    stop: (now?: boolean) => own.forEach((each) => each.stop(now)),
    reload: (options: object) => own.forEach((each) => each.reload(options)),
    ref: () => own.forEach((each) => each.ref()),
    unref: () => own.forEach((each) => each.unref()),
  });
}
