/**
 * Claiming what a target names: the inherited descriptors, or an address to
 * bind.
 *
 * @module
 */

import { activation, inactiveReason } from "./activation.ts";
import type { Activation } from "./core/activation.ts";
import { Descriptor } from "./core/descriptor.ts";
import { ActivationError, quote, quoteAll } from "./core/errors.ts";
import { type DescriptorInfo, isFileInfo, isKindUnknown } from "./core/info.ts";
import { judgeKind, type UsableKind } from "./core/kinds.ts";
import type { ListenAddress } from "./core/listen_address.ts";
import type { Fallback, ListenTarget } from "./core/types.ts";
import {
  type Claim,
  requireFallback,
  toFallback,
  toListenAddress,
} from "./listen_target.ts";
export { describeTarget } from "./listen_target.ts";
import { beginOpening } from "./service/readiness.ts";
import { requirePassed, requireUsable } from "./runtime/checks.ts";
import { listenersClosed } from "./runtime/leftovers.ts";
import { currentPlatform } from "./runtime/current.ts";
import { hasManager } from "./runtime/manager/variables.ts";
import type { ListenSource } from "./runtime/platform.ts";

/** Binds fallback addresses whose sockets the service manager stores. */
type FallbackStore = typeof import("./service/stored_fallback.ts");

/** Claims the descriptors of a target that have the kind, or binds a fallback. */
export type ClaimAs = (
  target: ListenTarget,
  kind: UsableKind,
  action: string,
) => Claim;

/**
 * Loads what stores the socket of a fallback, if it is to be stored, before
 * anything is claimed.
 */
export async function prepareClaim(
  fallback: Fallback | undefined,
): Promise<ClaimAs> {
  const isStored = Object(fallback).store === true &&
    hasManager(currentPlatform());
  const store = isStored
    ? await import("./service/stored_fallback.ts")
    : undefined;
  return (target, kind, action) =>
    claimTarget(target, fallback, kind, action, store);
}

/**
 * Whether all descriptors are files, as `OpenFile=` passes them: then there is no
 * socket unit that could be wrong.
 */
function hasOnlyFiles({ descriptors }: Activation): boolean {
  return Descriptor.inspectAll(descriptors).every(isFileInfo);
}

/** Whether a name is missing that a stored socket would have. */
function mayStore(activated: Activation | null, name: string): boolean {
  if (activated !== null) return !activated.has(name);
  const { kind } = inactiveReason()!;
  return kind === "absent" || kind === "foreign";
}

/**
 * Claims the descriptors of a target that have the kind, and inspects them once.
 * Descriptors of other kinds with the same name stay claimable.
 *
 * @param action The beginning of an error's message, such as `Listening on "web"`.
 */
function claimTarget(
  target: ListenTarget,
  fallback: Fallback | undefined,
  kind: UsableKind,
  action: string,
  store: FallbackStore | undefined,
): Claim {
  const address = toListenAddress(target, action);
  if (fallback !== undefined) requireFallback(fallback, action);
  const activated = activation();
  if (
    store !== undefined && address.kind === "systemd" &&
    mayStore(activated, address.name)
  ) {
    return store.bindStored(
      { activated, name: address.name, fallback: fallback! },
      kind,
      action,
    );
  }
  if (address.kind === "tcp" || address.kind === "unix") {
    if (activated !== null && !hasOnlyFiles(activated)) {
      throw bindWhileActivated(activated, action);
    }
    return fallbackClaim(toFallback(address), activated);
  }
  if (
    fallback !== undefined && address.kind === "systemd" &&
    activated?.has(address.name) === false && hasOnlyFiles(activated)
  ) return fallbackClaim(fallback, activated);
  if (activated === null) {
    // An earlier evaluation, or the main thread, serves the sockets.
    const { kind } = inactiveReason()!;
    const wasActivated = kind === "activated-before" || kind === "worker";
    if (fallback !== undefined && !wasActivated) {
      return fallbackClaim(fallback, null, foreignReason());
    }
    const addition = wasActivated ? "" : ", and there is no fallback";
    throw notActivated(action, addition);
  }
  return claimInherited(activated, address, kind, action);
}

/**
 * Claims the only descriptor of a target that has the kind, for functions
 * without a fallback.
 *
 * @param target `undefined` for the connection that this process was started for.
 * @param action The beginning of an error's message, such as `Listening on "web"`.
 */
export function claimDescriptor(
  target: ListenTarget | undefined,
  kind: UsableKind,
  action: string,
): Claim & { readonly descriptor: Descriptor; readonly info: DescriptorInfo } {
  const named = target === undefined
    ? undefined
    : toListenAddress(target, action);
  if (named?.kind === "tcp" || named?.kind === "unix") {
    throw new TypeError(
      `${action}: this function uses inherited descriptors only: set a name, ` +
        `"systemd:NAME" or "fd:NUMBER"`,
    );
  }
  const activated = activation();
  if (activated === null) throw notActivated(action);
  const address = named ?? findConnection(activated, action);
  const claim = claimInherited(activated, address, kind, action);
  const { descriptors, infos } = claim.source;
  try {
    requireOne(claim.source, action);
    requireUsable(currentPlatform(), descriptors, infos, kind, action);
    return { ...claim, descriptor: descriptors[0], info: infos[0]! };
  } catch (error) {
    void claim.release();
    throw error;
  }
}

