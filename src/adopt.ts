/**
 * The general form of adoption: any listener of the runtime's own on an
 * inherited socket.
 *
 * @module
 */

import { Descriptor } from "./core/descriptor.ts";
import { createListenerAsync } from "./runtime/adoption/create_listeners.ts";
import { currentPlatform } from "./runtime/current.ts";
import type { Placeholder } from "./runtime/platform.ts";

/** How {@linkcode adopt} makes a listener, and unmakes it. */
export interface AdoptOptions<T> {
  /**
   * Makes a listener of the runtime's own at an address of no meaning: with
   * `Deno.serve`, `Bun.listen`, or a framework that calls them. It is not to be
   * connected to before {@linkcode adopt} has returned.
   */
  readonly bind: (placeholder: Placeholder) => T | Promise<T>;
  /** Closes it at once, if the socket can't take the placeholder's place. */
  readonly close: (listener: T) => void | Promise<void>;
}

/**
 * Puts a listener of Deno's or Bun's own onto an inherited socket: it is made on
 * a placeholder, whose place the socket then takes. What the listener says of
 * its address is the placeholder's.
 *
 * @param descriptor A claimed descriptor: a TCP, UDP or Unix stream socket.
 * @param options How the listener is made, and unmade.
 * @returns The listener.
 * @throws {ActivationError} With the code `unsupported`, `permission` or
 * `failed`; the descriptor is as it was then, and can be released.
 *
 * @example
 * ```ts
 * import { activation, adopt } from "@listenfds/listenfds";
 *
 * const descriptor = activation()!.claimOne("web");
 * await adopt(descriptor, {
 *   bind: (place) => Deno.serve(place as { port: number }, () => new Response()),
 *   close: (server) => server.shutdown(),
 * });
 * ```
 */
export async function adopt<T>(
  descriptor: Descriptor,
  options: AdoptOptions<T>,
): Promise<T> {
  const infos = Descriptor.inspectAll([descriptor]);
  return await createListenerAsync(
    currentPlatform(),
    { kind: "inherited", descriptors: [descriptor], infos },
    undefined,
    {
      create: (bindTo) => options.bind(bindTo),
      close: (listener) => options.close(listener),
    },
    `Adopting ${descriptor}`,
  );
}
