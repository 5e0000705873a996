/**
 * Ending the process when all of its servers are idle: the service manager
 * starts it again with the next connection.
 *
 * @module
 */

import type { GracefulServer } from "../runtime/backend.ts";
import {
  builtin,
  isEvaluatedAgain,
  processGlobal,
} from "../runtime/builtin.ts";
import type { Platform } from "../runtime/platform.ts";
import { hasActiveHandles } from "./active_handle.ts";
import {
  drainingServers,
  runningServers,
  ServerLifetime,
} from "./server_lifetime.ts";
import { callLater } from "../runtime/timers.ts";
import { announceProcessEnd } from "./process_end.ts";
import type { EndSettings } from "./options.ts";
import { shutdownTimes } from "./times.ts";

/** Measures how long a server has been idle. */
class IdleClock {
  readonly timeoutMs: number;
  readonly #lifetime: ServerLifetime;
  #totalRequests = 0;
  #lastActive = performance.now();
  #wasActive = false;

  constructor(lifetime: ServerLifetime, timeoutMs: number) {
    this.#lifetime = lifetime;
    this.timeoutMs = timeoutMs;
  }

  /** Milliseconds since a request or a connection was last seen. */
  idleMs(): number {
    const { server } = this.#lifetime;
    const { totalRequests } = server;
    const now = performance.now();
    if (
      totalRequests !== this.#totalRequests ||
      server.connections()?.count !== 0
    ) {
      this.#lastActive = now;
      this.#wasActive = true;
    }
    this.#totalRequests = totalRequests;
    return now - this.#lastActive;
  }

  /** Whether the server has been idle for its whole time. */
  hasExpired(): boolean {
    const idleMs = this.idleMs();
    const { hasPending } = this.#lifetime.server;
    const mayHaveFirst = !this.#wasActive && hasPending === undefined &&
      idleMs < shutdownTimes.firstConnectionMs;
    // Never with an open connection, even if the time is 0.
    return idleMs > 0 && idleMs >= this.timeoutMs && !mayHaveFirst;
  }

  /** Pauses the server if no connection waits; `false` if it accepts again. */
  pauseIfQuiet(): boolean {
    const { server } = this.#lifetime;
    // A server that can't resume is paused by the drain, when all are idle.
    if (server.resume === undefined) return true;
    server.pause();
    if (!server.hasPending!() && this.idleMs() > 0) return true;
    server.resume();
    return false;
  }
}

const clocks = new WeakMap<ServerLifetime, IdleClock>();

/**
 * Ends the process when its servers are idle, each for its own time. A server
 * without a time keeps the process.
 *
 * @param timeoutMs Time without a connection; `undefined` for no end.
 */
export function watchIdleness(
  lifetime: ServerLifetime,
  timeoutMs: number | undefined,
): void {
  // No manager would start the process again for a socket that it bound itself.
  if (timeoutMs === undefined || !lifetime.server.isInherited) {
    clocks.delete(lifetime);
    return;
  }
  clocks.set(lifetime, new IdleClock(lifetime, timeoutMs));
  if (isWatching) return;
  isWatching = true;
  callLater(checkIdleness, shutdownTimes.minIdleCheckMs);
}

/** Begins the lifetime of a server that may end the process when it is idle. */
export function beginLifetime(
  platform: Platform,
  server: GracefulServer,
  settings: EndSettings,
): ServerLifetime {
  const lifetime = new ServerLifetime(platform, server, settings);
  watchIdleness(lifetime, settings.exitWhenIdleMs);
  return lifetime;
}

let isWatching = false;

async function checkIdleness(): Promise<void> {
  const servers = [...runningServers];
  const known = servers.flatMap((each) => clocks.get(each) ?? []);
  if (known.length === 0) {
    isWatching = false;
    return;
  }
  // Read every clock, also after a busy one, because reading records activity.
  const expired = known.filter((clock) => clock.hasExpired());
  if (
    expired.length === servers.length && !isInUse() && await pauseAll(servers)
  ) {
    isWatching = false;
    const drained = drainAll(servers);
    announceProcessEnd();
    await drained;
    // A process that is evaluated again never ends by itself, and Bun calls no
    // timer any more if the next evaluation finds the descriptors used, and fails.
    if (isEvaluatedAgain()) await exitUnlessInUse();
    else callLater(exitUnlessInUse, shutdownTimes.exitMs);
    return;
  }
  // A tenth of the shortest time.
  const intervalMs = Math.min(...known.map(({ timeoutMs }) => timeoutMs)) / 10;
  const { minIdleCheckMs, maxIdleCheckMs } = shutdownTimes;
  callLater(
    checkIdleness,
    Math.max(minIdleCheckMs, Math.min(intervalMs, maxIdleCheckMs)),
  );
}

/** Whether a draining server or an active handle keeps the process. */
function isInUse(): boolean {
  return drainingServers.size > 0 || hasActiveHandles();
}

/** Pauses all servers, or none if a connection has come meanwhile. */
async function pauseAll(servers: readonly ServerLifetime[]): Promise<boolean> {
  // A connection in the backlog is accepted in the next turn of the event loop.
  await new Promise((resolve) => builtin("node:timers").setImmediate(resolve));
  // The sockets of a server that has ended are closed, and a server that has
  // begun is not known to be idle.
  if (servers.some((each) => !runningServers.has(each))) return false;
  if (runningServers.size > servers.length || isInUse()) return false;
  const paused: ServerLifetime[] = [];
  for (const lifetime of servers) {
    const clock = clocks.get(lifetime)!;
    if (!clock.pauseIfQuiet() || !clock.hasExpired()) {
      for (const each of [...paused, lifetime]) each.server.resume?.();
      return false;
    }
    paused.push(lifetime);
  }
  return true;
}

/**
 * Ends the process when nothing happens in it any more. Servers that have begun
 * since are drained, too: their sockets wait for the next process.
 */
async function exitUnlessInUse(): Promise<void> {
  await drainAll([...runningServers]);
  if (runningServers.size > 0 || isInUse()) {
    callLater(exitUnlessInUse, shutdownTimes.exitMs);
  } else processGlobal()!.exit(0);
}

/** Drains servers; a server that fails has ended, too. */
async function drainAll(servers: readonly ServerLifetime[]): Promise<void> {
  await Promise.allSettled(servers.map((each) => each.shutdown()));
}
