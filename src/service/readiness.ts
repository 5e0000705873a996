/**
 * The readiness of a service: all inherited sockets are claimed, and served.
 *
 * @module
 */

import type { Activation } from "../core/activation.ts";
import { Descriptor } from "../core/descriptor.ts";
import { quoteAll } from "../core/errors.ts";
import type { DescriptorKind } from "../core/info.ts";
import { currentPlatform } from "../runtime/current.ts";
import { managerState } from "../runtime/manager/state.ts";
import { hasManager } from "../runtime/manager/variables.ts";
import { callLater } from "../runtime/timers.ts";

/** A call that opens a server or listener. */
export interface OpeningCall {
  /** Ends the call. */
  end(): void;
  /**
   * Ends the call, and checks whether the service is ready.
   *
   * @param notifies `false` if the program notifies the service manager itself.
   */
  succeed(notifies?: boolean): void;
}

/** Calls that have claimed what they serve, and don't serve it yet. */
const opening = new Set<OpeningCall>();
/** Whether a call has opened a server or listener. */
let hasOpened = false;

/**
 * Begins to open a server or listener: until the call ends, the service isn't
 * ready.
 *
 * @param activated The activation of this process; `null` where all that it serves
 * is stored by the service manager.
 */
export function beginOpening(activated: Activation | null): OpeningCall {
  const call: OpeningCall = {
    end: () => void opening.delete(call),
    succeed(notifies) {
      opening.delete(call);
      hasOpened = true;
      announceServing(activated, notifies);
    },
  };
  opening.add(call);
  return call;
}

/**
 * The time in which the next call begins, where no passed socket tells the names: a
 * program that opens its servers in turn is ready with the last.
 */
const SETTLE_MS = 100;

/** Whether a service manager wants to be notified; read once. */
let isNotified: boolean | undefined;
/** Whether a socket or FIFO was passed; read before the program closes one. */
let isPassedSockets: boolean | undefined;

/**
 * Notifies the service manager when all sockets are served. Loads nothing where
 * no service manager wants to be notified.
 *
 * @param notifies `false` if the program does that itself.
 */
export function announceServing(
  activated: Activation | null,
  notifies: boolean = true,
): void {
  isNotified ??= hasManager(currentPlatform());
  if (!isNotified) return;
  isPassedSockets ??= findServable(activated?.descriptors ?? []).length > 0;
  if (!notifies) managerState().isAutomatic = false;
  // Later servers of the same turn are opened before the import is done.
  else {
    const delayMs = isPassedSockets ? 0 : SETTLE_MS;
    void import("../shutdown/notifier.ts").then(({ notifyWhenReady }) => {
      const notify = () =>
        notifyWhenReady(currentPlatform(), () => readMissing(activated));
      if (delayMs === 0) notify();
      else callLater(notify, delayMs);
    });
  }
}

/** Kinds that no server or listener takes. */
const UNSERVED_KINDS: readonly DescriptorKind[] = [
  "file",
  "character-device",
  "other",
  "closed",
];

/** Returns those of the descriptors that a server or listener may take. */
function findServable(descriptors: readonly Descriptor[]): Descriptor[] {
  const infos = Descriptor.inspectAll(descriptors);
  return descriptors.filter((_, index) =>
    !UNSERVED_KINDS.includes(infos[index]!.kind)
  );
}

function readMissing(activated: Activation | null): string | undefined {
  const missing = findServable(activated?.unclaimed ?? []);
  if (missing.length > 0) {
    const names = new Set(missing.map(({ name }) => name));
    return `${quoteAll(names)} to be served`;
  }
  // Files alone tell nothing of the service: it is ready with its own sockets.
  const isBeginning = !isPassedSockets && !hasOpened;
  return opening.size > 0 || isBeginning ? undefined : "";
}
