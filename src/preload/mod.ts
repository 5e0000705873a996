/**
 * Unmodified programs on inherited sockets: a program that calls `listen(3000)`,
 * `Deno.serve({ port })` or `Bun.serve({ port })` gets the socket of the service
 * manager, restarts without losing a request, and may end when it is idle.
 *
 * Nothing is exported: the runtime loads this before the program. Bare names are
 * looked up from the working directory, which is `/` under systemd, so units name
 * an absolute path.
 *
 *     node --import /opt/app/node_modules/@listenfds/listenfds/preload.js app.js
 *     bun --preload /opt/app/node_modules/@listenfds/listenfds/preload.js app.js
 *     deno run --preload npm:@listenfds/listenfds/preload app.ts
 *
 * Where the process is not activated, nothing happens. Settings are variables of
 * the environment: `LISTENFDS_MAP`, `LISTENFDS_UNMATCHED`,
 * `LISTENFDS_SHUTDOWN_TIMEOUT`, `LISTENFDS_IDLE_TIMEOUT` and `LISTENFDS_DEBUG`.
 *
 * @module
 */

import { activation } from "../activation.ts";
import { isMainThread, processGlobal } from "../runtime/builtin.ts";
import { currentPlatform } from "../runtime/current.ts";
import { preloadBun } from "./bun.ts";
import { preloadDeno } from "./deno.ts";
import { HandedSockets } from "./handed_sockets.ts";
import { preloadNode } from "./node.ts";
import { ProgramSignals } from "./program_signals.ts";
import { readSettings } from "./settings.ts";

preload();

function preload(): void {
  if (!isMainThread()) return;
  const activated = activation();
  if (activated === null) return;
  const process = processGlobal()!;
  const settings = readSettings((name) => process.env[name]);
  const platform = currentPlatform();
  const handed = new HandedSockets(platform, activated, settings, (message) => {
    console.error(message);
    return process.exit(1);
  });
  const signals = new ProgramSignals(
    settings.end.timeoutMs,
    () => Promise.resolve(),
  );
  if (platform.name === "bun") preloadBun(platform, handed, settings);
  else preloadNode(platform, handed, settings);
  if (platform.name === "deno") {
    preloadDeno(platform, handed, settings, signals);
  }
}
