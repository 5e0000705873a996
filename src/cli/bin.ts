#!/usr/bin/env node
/**
 * The program `listenfds`, for npm's `bin`:
 *
 *     node src/cli/bin.ts run --socket web=127.0.0.1:8080 -- COMMAND ARGS…
 *
 * @module
 */

import { start } from "./start.ts";

start();
