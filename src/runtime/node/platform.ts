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
import { PORTABLE_VERSIONS } from "../versions.ts";

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
  };
}
