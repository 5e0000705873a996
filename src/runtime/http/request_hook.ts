/**
 * A function that is called with each request, for the watchdog.
 *
 * @module
 */

/** The function; `undefined` without a watchdog. */
export const requestHook: { call: (() => void) | undefined } = {
  call: undefined,
};
