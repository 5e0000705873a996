/**
 * From which version on each runtime can use inherited descriptors, as the tests
 * have found it.
 *
 * @module
 */

import type { UsableKind } from "../core/kinds.ts";

/** The first version of a runtime that can use descriptors of a kind. */
export type Support = { readonly [kind in UsableKind]: string | undefined };

/** The runtimes, by their names in the library's API. */
export type RuntimeName = "deno" | "bun" | "node";

/** Through `node:net` and its relatives, and the neutral entry point. */
export const PORTABLE_SINCE: Readonly<Record<RuntimeName, Support>> = {
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
 * With the servers of the runtime's own: by adoption, but on Node, whose own are
 * those of `node:net`.
 */
export const NATIVE_SINCE: Readonly<Record<RuntimeName, Support>> = {
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
  node: PORTABLE_SINCE.node,
};
