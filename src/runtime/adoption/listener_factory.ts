/**
 * What creates the listeners of a runtime.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import type { Placeholder } from "../../core/types.ts";

/** Creates and closes listeners of the runtime. */
export interface ListenerFactory<T> {
  /**
   * Creates a listener, which accepts nothing before this returns.
   *
   * @param inherited The address of the inherited socket, if `bindTo` is a
   * placeholder.
   */
  create(bindTo: Placeholder, inherited: Address | undefined): T;
  /** Closes a listener at once. */
  close(listener: T): unknown;
  /**
   * Whether the runtime closes a listener when `accept(2)` fails. Then the
   * inherited sockets are kept, for `replaceListener()`.
   */
  readonly losesSockets?: boolean;
}
