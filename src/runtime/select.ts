/**
 * Selecting the backend of a server or listener: the runtime's own servers, or
 * the portable path.
 *
 * @module
 */

import { ActivationError, describeValue } from "../core/errors.ts";
import type {
  Made,
  Mode,
  ServeErrorHandler,
  ServeHandler,
} from "../core/types.ts";
import type { Backend, ConnectionListener, GracefulServer } from "./backend.ts";
import { supportsKind } from "./checks.ts";
import { nodeBackend } from "./node/backend.ts";
import { loadConversion } from "./node/fetch_listener.ts";
import type { ListenSource, Platform } from "./platform.ts";

/**
 * Checks the option `mode`.
 *
 * @throws {TypeError} If it is another value.
 */
export function readMode(mode: unknown, action: string): Mode {
  switch (mode) {
    case undefined:
    case "auto":
      return "auto";
    case "native":
    case "portable":
      return mode;
    default:
      throw new TypeError(
        `${action}: expected the option mode to be "auto", "native" or ` +
          `"portable", found ${describeValue(mode)}`,
      );
  }
}

/** Loads the backends to try, so that none is loaded after a socket is claimed. */
export async function loadBackends(
  platform: Platform,
  mode: Mode,
  use: "serve" | "listen",
): Promise<Backend[]> {
  const native = mode === "portable" ? undefined : await loadNative(platform);
  if (native !== undefined && mode === "native") return [native];
  // Where the runtime's own servers are to be expected, the conversion is loaded
  // only if they fail.
  const isPortable = native === undefined ||
    "reason" in platform.adoptionLibc();
  if (use === "serve" && isPortable) await loadConversion();
  return native === undefined ? [nodeBackend] : [native, nodeBackend];
}

/** The backend of the runtime's own servers; Node's own is the portable path. */
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
  mode: Mode,
  backends: readonly Backend[],
  source: ListenSource,
  handler: ServeHandler,
  onError: ServeErrorHandler | undefined,
  action: string,
): Promise<Made & { readonly server: GracefulServer }> {
  let reason: string | undefined;
  for (let index = 0;; index++) {
    const backend = backends[index]!;
    try {
      const server = await backend
        .serve(platform, source, handler, onError, action);
      return {
        server,
        ...describeBackend(platform, mode, backend, source, reason),
      };
    } catch (error) {
      reason = reasonToGoOn(platform, backends[index + 1], source, error);
    }
  }
}

/** Listens on the first backend that can. */
export async function listenOnFirst(
  platform: Platform,
  mode: Mode,
  backends: readonly Backend[],
  source: ListenSource,
  action: string,
): Promise<Made & { readonly listeners: ConnectionListener[] }> {
  let reason: string | undefined;
  for (let index = 0;; index++) {
    const backend = backends[index]!;
    try {
      const listeners = await backend.listen(platform, source, action);
      return {
        listeners,
        ...describeBackend(platform, mode, backend, source, reason),
      };
    } catch (error) {
      reason = reasonToGoOn(platform, backends[index + 1], source, error);
    }
  }
}

/** The failures of a backend that leave the sockets to the next one. */
const RECOVERABLE = ["unsupported", "permission", "failed"];

/**
 * Returns the reason to try the next backend.
 *
 * @throws The error of the last backend, if the next one must not be tried.
 */
function reasonToGoOn(
  platform: Platform,
  next: Backend | undefined,
  source: ListenSource,
  error: unknown,
): string {
  const mayGoOn = next !== undefined && error instanceof ActivationError &&
    RECOVERABLE.includes(error.code) &&
    // The portable path of an old version can't listen: the error of its own
    // servers is the one that can be resolved.
    (source.kind === "fallback" || supportsKind(platform, "stream-listener"));
  if (!mayGoOn) throw error;
  return error.message;
}

/** Describes the backend that was selected, and why. */
function describeBackend(
  { name, title }: Platform,
  mode: Mode,
  backend: Backend,
  { kind }: ListenSource,
  failure: string | undefined,
): Made {
  if (backend.name !== "node") {
    const modeReason = kind === "inherited"
      ? `${title}'s own listener was put onto the inherited socket`
      : `${title}'s own listener was bound to the fallback address`;
    return { mode: "native", modeReason };
  }
  return name === "node" && mode !== "portable"
    ? { mode: "native", modeReason: "Node's own servers take descriptors" }
    : { mode: "portable", modeReason: failure ?? "The program asked for it" };
}
