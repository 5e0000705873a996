/**
 * The command. Importing this module runs it:
 *
 *     deno run -A jsr:@listenfds/listenfds/cli --help
 *
 * @module
 */

import "./main.ts";
