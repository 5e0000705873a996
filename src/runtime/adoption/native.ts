/**
 * Where the runtimes' own servers listen: on the sockets of a name, or on a
 * fallback address.
 *
 * @module
 */

import type { UsableKind } from "../../core/kinds.ts";
import {
  describePlace,
  type Endpoint,
  type Fallback,
  listenError,
} from "../node/acceptor.ts";
import {
  adoptAll,
  type Maker,
  type Opened,
  requireAdopter,
} from "./adopt_all.ts";
import type { Placeholder } from "./placeholder.ts";
import { requireKinds, type Runtime } from "../platform.ts";
import { OWN_SOCKETS } from "./listen_sockets.ts";

/**
 * Makes the runtime's own listeners at all endpoints, or none.
 *
 * @param runtime The runtime.
 * @param endpoints Where to listen.
 * @param kind What the listeners take.
 * @param maker Makes a listener.
 * @param doing What is being done, to begin an error's message with.
 * @returns The listeners and their sockets.
 */
export async function openNative<T>(
  runtime: Runtime,
  endpoints: readonly Endpoint[],
  kind: UsableKind,
  maker: Maker<T>,
  doing: string,
): Promise<Opened<T>> {
  const descriptors = endpoints.flatMap((endpoint) =>
    "descriptor" in endpoint ? [endpoint.descriptor] : []
  );
  if (descriptors.length > 0) {
    // First: without the C library, an old version may say anything of a kind.
    requireAdopter(runtime, doing);
    requireKinds(runtime, descriptors, kind, doing);
    return await adoptAll(runtime, descriptors, maker, doing);
  }
  const listeners = await Promise.all(endpoints.map(async (endpoint) => {
    const fallback = endpoint as Fallback;
    try {
      const bind = fallbackPlace(fallback, kind);
      return await maker.bind({ bind, inherited: undefined });
    } catch (error) {
      throw listenError(error, `${doing}: binding ${describePlace(fallback)}`);
    }
  }));
  return { listeners, sockets: OWN_SOCKETS };
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
