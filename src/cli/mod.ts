/**
 * The command `listenfds`: a socket activator for development, an inspector of
 * inherited descriptors, and a generator of systemd units.
 *
 *     deno run -A jsr:@listenfds/listenfds/cli --help
 *
 * Run as a program, the module starts the command. Imported, it exports
 * {@linkcode main}, which takes its input and output as an argument.
 *
 * @module
 */

import { start } from "./start.ts";

export { main } from "./main.ts";
export type { Io, Output } from "./shared/verb.ts";

if (import.meta.main) start();
