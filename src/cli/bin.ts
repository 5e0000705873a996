/**
 * The command as npm's `bin`.
 *
 * @module
 */

import "./mod.ts";
