/**
 * Listeners of `node:net` whose use failed after they listened.
 *
 * @module
 */

import type { Descriptor } from "../core/descriptor.ts";

/**
 * The listener that holds each released descriptor. `node:net` can't let go of a
 * descriptor without closing it, so the listener stays, with the connections
 * that it accepts meanwhile, until the descriptor is claimed again.
 */
export const parkedListeners: WeakMap<Descriptor, { close(): void }> =
  new WeakMap();
