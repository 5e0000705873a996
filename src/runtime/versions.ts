/**
 * Minimum versions of each runtime for inherited descriptors, as the tests have
 * measured them.
 *
 * @module
 */

import type { RuntimeName } from "../core/types.ts";
import type { Platform } from "./platform.ts";

/** By the portable path, and by `connection()` of the neutral entry point. */
export const PORTABLE_VERSIONS: Readonly<
  Record<RuntimeName, Platform["minimumVersions"]>
> = {
  deno: {
    "stream-listener": "2.8",
    "stream-connection": "2.7",
    "datagram": undefined,
  },
  bun: {
    "stream-listener": "1.4",
    "stream-connection": "1.2",
    "datagram": "1.4",
  },
  node: {
    "stream-listener": "22.0",
    "stream-connection": "22.0",
    "datagram": "22.0",
  },
};

/**
 * With the runtime's own servers: by adoption on Deno and Bun; Node's own are
 * those of `node:net`.
 */
export const NATIVE_VERSIONS: Readonly<
  Record<RuntimeName, Platform["minimumVersions"]>
> = {
  deno: {
    "stream-listener": "2.3",
    "stream-connection": undefined,
    "datagram": "2.3",
  },
  bun: {
    "stream-listener": "1.2",
    "stream-connection": undefined,
    "datagram": "1.2",
  },
  node: PORTABLE_VERSIONS.node,
};

/** For passing descriptors to a process that is started. */
export const ACTIVATOR_VERSIONS: Readonly<Record<RuntimeName, string>> = {
  deno: "2.7",
  bun: "1.2",
  node: "22.0",
};

/** Whether a version is older than a minimum, by their first two numbers. */
export function isOlder(version: string, minimum: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map((part) =>
    parseInt(part, 10)
  );
  const [minimumMajor = 0, minimumMinor = 0] = minimum.split(".").map(Number);
  return major < minimumMajor ||
    (major === minimumMajor && minor < minimumMinor);
}
