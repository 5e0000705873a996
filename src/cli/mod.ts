/**
 * The command `listenfds`: an activator for development, an inspector, and a
 * writer of units.
 *
 *     deno run -A jsr:@listenfds/listenfds/cli --help
 *
 * As a program it runs; as a module it gives {@linkcode main}, with all that the
 * command reads and writes as an argument.
 *
 * @module
 */

import { start } from "./start.ts";

export { main } from "./main.ts";
export type { Io, Output } from "./shared/verb.ts";

if (import.meta.main) start();
