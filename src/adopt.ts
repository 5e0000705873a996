/**
 * The general form of adoption: any listener of the runtime's own on an
 * inherited socket.
 *
 * @module
 */

import { Descriptor } from "./core/descriptor.ts";
import type { AdoptOptions } from "./core/types.ts";
import { createListenerAsync } from "./runtime/adoption/create_listeners.ts";
import { currentPlatform } from "./runtime/current.ts";

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
