/**
 * Version of the package for `--version`; a test compares it with `deno.json`.
 *
 * @module
 */

/** Version of the package. */
export const VERSION = "0.1.0";
