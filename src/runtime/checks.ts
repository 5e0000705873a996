/**
 * Checks before a descriptor is used: this version of the runtime can use it,
 * and it has the right kind.
 *
 * @module
 */

import type { Descriptor } from "../core/descriptor.ts";
import { ActivationError } from "../core/errors.ts";
import type { DescriptorInfo } from "../core/info.ts";
import {
  describeInfo,
  judgeKind,
  type UsableKind,
  wrongKind,
} from "../core/kinds.ts";
import { hasRuntimeOption } from "./builtin.ts";
import { isClosable, isOwnLink } from "./descriptors.ts";
import type { Platform } from "./platform.ts";
import { isOlder } from "./versions.ts";

/**
 * Checks that the portable path can use descriptors. A descriptor of unknown
 * kind passes: the runtime then judges it.
 *
 * @param infos The metadata of each descriptor.
 * @param action The beginning of an error's message, such as `Listening on "web"`.
 * @throws {ActivationError} With the code `unsupported`, `not-open` or
 * `wrong-kind`.
 */
export function requireUsable(
  platform: Platform,
  descriptors: readonly Descriptor[],
  infos: readonly DescriptorInfo[],
  kind: UsableKind,
  action: string,
): void {
  if (descriptors.length === 0) return;
  // First, because an old version may report wrong metadata of a descriptor.
  if (!supportsKind(platform, kind)) {
    throw unsupportedVersion(platform, descriptors[0]!, kind, action);
  }
  requireKind(platform, descriptors, infos, kind, action);
}

/**
 * Checks that descriptors have a kind. A descriptor of unknown kind passes.
 *
 * @throws {ActivationError} With the code `not-open` or `wrong-kind`.
 */
export function requireKind(
  platform: Platform,
  descriptors: readonly Descriptor[],
  infos: readonly DescriptorInfo[],
  kind: UsableKind,
  action: string,
): void {
  for (const [index, descriptor] of descriptors.entries()) {
    const info = infos[index]!;
    const error = judgeKind(descriptor, info, [kind], action);
    if (error !== undefined) throw error;
    if (info.kind === "unknown" && platform.wouldRefuse?.(descriptor.fd)) {
      throw wrongKind(descriptor, [kind], "something else", action);
    }
  }
}

/**
 * Checks that descriptors aren't ones that the runtime opened for itself: those
 * get the numbers of descriptors that were counted but not passed.
 *
 * @throws {ActivationError} With the code `not-open`.
 */
export function requirePassed(
  { title }: Platform,
  descriptors: readonly Descriptor[],
  infos: readonly DescriptorInfo[],
  action: string,
): void {
  // `bun --watch` executes Bun again in the same process, without descriptors.
  const isWatched = hasRuntimeOption("--watch");
  for (const [index, descriptor] of descriptors.entries()) {
    const info = infos[index]!;
    // A service can store pipes and event descriptors in systemd's FD store.
    const isOwn = isWatched
      ? !isClosable(info)
      : info.kind === "other" && descriptor.name !== "stored" &&
        isOwnLink(info.link);
    if (!isOwn || info.kind === "unknown") continue;
    throw new ActivationError(
      "not-open",
      `${action}: ${descriptor} was not passed: ` +
        (isWatched
          ? `${title} closed it when it started the program again: leave ` +
            `--watch out, and let "listenfds run --watch" restart the program ` +
            `when files change`
          : `${title} opened ${describeInfo(info)} for itself: let the ` +
            `service manager alone set LISTEN_FDS, and start this process ` +
            `itself`),
    );
  }
}

/** Whether this version can use descriptors of a kind by the portable path. */
export function supportsKind(platform: Platform, kind: UsableKind): boolean {
  const minimum = platform.minimumVersions[kind];
  return minimum !== undefined && !isOlder(platform.version, minimum);
}

function unsupportedVersion(
  { title, version, minimumVersions }: Platform,
  descriptor: Descriptor,
  kind: UsableKind,
  action: string,
): ActivationError {
  const minimum = minimumVersions[kind];
  const use = {
    "stream-listener": "listen on",
    "stream-connection": "use a connection from",
    "datagram": "receive datagrams on",
  }[kind];
  return new ActivationError(
    "unsupported",
    `${action}: ${title} ${version} can't ${use} an inherited descriptor, here ` +
      `${descriptor}: ` +
      (minimum === undefined
        ? `use Node, or Bun 1.4 or later`
        : `use ${title} ${minimum} or later`),
  );
}
