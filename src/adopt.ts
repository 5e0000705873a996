/**
 * The general form of adoption: any listener of the runtime's own on an
 * inherited socket.
 *
 * @module
 */

import { Descriptor } from "./core/descriptor.ts";
import type { AdoptOptions } from "./core/types.ts";
import { createListenerAsync } from "./runtime/adoption/create_listeners.ts";
import { beginOpening } from "./service/readiness.ts";
import { currentPlatform } from "./runtime/current.ts";

/**
 * Puts a listener of Deno's or Bun's own onto an inherited socket: it is created on
 * a placeholder, whose place the socket then takes. The address that the listener
 * reports is the placeholder's.
 *
 * @param descriptor A claimed descriptor: a TCP, UDP or Unix stream socket.
 * @param options How the listener is created, and closed after a failure.
 * @returns The listener.
 * @throws {ActivationError} With the code `unsupported`, `permission` or
 * `system`; the descriptor is then as before, and can be released.
 *
 * @example
 * ```ts
 * import { activation, adopt } from "@listenfds/listenfds";
 *
 * const descriptor = activation()!.claimOne("web");
 * await adopt(descriptor, {
 *   create: (place) => Deno.serve(place as { port: number }, () => new Response()),
 *   close: (server) => server.shutdown(),
 * });
 * ```
 */
export async function adopt<T>(
  descriptor: Descriptor,
  options: AdoptOptions<T>,
): Promise<T> {
  const infos = Descriptor.inspectAll([descriptor]);
  const opening = beginOpening(null);
  try {
    return await createListenerAsync(
      currentPlatform(),
      { kind: "inherited", descriptors: [descriptor], infos },
      undefined,
      {
        create: (bindTo) => options.create(bindTo),
        close: (listener) => options.close(listener),
      },
      `Adopting ${descriptor}`,
    );
  } finally {
    opening.end();
  }
}
