/**
 * Creating listeners of the runtime's own on inherited sockets or at a fallback
 * address: all of them, or none.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import type { Descriptor } from "../../core/descriptor.ts";
import { ActivationError } from "../../core/errors.ts";
import type { DescriptorInfo } from "../../core/info.ts";
import { describeInfo, type UsableKind } from "../../core/kinds.ts";
import type { Placeholder } from "../../core/types.ts";
import type { Libc } from "../../ffi/libc.ts";
import { type AdoptedSocket, adoptSockets } from "../../linux/adopt.ts";
import { requireKind } from "../checks.ts";
import {
  fallbackError,
  isReported,
  listenError,
  warnOfFallback,
} from "../errors.ts";
import { parkedListeners, trackClosing } from "../leftovers.ts";
import type { ListenSource, Platform } from "../platform.ts";
import { bindFallback, toPlaceholder } from "./bind_fallback.ts";
import { type KeptSocket, ListenSockets } from "./listen_sockets.ts";
import type { ListenerFactory } from "./listener_factory.ts";
import { reservePlaceholder } from "./placeholder.ts";

/** A listener on a placeholder, which an inherited socket will replace. */
interface PlacedListener<T> {
  /** The address of the inherited socket. */
  readonly inherited: Address | undefined;
  readonly reserved: NonNullable<ReturnType<typeof reservePlaceholder>>;
  /** Where the search for the placeholder's descriptor begins. */
  readonly firstFd: number;
  readonly listener: T;
}

/**
 * Creates a listener for each socket of a source. If one fails, all are closed
 * and the descriptors are as before, so that no connection is lost.
 *
 * @throws {ActivationError} If the runtime's own listeners can't be used here.
 */
export function createListeners<T>(
  platform: Platform,
  source: ListenSource,
  kind: UsableKind,
  factory: ListenerFactory<T>,
  action: string,
): { listeners: T[]; sockets: ListenSockets } {
  if (source.kind === "fallback") {
    const { listener, sockets } = bindFallback(
      platform,
      source,
      kind,
      factory,
      action,
    );
    if (platform.spinsWhenExhausted) sockets.holdWhileExhausted();
    return { listeners: [listener], sockets };
  }
  const { descriptors, infos } = source;
  const libc = requireAdoption(platform, descriptors, action);
  requireKind(platform, descriptors, infos, kind, action);
  const placed: PlacedListener<T>[] = [];
  try {
    for (const [index, descriptor] of descriptors.entries()) {
      const info = infos[index]!;
      placed.push(place(platform, libc, descriptor, info, factory, action));
    }
    const sockets = adoptAll(
      libc,
      descriptors,
      placed,
      action,
      factory.losesSockets,
    );
    if (platform.spinsWhenExhausted) sockets.holdWhileExhausted();
    return { listeners: placed.map(({ listener }) => listener), sockets };
  } catch (error) {
    for (const { listener } of placed) trackClosing(factory.close(listener));
    throw error;
  }
}

/** Creates a listener for an inherited socket on a placeholder. */
function place<T>(
  platform: Platform,
  libc: Libc,
  socket: KeptSocket,
  info: DescriptorInfo,
  factory: ListenerFactory<T>,
  action: string,
): PlacedListener<T> {
  const reserved = reserve(platform, socket, info, action);
  try {
    const firstFd = libc.findLowestFreeFd(socket.fd);
    const inherited = info.address;
    const listener = factory.create(reserved.prepare(), inherited);
    return { inherited, reserved, firstFd, listener };
  } catch (error) {
    throw placeholderError(error, socket, action);
  } finally {
    reserved.remove();
  }
}

/**
 * Creates another listener on a kept socket whose listener the runtime has
 * closed.
 *
 * @throws {ActivationError} If that fails; the socket is kept all the same.
 */
export function replaceListener<T>(
  platform: Platform,
  sockets: ListenSockets,
  index: number,
  factory: ListenerFactory<T>,
  action: string,
): T {
  const libc = requireAdoption(platform, [], action);
  const kept = sockets.kept(index);
  const address = sockets.addresses[index];
  const info = { kind: "stream-listener", address } as const;
  const placed = place(platform, libc, kept, info, factory, action);
  const { reserved, firstFd, listener } = placed;
  try {
    const placement = {
      fd: kept.fd,
      placeholder: reserved.address,
      from: firstFd,
    };
    sockets.replace(index, adoptSockets(libc, [placement])[0]!);
    return listener;
  } catch (error) {
    trackClosing(factory.close(listener));
    throw listenError(error, `${action}: adopting ${kept} again`);
  }
}

