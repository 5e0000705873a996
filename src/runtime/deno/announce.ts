/**
 * Handing a server to the program, as `Deno.serve` does.
 *
 * @module
 */

import type { ServerLifetime } from "../../shutdown/server_lifetime.ts";
import type { DenoServer } from "./server.ts";

/**
 * Tells where a server listens, and makes its first server stand for all.
 *
 * @param options What `onListen` is called as a method of.
 */
export function announceServer(
  server: DenoServer,
  lifetime: ServerLifetime,
  options: object,
  onListen: ((addr: Deno.Addr) => void) | null | undefined,
  signal: AbortSignal | undefined,
): Deno.HttpServer {
  try {
    for (const { addr } of server.servers) {
      if (onListen) Reflect.apply(onListen, options, [addr]);
    }
  } catch (error) {
    lifetime.close();
    throw error;
  }
  lifetime.closeOnAbort(signal);
  const shutdown = () => lifetime.shutdown();
  return Object.assign(server.servers[0], {
    finished: lifetime.finished,
    shutdown,
    [Symbol.asyncDispose]: shutdown,
    ref: () => server.ref(),
    unref: () => server.unref(),
  });
}
