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
import type { Fallback, Placeholder } from "../../core/types.ts";
import type { Libc } from "../../ffi/libc.ts";
import { type AdoptedSocket, adoptSocket } from "../../linux/adopt.ts";
import { requireKind } from "../checks.ts";
import {
  describeFallback,
  fallbackError,
  listenError,
  warnOfFallback,
} from "../errors.ts";
import { parkedListeners, trackClosing } from "../leftovers.ts";
import type { ListenSource, Platform } from "../platform.ts";
import { ListenSockets } from "./listen_sockets.ts";
import { reservePlaceholder } from "./placeholder.ts";

/** A listener on a placeholder, which an inherited socket will replace. */
interface PlacedListener<T> {
  readonly descriptor: Descriptor;
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
 * `factory.create` gets the address to bind, and the address of the inherited
 * socket if the first is a placeholder. The listener must accept nothing before
 * `create` returns. `factory.close` closes a listener at once.
 *
 * @throws {ActivationError} If the runtime's own listeners can't be used here.
 */
export function createListeners<T>(
  platform: Platform,
  source: ListenSource,
  kind: UsableKind,
  factory: {
    create(bindTo: Placeholder, inherited: Address | undefined): T;
    close(listener: T): unknown;
  },
  action: string,
): { listeners: T[]; sockets: ListenSockets } {
  if (source.kind === "fallback") {
    try {
      const bindTo = toPlaceholder(source.address, kind);
      const listener = factory.create(bindTo, undefined);
      warnOfFallback(source, action);
      return { listeners: [listener], sockets: new ListenSockets() };
    } catch (error) {
      throw isReported(error) ? error : fallbackError(error, source, action);
    }
  }
  const { descriptors, infos } = source;
  const libc = requireAdoption(platform, descriptors, action);
  requireKind(platform, descriptors, infos, kind, action);
  const placed: PlacedListener<T>[] = [];
  try {
    for (const [index, descriptor] of descriptors.entries()) {
      const info = infos[index]!;
      const reserved = reserve(platform, descriptor, info, action);
      try {
        const firstFd = libc.findLowestFreeFd(descriptor.fd);
        const inherited = info.address;
        const listener = factory.create(reserved.prepare(), inherited);
        placed.push({ descriptor, inherited, reserved, firstFd, listener });
      } catch (error) {
        throw placeholderError(error, descriptor, action);
      } finally {
        reserved.remove();
      }
    }
    const sockets = adoptAll(libc, placed, action);
    return { listeners: placed.map(({ listener }) => listener), sockets };
  } catch (error) {
    for (const { listener } of placed) trackClosing(factory.close(listener));
    throw error;
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
      [{ descriptor, inherited, reserved, firstFd, listener }],
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
  descriptor: Descriptor,
  info: DescriptorInfo,
  action: string,
) {
  const reserved = reservePlaceholder(info);
  if (reserved === undefined) {
    throw new ActivationError(
      "unsupported",
      `${action}: ${title} has no listener of its own for ${descriptor}, ` +
        `${describeInfo(info)}: use the portable path, or Node`,
    );
  }
  const missing = missingPermission?.(reserved.placeholder);
  if (missing !== undefined) {
    throw new ActivationError(
      "permission",
      `${
        creating(action, descriptor)
      }: missing permission: run with ${missing}`,
    );
  }
  return reserved;
}

/** Adopts all sockets, or none, without a turn of the event loop. */
function adoptAll(
  libc: Libc,
  placed: readonly PlacedListener<unknown>[],
  action: string,
): ListenSockets {
  const adopted: AdoptedSocket[] = [];
  for (const { descriptor, reserved, firstFd } of placed) {
    try {
      const { address } = reserved;
      adopted.push(adoptSocket(libc, descriptor.fd, address, firstFd));
    } catch (error) {
      for (const socket of adopted) socket.rollback();
      throw listenError(error, `${action}: adopting ${descriptor}`);
    }
  }
  for (const socket of adopted) socket.commit();
  // From here on the runtime closes the sockets, without telling this library.
  for (const { descriptor } of placed) descriptor.markClosed();
  return new ListenSockets(
    libc,
    adopted,
    placed.map(({ inherited }) => inherited),
  );
}

function creating(action: string, descriptor: Descriptor): string {
  return `${action}: creating a listener for ${descriptor} on a placeholder`;
}

function placeholderError(
  error: unknown,
  descriptor: Descriptor,
  action: string,
): unknown {
  return createError(error, creating(action, descriptor));
}

/** Wraps an error of a function that creates a listener. */
function createError(error: unknown, action: string): unknown {
  return isReported(error) ? error : listenError(error, action);
}

/** Whether an error reports wrong options, or is one of this library. */
function isReported(error: unknown): boolean {
  return error instanceof ActivationError || error instanceof TypeError ||
    error instanceof RangeError || error instanceof SyntaxError;
}

/** Converts a fallback address to the form of a placeholder. */
function toPlaceholder(
  address: Fallback,
  kind: UsableKind | undefined,
): Placeholder {
  if ("path" in address) {
    if (address.path.startsWith("@")) {
      throw new ActivationError(
        "unsupported",
        `Binding ${describeFallback(address)}: the runtime's own listeners ` +
          `take no abstract names: set a path`,
      );
    }
    return { kind: "unix", path: address.path };
  }
  return {
    kind: kind === "datagram" ? "udp" : "tcp",
    hostname: address.hostname ?? "::",
    port: address.port,
  };
}