/** The name that systemd itself gives to connections, see `sd_listen_fds(3)`. */
const CONNECTION = "connection";

/**
 * Finds the connection that this process was started for. An activator may give
 * it another name, or none.
 */
function findConnection(
  { descriptors, names }: Activation,
  action: string,
): ListenAddress & { kind: "systemd" | "fd" } {
  if (names.includes(CONNECTION)) return { kind: "systemd", name: CONNECTION };
  const [only, ...others] = descriptors;
  if (others.length === 0) return { kind: "fd", fd: only!.fd };
  throw new ActivationError(
    "ambiguous-name",
    `${action}: found ${descriptors.length} descriptors (${
      quoteAll(names)
    }), ` +
      `none with the name ${
        quote(CONNECTION)
      }: pass the connection's name, or ` +
      `"fd:NUMBER"`,
  );
}

function claimInherited(
  activated: Activation,
  address: ListenAddress & { kind: "systemd" | "fd" },
  kind: UsableKind,
  action: string,
): Claim & { readonly source: ListenSource & { kind: "inherited" } } {
  const claimed = claimWith(activated, address, action);
  try {
    const infos = Descriptor.inspectAll(claimed);
    requirePassed(currentPlatform(), claimed, infos, action);
    const indexes = indexesOfKind(claimed, infos, kind, action);
    const [first, ...rest] = indexes.map((index) => claimed[index]!);
    const descriptors = [first!, ...rest] as const;
    activated.release(claimed.filter((each) => !descriptors.includes(each)));
    const opening = beginOpening(activated);
    return {
      source: {
        kind: "inherited",
        descriptors,
        infos: indexes.map((index) => infos[index]!),
      },
      async release() {
        opening.end();
        activated.release(descriptors);
        await listenersClosed();
      },
      opened: opening.succeed,
    };
  } catch (error) {
    activated.release(claimed);
    throw error;
  }
}

/** Claims with `action` in error messages, an argument that public types hide. */
function claimWith(
  activated: Activation,
  address: ListenAddress & { kind: "systemd" | "fd" },
  action: string,
): Descriptor[] {
  const { claim, claimFd } = activated;
  return address.kind === "fd"
    ? [Reflect.apply(claimFd, activated, [address.fd, action])]
    : Reflect.apply(claim, activated, [address.name, action]);
}

/**
 * Returns the indexes of the descriptors of the kind. A single descriptor is not
 * judged here, because its kind may be unknown: the function that uses the
 * descriptor checks it.
 */
function indexesOfKind(
  descriptors: readonly Descriptor[],
  infos: readonly DescriptorInfo[],
  kind: UsableKind,
  action: string,
): number[] {
  if (descriptors.length === 1) return [0];
  const errors = descriptors.map((descriptor, index) =>
    judgeKind(descriptor, infos[index]!, [kind], action)
  );
  const notOpen = errors.find((error) => error?.code === "not-open");
  if (notOpen !== undefined) throw notOpen;
  const unknown = descriptors.filter((_, index) =>
    isKindUnknown(infos[index]!)
  );
  if (unknown.length > 0) {
    throw new ActivationError(
      "ambiguous-name",
      `${action}: the kinds of ${
        unknown.join(" and ")
      } are unknown here, and ` +
        `others have the same name: set FileDescriptorName= to another name in ` +
        `each socket unit, or ask for each as "fd:NUMBER"`,
    );
  }
  const indexes = [...errors.keys()].filter((index) => !errors[index]);
  if (indexes.length === 0) throw errors[0]!;
  return indexes;
}

/** @param activated What was passed beside the fallback: files. */
function fallbackClaim(
  address: Fallback,
  activated: Activation | null,
  foreignReason?: string,
): Claim {
  // A process that was passed nothing is left alone: it may be no service.
  const opening = activated === null ? undefined : beginOpening(activated);
  return {
    source: {
      kind: "fallback",
      address,
      ...foreignReason !== undefined && { foreignReason },
    },
    async release() {
      opening?.end();
      await listenersClosed();
    },
    opened: (notifies) => opening?.succeed(notifies),
  };
}

/**
 * Checks that a source is one socket, for functions that can't merge several.
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

/** Returns the reason if the variables are meant for another process. */
function foreignReason(): string | undefined {
  const { kind, message } = inactiveReason()!;
  return kind === "foreign" ? message : undefined;
}

function bindWhileActivated(
  activated: Activation,
  action: string,
): ActivationError {
  return new ActivationError(
    "bind-while-activated",
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
