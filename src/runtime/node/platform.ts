/**
 * The platform Node.
 *
 * @module
 */

import { openLibc } from "../../ffi/libc.ts";
import { processGlobal } from "../builtin.ts";
import { inspectorWith, once } from "../descriptors.ts";
import type { Platform } from "../platform.ts";
import { processMembers } from "../process_members.ts";
import { isOlder, PORTABLE_VERSIONS } from "../versions.ts";

/** Creates the platform for Node. */
export function nodePlatform(): Platform {
  const libc = once(openLibc);
  return {
    ...processMembers(libc, inspectorWith(libc)),
    name: "node",
    title: "Node",
    version: processGlobal()!.versions.node!,
    // Up to the first number above 15 that isn't open.
    setsCloseOnExecAtStart: true,
    minimumVersions: PORTABLE_VERSIONS.node,
    adoptionLibc: () => ({
      reason: "Node has nothing to adopt: its own servers take descriptors",
      isDenied: false,
    }),
    httpServerTakesDescriptors: true,
    missingListenPermission: missingNetPermission,
    closesOnListenError: true,
  };
}

/** The first version that has the permission `net`. */
const NET_PERMISSION_VERSION = "25";

/** Node throws on a later tick, where a fallback has a host name. */
function missingNetPermission(): string | undefined {
  const { permission, versions } = processGlobal()!;
  const isDenied = permission !== undefined &&
    !isOlder(versions.node!, NET_PERMISSION_VERSION) && !permission.has("net");
  return isDenied ? "--allow-net" : undefined;
}
