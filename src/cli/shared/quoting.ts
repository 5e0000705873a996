/**
 * Quotes for foreign text in progress messages.
 *
 * @module
 */

import { quote } from "../../core/errors.ts";

/** Returns names and paths as they are, and other text in quotes. */
export function quoteIfNeeded(text: string): string {
  return /^[\w.,:@%+=~/\\-]{1,200}$/.test(text) ? text : quote(text);
}
