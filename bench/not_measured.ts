/**
 * What a benchmark throws where something that it needs is not installed.
 *
 * @module
 */

/** Nothing could be measured; the message says what to install. */
export class NotMeasured extends Error {}
