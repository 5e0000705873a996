/**
 * Making listeners of the runtime's own on placeholders, and putting inherited
 * sockets in their places: all of them, or none.
 *
 * @module
 */

import type { Descriptor } from "../../core/descriptor.ts";
import { ActivationError } from "../../core/errors.ts";
import { describeInfo } from "../../core/kinds.ts";
import { type AdoptedSocket, adoptSocket } from "../../linux/adopt.ts";
import type { Libc } from "../../ffi/libc.ts";
import { AdoptedSockets, type Sockets } from "./listen_sockets.ts";
import { listenError, parkedAcceptor } from "../node/acceptor.ts";
import {
  type Place,
  type Reserved,
  reservePlaceholder,
} from "./placeholder.ts";
import type { Runtime } from "../platform.ts";

/** How a listener is made, and unmade if adopting or another one fails. */
export interface Maker<T> {
  /** Makes a listener. Nothing may be accepted before it returns. */
  bind(place: Place): T | Promise<T>;
  /** Closes it at once. */
  close(listener: T): void | Promise<void>;
}

/** Listeners that were made, and what they listen on. */
export interface Opened<T> {
  /** The listeners, in order. */
  readonly listeners: T[];
  /** Their sockets. */
  readonly sockets: Sockets;
}

/** A listener that is made, and what its placeholder is. */
interface Made<T> {
  readonly descriptor: Descriptor;
  readonly reserved: Reserved;
  readonly from: number;
  readonly listener: T;
}

/**
 * Makes a listener for each descriptor. No connection is lost if that fails:
 * the descriptors are as they were.
 *
 * @param runtime The runtime.
 * @param descriptors The inherited sockets.
 * @param maker Makes the listeners.
 * @param doing What is being done, to begin an error's message with.
 * @returns The listeners and their sockets.
 * @throws {ActivationError} If there is no way to do it here.
 */
export async function adoptAll<T>(
  runtime: Runtime,
  descriptors: readonly Descriptor[],
  maker: Maker<T>,
  doing: string,
): Promise<Opened<T>> {
  const libc = requireAdopter(runtime, doing);
  const held = descriptors.find((each) => parkedAcceptor(each) !== undefined);
  if (held !== undefined) {
    throw new ActivationError(
      "unsupported",
      `${doing}: ${held} is held since listening on it failed: use listen or ` +
        `serve of the neutral entry point`,
    );
  }
  const made: Made<T>[] = [];
  try {
    for (const descriptor of descriptors) {
      made.push(await makeOne(runtime, libc, descriptor, maker, doing));
    }
    const sockets = moveAll(libc, made, doing);
    return { listeners: made.map(({ listener }) => listener), sockets };
  } catch (error) {
    for (const { listener } of made) await maker.close(listener);
    throw error;
  }
}

/**
 * The C library to adopt with.
 *
 * @param runtime The runtime.
 * @param doing What is being done, to begin an error's message with.
 * @returns The library.
 * @throws {ActivationError} If nothing can be adopted here.
 */
export function requireAdopter(runtime: Runtime, doing: string): Libc {
  const libc = runtime.adopter();
  if (!("reason" in libc)) return libc;
  throw new ActivationError(
    libc.isDenied ? "permission" : "unsupported",
    `${doing}: ${libc.reason}`,
  );
}

async function makeOne<T>(
  runtime: Runtime,
  libc: Libc,
  descriptor: Descriptor,
  maker: Maker<T>,
  doing: string,
): Promise<Made<T>> {
  const { info } = descriptor;
  const reserved = reservePlaceholder(info);
  if (reserved === undefined) {
    throw new ActivationError(
      "unsupported",
      `${doing}: ${runtime.title} has no listener of its own for ` +
        `${descriptor}, ${describeInfo(info)}: use the portable path, or Node`,
    );
  }
  const { placeholder } = reserved;
  const missing = runtime.missingPermission?.(placeholder);
  if (missing !== undefined) {
    throw new ActivationError(
      "permission",
      `${doing}: making a listener for ${descriptor} on a placeholder: ` +
        `${runtime.title} was not given ${missing}: run with it`,
    );
  }
  try {
    const from = libc.findLowestFreeFd(descriptor.fd);
    reserved.prepare();
    const listener = await maker.bind({
      bind: placeholder,
      inherited: info.address,
    });
    return { descriptor, reserved, from, listener };
  } catch (error) {
    throw listenError(
      error,
      `${doing}: making a listener for ${descriptor} on a placeholder`,
    );
  } finally {
    reserved.remove();
  }
}

/** Puts the sockets in place. Takes no turn of the event loop. */
function moveAll<T>(
  libc: Libc,
  made: readonly Made<T>[],
  doing: string,
): Sockets {
  // Asked now: a descriptor that is closed says nothing any more.
  const addresses = made.map(({ descriptor }) => descriptor.info.address);
  const moved: AdoptedSocket[] = [];
  for (const { descriptor, reserved, from } of made) {
    try {
      moved.push(adoptSocket(libc, descriptor.fd, reserved.address, from));
    } catch (error) {
      for (const each of moved) each.rollback();
      throw listenError(error, `${doing}: adopting ${descriptor}`);
    }
  }
  for (const each of moved) each.commit();
  // When the runtime closes them, nobody will tell.
  for (const { descriptor } of made) descriptor.markClosed();
  return new AdoptedSockets(libc, moved, addresses);
}
