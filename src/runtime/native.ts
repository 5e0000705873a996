/**
 * Where the runtimes' own servers listen: on the sockets of a name, or on a
 * fallback address.
 *
 * @module
 */

import type { Address } from "../core/address.ts";
import type { UsableKind } from "../core/kinds.ts";
import {
  describePlace,
  type Endpoint,
  type Fallback,
  listenError,
} from "./acceptor.ts";
import { adoptAll } from "./adoption.ts";
import type { Placeholder } from "./placeholder.ts";
import { requireKinds, type Runtime } from "./runtime.ts";

/** Where a listener of the runtime's own is made. */
export interface Place {
  /** The address to give to the runtime. */
  readonly bind: Placeholder;
  /**
   * The address that it has in truth, if that is another: `bind` is only a
   * placeholder then.
   */
  readonly inherited: Address | undefined;
}

/** How a listener is made, and unmade if another one fails. */
export interface NativeMaker<T> {
  /** Makes a listener. */
  bind(place: Place): T | Promise<T>;
  /** Closes it at once. */
  close(listener: T): void | Promise<void>;
}

/**
 * Makes the runtime's own listeners at all endpoints, or none.
 *
 * @param runtime The runtime.
 * @param endpoints Where to listen.
 * @param kind What the listeners take.
 * @param maker Makes a listener.
 * @param doing What is being done, to begin an error's message with.
 * @returns The listeners, in order.
 */
export async function openNative<T>(
  runtime: Runtime,
  endpoints: readonly Endpoint[],
  kind: UsableKind,
  maker: NativeMaker<T>,
  doing: string,
): Promise<T[]> {
  const descriptors = endpoints.flatMap((endpoint) =>
    "descriptor" in endpoint ? [endpoint.descriptor] : []
  );
  requireKinds(runtime, descriptors, kind, doing);
  if (descriptors.length > 0) {
    return await adoptAll(runtime, descriptors, {
      bind: (bind, inherited) => maker.bind({ bind, inherited }),
      close: (listener) => maker.close(listener),
    }, doing);
  }
  return await Promise.all(endpoints.map(async (endpoint) => {
    const fallback = endpoint as Fallback;
    try {
      const bind = fallbackPlace(fallback, kind);
      return await maker.bind({ bind, inherited: undefined });
    } catch (error) {
      throw listenError(error, `${doing}: binding ${describePlace(fallback)}`);
    }
  }));
}

function fallbackPlace(
  endpoint: Fallback,
  kind: UsableKind,
): Placeholder {
  if ("path" in endpoint) {
    if (endpoint.path.startsWith("@")) {
      throw new TypeError("the runtime's own listeners take no abstract names");
    }
    return { kind: "unix", path: endpoint.path };
  }
  return {
    kind: kind === "datagram" ? "udp" : "tcp",
    hostname: endpoint.hostname ?? "::",
    port: endpoint.port,
  };
}
