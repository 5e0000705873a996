/**
 * From what a program asks for to where it listens: the descriptors of a name,
 * or an address to fall back to.
 *
 * @module
 */

import { activation, inactiveReason } from "./activation.ts";
import type { Activation } from "./core/activation.ts";
import { Descriptor } from "./core/descriptor.ts";
import {
  ActivationError,
  describeValue,
  quote,
  quoteAll,
} from "./core/errors.ts";
import type { DescriptorInfo } from "./core/info.ts";
import type { UsableKind } from "./core/kinds.ts";
import {
  type ListenAddress,
  parseListenAddress,
} from "./core/listen_address.ts";
import type { Fallback, ListenTarget } from "./core/types.ts";
import { requireUsable } from "./runtime/checks.ts";
import { listenersClosed } from "./runtime/leftovers.ts";
import { currentPlatform } from "./runtime/current.ts";
import type { ListenSource } from "./runtime/platform.ts";

/** A claimed source. */
export interface Claim {
  readonly source: ListenSource;
  /**
   * Makes the descriptors claimable again after a failed use, and resolves when
   * nothing of that is left.
   */
  release(): Promise<void>;
}

/**
 * Claims what a target stands for, and reads once what its descriptors are.
 *
 * @param action What is being done, the beginning of an error's message.
 */
export function claimTarget(
  target: ListenTarget,
  fallback: Fallback | undefined,
  action: string,
): Claim {
  const address = toListenAddress(target);
  if (fallback !== undefined) requireFallback(fallback, action);
  const activated = activation();
  if (address.kind === "tcp" || address.kind === "unix") {
    if (activated !== null) throw bindWhileActivated(activated, action);
    return fallbackClaim(toFallback(address));
  }
  if (activated === null) {
    if (fallback !== undefined) return fallbackClaim(fallback);
    throw notActivated(action, ", and there is no fallback");
  }
  return inheritedClaim(
    activated,
    address.kind === "fd"
      ? [activated.claimFd(address.fd, action)]
      : activated.claimAll(address.name, action),
  );
}

/**
 * Claims the one descriptor of a name, which must be of a kind.
 *
 * @param action What is being done, the beginning of an error's message.
 */
export function claimDescriptor(
  name: string,
  kind: UsableKind,
  action: string,
): Claim & { readonly descriptor: Descriptor; readonly info: DescriptorInfo } {
  const activated = activation();
  if (activated === null) throw notActivated(action);
  const descriptor = activated.claimOne(name);
  const claim = inheritedClaim(activated, [descriptor]);
  const [info] = claim.infos;
  try {
    requireUsable(currentPlatform(), [descriptor], [info!], kind, action);
    return { ...claim, descriptor, info: info! };
  } catch (error) {
    activated.release([descriptor]);
    throw error;
  }
}

function inheritedClaim(
  activated: Activation,
  descriptors: readonly Descriptor[],
): Claim & { readonly infos: readonly DescriptorInfo[] } {
  try {
    const [first, ...rest] = descriptors;
    const infos = Descriptor.inspectAll(descriptors);
    return {
      source: { kind: "inherited", descriptors: [first!, ...rest], infos },
      infos,
      async release() {
        activated.release(descriptors);
        await listenersClosed();
      },
    };
  } catch (error) {
    activated.release(descriptors);
    throw error;
  }
}

function fallbackClaim(address: Fallback): Claim {
  return { source: { kind: "fallback", address }, release: listenersClosed };
}

/**
 * Checks that a source is one socket, for what can't be several.
 *
 * @throws {ActivationError} With the code `ambiguous-name`.
 */
export function requireOne(source: ListenSource, action: string): void {
  if (source.kind === "fallback" || source.descriptors.length === 1) return;
  throw new ActivationError(
    "ambiguous-name",
    `${action}: found ${source.descriptors.length} sockets with this name: ask ` +
      `for each as "fd:NUMBER", or give each socket unit its own ` +
      `FileDescriptorName=`,
  );
}

/** Checks that a handler is a function. */
export function requireHandler(handler: unknown, action: string): void {
  if (typeof handler === "function") return;
  throw new TypeError(
    `${action}: expected a handler function, found ${typeof handler}`,
  );
}

/** A target in messages. */
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

/** Parses a target; text with a colon is an address, since no name holds one. */
function toListenAddress(target: ListenTarget): ListenAddress {
  if (typeof target !== "string") return target;
  return target.includes(":")
    ? parseListenAddress(target)
    : { kind: "systemd", name: target };
}

function toFallback(
  address: ListenAddress & { kind: "tcp" | "unix" },
): Fallback {
  return address.kind === "unix"
    ? { path: address.path }
    : { port: address.port, hostname: address.hostname };
}

function requireFallback(fallback: Fallback, action: string): void {
  const { port, path } = fallback as { port?: unknown; path?: unknown };
  const hasPort = typeof port === "number" && path === undefined;
  const hasPath = typeof path === "string" && path !== "" && port === undefined;
  if (!hasPort && !hasPath) {
    throw new TypeError(
      `${action}: expected a fallback of { port, hostname } or { path }, found ` +
        describeValue(fallback),
    );
  }
  if (hasPort && !(Number.isInteger(port) && port >= 0 && port <= 65535)) {
    throw new RangeError(
      `${action}: expected a fallback port from 0 to 65535, found ${port}`,
    );
  }
}

function bindWhileActivated(
  activated: Activation,
  action: string,
): ActivationError {
  return new ActivationError(
    "activated",
    `${action}: this process was handed sockets by name ` +
      `(${quoteAll(activated.names)}) and binds none itself: ask for ` +
      `one of them, such as "systemd:NAME"`,
  );
}

function notActivated(action: string, addition: string = ""): ActivationError {
  return new ActivationError(
    "not-activated",
    `${action}: no descriptors were handed over${addition}: ` +
      inactiveReason()!.message,
  );
}
