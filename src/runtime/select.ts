/**
 * Selecting the backend of a server or listener: the runtime's own servers, or
 * the portable path.
 *
 * @module
 */

import { ActivationError, describeValue } from "../core/errors.ts";
import type { FetchServer, ServeHandler, ServeOptions } from "../core/types.ts";
import type { Backend, ConnectionListener, GracefulServer } from "./backend.ts";
import { supportsKind } from "./checks.ts";
import type { ServerContext } from "./server_context.ts";
import { nodeBackend } from "./node/backend.ts";
import { loadConversion } from "./node/fetch_listener.ts";
import type { ListenSource, Platform } from "./platform.ts";

/**
 * Checks the option `backend`.
 *
 * @throws {TypeError} If it is another value.
 */
export function readBackend(
  backend: unknown,
  action: string,
): "auto" | "native" | "node" {
  switch (backend) {
    case undefined:
      return "auto";
    case "auto":
    case "native":
    case "node":
      return backend;
    default:
      throw new TypeError(
        `${action}: expected the option backend to be "auto", "native" or ` +
          `"node", found ${describeValue(backend)}`,
      );
  }
}

/** Loads the backends to try, before a socket is claimed. */
export async function loadBackends(
  platform: Platform,
  option: "auto" | "native" | "node",
  use: "serve" | "listen",
): Promise<Backend[]> {
  const native = option === "node" ? undefined : await loadNative(platform);
  if (native !== undefined && option === "native") return [native];
  // Where the runtime's own servers are likely to work, `nodeBackend` loads the
  // conversion after they fail.
  const isPortable = native === undefined ||
    "reason" in platform.adoptionLibc();
  if (use === "serve" && isPortable) await loadConversion();
  return native === undefined ? [nodeBackend] : [native, nodeBackend];
}

/** Loads the backend of the runtime's own servers; on Node it is `nodeBackend`. */
async function loadNative({ name }: Platform): Promise<Backend | undefined> {
  switch (name) {
    case "deno":
      return (await import("./deno/backend.ts")).denoBackend;
    case "bun":
      return (await import("./bun/backend.ts")).bunBackend;
    case "node":
      return undefined;
  }
}

/** Serves on the first backend that can. */
export async function serveOnFirst(
  platform: Platform,
  backends: readonly Backend[],
  source: ListenSource,
  handler: ServeHandler,
  onError: ServeOptions["onError"],
  context: ServerContext,
  action: string,
): Promise<
  Pick<FetchServer, "backend" | "backendReason"> & {
    readonly server: GracefulServer;
  }
> {
  let reason: string | undefined;
  for (let index = 0;; index++) {
    const backend = backends[index]!;
    try {
      const server = await backend
        .serve(platform, source, handler, onError, context, action);
      return {
        server,
        ...describeBackend(platform, backend, source, reason),
      };
    } catch (error) {
      reason = reasonToContinue(platform, backends[index + 1], source, error);
    }
  }
}

/** Listens on the first backend that can. */
export async function listenOnFirst(
  platform: Platform,
  backends: readonly Backend[],
  source: ListenSource,
  action: string,
): Promise<
  Pick<FetchServer, "backend" | "backendReason"> & {
    readonly listeners: ConnectionListener[];
  }
> {
  let reason: string | undefined;
  for (let index = 0;; index++) {
    const backend = backends[index]!;
    try {
      const listeners = await backend.listen(platform, source, action);
      return {
        listeners,
        ...describeBackend(platform, backend, source, reason),
      };
    } catch (error) {
      reason = reasonToContinue(platform, backends[index + 1], source, error);
    }
  }
}

/** The failures of a backend that leave the sockets to the next one. */
const RECOVERABLE = ["unsupported", "permission", "system"];

/**
 * Returns the reason to try the next backend.
 *
 * @throws The error of the last backend, if the next one must not be tried.
 */
function reasonToContinue(
  platform: Platform,
  next: Backend | undefined,
  source: ListenSource,
  error: unknown,
): string {
  const canContinue = next !== undefined && error instanceof ActivationError &&
    RECOVERABLE.includes(error.code) &&
    (source.kind === "fallback"
      // The same permission is needed to bind the address in any way.
      ? error.code !== "permission"
      // Where an old version lacks the portable path, report the error of the
      // runtime's own servers, because the user can resolve that error.
      : supportsKind(platform, "stream-listener"));
  if (!canContinue) throw error;
  return error.message;
}

/** Describes the backend that was selected, and why. */
function describeBackend(
  { name, title }: Platform,
  backend: Backend,
  { kind }: ListenSource,
  failure: string | undefined,
): Pick<FetchServer, "backend" | "backendReason"> {
  return { backend: backend.name, backendReason: reason() };

  function reason(): string {
    if (backend.name !== name) return failure ?? "The program asked for it";
    if (name === "node") return "Node's own servers take descriptors";
    return kind === "inherited"
      ? `${title}'s own listener was put onto the inherited socket`
      : `${title}'s own listener was bound to the fallback address`;
  }
}
