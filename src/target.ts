/**
 * From what a program asks for to where it listens: the descriptors of a name,
 * or an address to fall back to.
 *
 * @module
 */

import { activation, inactiveReason } from "./activation.ts";
import type { Activation } from "./core/activation.ts";
import type { Descriptor } from "./core/descriptor.ts";
import type { UsableKind } from "./core/kinds.ts";
import {
  ActivationError,
  describeValue,
  quote,
  quoteAll,
} from "./core/errors.ts";
import {
  type ListenAddress,
  parseListenAddress,
} from "./core/listen_address.ts";
import type { Endpoint } from "./runtime/node/acceptor.ts";
import type { Maker, Opened } from "./runtime/adoption/adopt_all.ts";
import { currentRuntime, requireRuntime } from "./runtime/current.ts";
import { holdDuring } from "./shutdown/active_handle.ts";
import { openNative } from "./runtime/adoption/native.ts";
import { requireUsable, type Runtime } from "./runtime/platform.ts";
import type { Fallback, ListenTarget } from "./core/types.ts";

/** Endpoints to be used, with the way to give them back. */
interface Claim {
  readonly endpoints: readonly [Endpoint, ...Endpoint[]];
  /** The activation that they are of; `null` for a fallback. */
  readonly activated: Activation | null;
}

/**
 * Claims what a target stands for, uses it, and gives it back if that failed.
 *
 * @param target What to listen on.
 * @param fallback Where to listen if the process is not activated.
 * @param doing What is being done, to begin an error's message with.
 * @param use Uses the endpoints, all or none.
 * @returns What `use` returned.
 */
export async function useTarget<T>(
  target: ListenTarget,
  fallback: Fallback | undefined,
  doing: string,
  use: (endpoints: Claim["endpoints"]) => Promise<T>,
): Promise<T> {
  const { endpoints, activated } = claim(target, fallback, doing);
  try {
    return await holdDuring(() => use(endpoints));
  } catch (error) {
    activated?.release(descriptorsOf(endpoints));
    throw error;
  }
}

/**
 * Claims the one descriptor of a name, uses it, and gives it back if that
 * failed.
 *
 * @param name The name.
 * @param kind The kind that it must be of.
 * @param doing What is being done, to begin an error's message with.
 * @param use Uses the descriptor.
 * @returns What `use` returned.
 */
export async function useDescriptor<T>(
  name: string,
  kind: UsableKind,
  doing: string,
  use: (descriptor: Descriptor, runtime: Runtime) => Promise<T>,
): Promise<T> {
  const activated = activation();
  if (activated === null) {
    throw new ActivationError(
      "not-activated",
      `${doing}: no descriptors were handed over: ${inactiveReason()!.message}`,
    );
  }
  const runtime = currentRuntime();
  const descriptor = activated.claimOne(name);
  try {
    requireUsable(runtime, [descriptor], kind, doing);
    return await holdDuring(() => use(descriptor, runtime));
  } catch (error) {
    activated.release([descriptor]);
    throw error;
  }
}

/**
 * Makes listeners of the runtime's own on what a target stands for: all of them,
 * or none.
 *
 * @param name The runtime that this must be.
 * @param target What to listen on.
 * @param fallback Where to listen if the process is not activated.
 * @param maker Makes a listener for stream connections.
 * @param doing What is being done, to begin an error's message with.
 * @returns The listeners and their sockets.
 */
export function openTarget<T>(
  name: "deno" | "bun",
  target: ListenTarget,
  fallback: Fallback | undefined,
  maker: Maker<T>,
  doing: string,
): Promise<Opened<T>> {
  return useTarget(
    target,
    fallback,
    doing,
    (endpoints) =>
      openNative(
        requireRuntime(name),
        endpoints,
        "stream-listener",
        maker,
        doing,
      ),
  );
}

/**
 * Checks that there is one endpoint, for what can't be several.
 *
 * @param endpoints The endpoints of a target.
 * @param doing What is being done, to begin an error's message with.
 * @throws {ActivationError} With the code `ambiguous-name`.
 */
export function requireOne(
  endpoints: readonly Endpoint[],
  doing: string,
): void {
  if (endpoints.length === 1) return;
  throw new ActivationError(
    "ambiguous-name",
    `${doing}: found ${endpoints.length} sockets with this name: ask for each ` +
      `as "fd:NUMBER", or give each socket unit its own FileDescriptorName=`,
  );
}

/** The descriptors among endpoints. */
function descriptorsOf(endpoints: readonly Endpoint[]): Descriptor[] {
  return endpoints.flatMap((endpoint) =>
    "descriptor" in endpoint ? [endpoint.descriptor] : []
  );
}

/** A target as messages name it. */
export function describeTarget(target: ListenTarget): string {
  if (typeof target === "string") return quote(target);
  switch (target.kind) {
    case "systemd":
      return quote(target.name);
    case "fd":
      return quote(`fd:${target.fd}`);
    case "tcp":
      return quote(`tcp:${target.hostname}:${target.port}`);
    case "unix":
      return quote(`unix:${target.path}`);
  }
}

/**
 * Parses a target.
 *
 * @param target A name, an address as text, or one parsed.
 * @returns The address.
 */
export function toListenAddress(target: ListenTarget): ListenAddress {
  if (typeof target !== "string") return target;
  return target.includes(":")
    ? parseListenAddress(target)
    : { kind: "systemd", name: target };
}

function claim(
  target: ListenTarget,
  fallback: Fallback | undefined,
  doing: string,
): Claim {
  const address = toListenAddress(target);
  if (fallback !== undefined) checkFallback(fallback, doing);
  const activated = activation();
  switch (address.kind) {
    case "tcp":
    case "unix":
      if (activated !== null) {
        throw new ActivationError(
          "activated",
          `${doing}: this process was handed sockets by name ` +
            `(${quoteAll(activated.names)}) and binds none itself: ask for ` +
            `one of them, such as "systemd:NAME"`,
        );
      }
      return { endpoints: [bindable(address)], activated };
    case "systemd":
    case "fd": {
      if (activated === null) {
        if (fallback !== undefined) return { endpoints: [fallback], activated };
        throw new ActivationError(
          "not-activated",
          `${doing}: no descriptors were handed over, and there is no ` +
            `fallback: ${inactiveReason()!.message}`,
        );
      }
      const descriptors = address.kind === "fd"
        ? [activated.claimFd(address.fd, doing)]
        : activated.claimAll(address.name, doing);
      const [first, ...rest] = descriptors.map((descriptor) => ({
        descriptor,
      }));
      return { endpoints: [first!, ...rest], activated };
    }
  }
}

function bindable(address: ListenAddress & { kind: "tcp" | "unix" }): Endpoint {
  return address.kind === "unix"
    ? { path: address.path }
    : { port: address.port, hostname: address.hostname };
}

function checkFallback(fallback: Fallback, doing: string): void {
  const { port, path } = fallback as { port?: unknown; path?: unknown };
  const hasPort = typeof port === "number" && path === undefined;
  const hasPath = typeof path === "string" && path !== "" && port === undefined;
  if (!hasPort && !hasPath) {
    throw new TypeError(
      `${doing}: expected a fallback of { port, hostname } or { path }, found ` +
        describeValue(fallback),
    );
  }
  if (hasPort && !(Number.isInteger(port) && port >= 0 && port <= 65535)) {
    throw new RangeError(
      `${doing}: expected a fallback port from 0 to 65535, found ${port}`,
    );
  }
}
