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

/** Claimed descriptors for which a call is still opening a server or listener. */
const opening = new Set<Descriptor>();

/** Marks descriptors as claimed, but not served yet. */
export function beginOpening(descriptors: readonly Descriptor[]): void {
  for (const descriptor of descriptors) opening.add(descriptor);
}

/** Ends what {@linkcode beginOpening} has begun, after success or failure. */
export function endOpening(descriptors: readonly Descriptor[]): void {
  for (const descriptor of descriptors) opening.delete(descriptor);
}

/** Whether a service manager wants to be notified; read once. */
let isNotified: boolean | undefined;

/**
 * Notifies the service manager when all sockets are served. Loads nothing where
 * no service manager wants to be notified.
 *
 * @param activated The activation of this process; `null` where all that it serves
 * is stored by the service manager.
 * @param notifies `false` if the program does that itself.
 */
export function announceServing(
  activated: Activation | null,
  notifies: boolean = true,
): void {
  isNotified ??= hasManager(currentPlatform());
  if (!isNotified) return;
  if (!notifies) managerState().isAutomatic = false;
  // Later servers of the same turn are opened before the import is done.
  else {
    void import("../shutdown/notifier.ts").then(({ notifyWhenReady }) => {
      notifyWhenReady(currentPlatform(), () => readMissing(activated));
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

function readMissing(activated: Activation | null): string | undefined {
  const unclaimed = activated?.unclaimed ?? [];
  const infos = Descriptor.inspectAll(unclaimed);
  const missing = unclaimed.filter((_, index) =>
    !UNSERVED_KINDS.includes(infos[index]!.kind)
  );
  if (missing.length > 0) {
    const names = new Set(missing.map(({ name }) => name));
    return `${quoteAll(names)} to be served`;
  }
  return opening.size > 0 ? undefined : "";
}
