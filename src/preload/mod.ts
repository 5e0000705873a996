/**
 * Unmodified programs on inherited sockets: a program that calls `listen(3000)`,
 * `Deno.serve({ port })` or `Bun.serve({ port })` gets the socket of the service
 * manager, restarts without losing a request, and may end when it is idle.
 *
 * Nothing is exported: the runtime loads this before the program. Bare names are
 * looked up from the working directory, which is `/` under systemd, so units name
 * an absolute path: in an npm package, that of `src/preload/mod.js`.
 *
 *     node --import PATH app.js
 *     bun --preload PATH app.js
 *     deno run --preload npm:@listenfds/listenfds/preload app.ts
 *
 * Where the process is not activated, nothing happens. Settings are variables of
 * the environment: `LISTENFDS_MAP`, `LISTENFDS_UNMATCHED`,
 * `LISTENFDS_SHUTDOWN_TIMEOUT`, `LISTENFDS_IDLE_TIMEOUT` and `LISTENFDS_DEBUG`.
 *
 * @module
 */

import { activation, inactiveReason } from "../activation.ts";
import { ActivationError, quote } from "../core/errors.ts";
import { recognizeLauncher } from "../core/launchers/recognize.ts";
import { isMainThread, processGlobal } from "../runtime/builtin.ts";
import { currentPlatform } from "../runtime/current.ts";
import type { Platform } from "../runtime/platform.ts";
import { isOlder } from "../runtime/versions.ts";
import { preloadBun } from "./bun.ts";
import {
  ClusterPrimary,
  sharedDescriptors,
  shareWithWorkers,
} from "./cluster.ts";
import { ClusterWorker } from "./cluster_worker.ts";
import { preloadDeno, signalAdder } from "./deno.ts";
import { type HandedOptions, HandedSockets } from "./handed_sockets.ts";
import { preloadNode } from "./node.ts";
import { ProgramSignals } from "./program_signals.ts";
import { type PreloadSettings, readSettings } from "./settings.ts";

function preload(): void {
  if (!isMainThread()) return;
  const platform = currentPlatform();
  const shared = platform.name === "node" ? sharedDescriptors() : undefined;
  if (shared !== undefined) return preloadWorker(shared);
  const activated = activation();
  if (activated === null) return warnIfForeign();
  requireVersion(platform);
  requireNoLauncher(processGlobal()!.argv);
  const settings = readPreloadSettings();
  const libc = platform.libc();
  const handed = handOver(settings, {
    descriptors: activated.descriptors,
    claim: (fd, call) =>
      Reflect.apply(activated.claimFd, activated, [fd, call]),
    duplicate: libc && ((fd) => libc.duplicate(fd)),
  });
  const primary = new ClusterPrimary(settings.end.timeoutMs);
  const addToDeno = signalAdder();
  const signals = new ProgramSignals(settings.end.timeoutMs, {
    beside: () => primary.shutdown(),
    after: () => handed.end(),
    ...addToDeno && { addToDeno },
  });
  if (platform.name === "node") shareWithWorkers(handed);
  if (platform.name === "bun") preloadBun(handed);
  else preloadNode(handed, signals, primary);
  if (platform.name === "deno") preloadDeno(handed, signals);
}

/**
 * Says that the descriptors are meant for another process: the program binds its
 * addresses, and no process answers on the sockets.
 */
function warnIfForeign(): void {
  const { kind, message } = inactiveReason()!;
  if (kind === "foreign") console.error(`listenfds: ${message}`);
}

/** Before this version, Deno ends before deferred listeners are called. */
const DENO_VERSION = "2.7";

function requireVersion({ name, title, version }: Platform): void {
  if (name !== "deno" || !isOlder(version, DENO_VERSION)) return;
  throw new ActivationError(
    "unsupported",
    `Loading the preload: ${title} ${version} can't run it: use ${title} ` +
      `${DENO_VERSION} or later`,
  );
}

/** Checks that this process is the program, not one that starts it. */
function requireNoLauncher(argv: readonly string[]): void {
  const launcher = recognizeLauncher(argv);
  if (launcher === undefined || launcher.condition !== undefined) return;
  throw new ActivationError(
    "not-activated",
    `Loading the preload: ${
      quote(launcher.name)
    } starts another process, for ` +
      `which the descriptors are not meant: ${launcher.advice}`,
  );
}

/** Prepares a worker of `node:cluster`, whose primary was activated. */
function preloadWorker(descriptors: HandedOptions["descriptors"]): void {
  const settings = readPreloadSettings();
  const handed = handOver(settings, {
    descriptors,
    claim() {},
    duplicate: undefined,
  });
  const worker = new ClusterWorker(() => signals.stop());
  const signals: ProgramSignals = new ProgramSignals(settings.end.timeoutMs, {
    before: () => worker.primaryStopped(),
    after: () => {
      handed.end();
      worker.release();
    },
  });
  preloadNode(handed, signals, worker);
}

function readPreloadSettings(): PreloadSettings {
  const { env } = processGlobal()!;
  return readSettings((name) => env[name]);
}

function handOver(
  settings: PreloadSettings,
  options: Pick<HandedOptions, "descriptors" | "claim" | "duplicate">,
): HandedSockets {
  return new HandedSockets({
    ...options,
    platform: currentPlatform(),
    settings,
    fail(message) {
      console.error(message);
      return processGlobal()!.exit(1);
    },
  });
}

preload();