/**
 * Creates one listener with a `factory.create` that may return a promise.
 *
 * @param kind The kind that the descriptor must have; `undefined` for any.
 */
export async function createListenerAsync<T>(
  platform: Platform,
  source: ListenSource,
  kind: UsableKind | undefined,
  factory: {
    create(
      bindTo: Placeholder,
      inherited: Address | undefined,
    ): T | Promise<T>;
    close(listener: T): unknown;
  },
  action: string,
): Promise<T> {
  if (source.kind === "fallback") {
    try {
      const bindTo = toPlaceholder(source.address, kind);
      const listener = await factory.create(bindTo, undefined);
      warnOfFallback(source, action);
      return listener;
    } catch (error) {
      throw isReported(error) ? error : fallbackError(error, source, action);
    }
  }
  const { descriptors, infos } = source;
  const libc = requireAdoption(platform, descriptors, action);
  if (kind !== undefined) {
    requireKind(platform, descriptors, infos, kind, action);
  }
  const [descriptor] = descriptors;
  const inherited = infos[0]!.address;
  const reserved = reserve(platform, descriptor, infos[0]!, action);
  let firstFd: number;
  let listener: T;
  try {
    firstFd = libc.findLowestFreeFd(descriptor.fd);
    listener = await factory.create(reserved.prepare(), inherited);
  } catch (error) {
    throw placeholderError(error, descriptor, action);
  } finally {
    reserved.remove();
  }
  try {
    adoptAll(
      libc,
      descriptors,
      [{ inherited, reserved, firstFd, listener }],
      action,
    );
    return listener;
  } catch (error) {
    await factory.close(listener);
    throw error;
  }
}

/** Returns the C library, if the descriptors can be adopted. */
function requireAdoption(
  platform: Platform,
  descriptors: readonly Descriptor[],
  action: string,
): Libc {
  const libc = platform.adoptionLibc();
  if ("reason" in libc) {
    throw new ActivationError(
      libc.isDenied ? "permission" : "unsupported",
      `${action}: ${libc.reason}`,
    );
  }
  const parked = descriptors.find((each) => parkedListeners.has(each));
  if (parked !== undefined) {
    throw new ActivationError(
      "unsupported",
      `${action}: ${parked} is held since listening on it failed: use listen ` +
        `or serve of the neutral entry point`,
    );
  }
  return libc;
}

/** Reserves a placeholder, if the runtime has a listener and the permission. */
function reserve(
  { title, missingPermission }: Platform,
  socket: KeptSocket,
  info: DescriptorInfo,
  action: string,
) {
  const reserved = reservePlaceholder(info);
  if (reserved === undefined) {
    throw new ActivationError(
      "unsupported",
      `${action}: ${title} has no listener of its own for ${socket}, ` +
        `${describeInfo(info)}: use the portable path, or Node`,
    );
  }
  const missing = missingPermission?.(reserved.placeholder);
  if (missing !== undefined) {
    throw new ActivationError(
      "permission",
      `${creating(action, socket)}: missing permission: run with ${missing}`,
    );
  }
  return reserved;
}

/** Adopts all sockets, or none, without a turn of the event loop. */
function adoptAll(
  libc: Libc,
  descriptors: readonly Descriptor[],
  placed: readonly PlacedListener<unknown>[],
  action: string,
  keepsSockets: boolean = false,
): ListenSockets {
  const placements = placed.map(({ reserved, firstFd }, index) => ({
    fd: descriptors[index]!.fd,
    placeholder: reserved.address,
    from: firstFd,
  }));
  let failedIndex = 0;
  let adopted: AdoptedSocket[];
  try {
    adopted = adoptSockets(libc, placements, (index) => {
      failedIndex = index;
    });
  } catch (error) {
    throw listenError(
      error,
      `${action}: adopting ${descriptors[failedIndex]!}`,
    );
  }
  if (!keepsSockets) { for (const socket of adopted) socket.commit(); }
  // From here on the runtime closes the sockets, without telling this library.
  for (const descriptor of descriptors) descriptor.markClosed();
  return new ListenSockets({
    libc,
    sockets: adopted,
    addresses: placed.map(({ inherited }) => inherited),
    kept: keepsSockets ? descriptors : [],
    areInherited: true,
  });
}

function creating(action: string, socket: KeptSocket): string {
  return `${action}: creating a listener for ${socket} on a placeholder`;
}

function placeholderError(
  error: unknown,
  socket: KeptSocket,
  action: string,
): unknown {
  return createError(error, creating(action, socket));
}

/** Wraps an error of a function that creates a listener. */
function createError(error: unknown, action: string): unknown {
  return isReported(error) ? error : listenError(error, action);
}
