/**
 * Shutting all servers of the process down when a signal arrives, and ending the
 * process afterwards.
 *
 * @module
 */

import {
  isMainThread,
  processGlobal,
  signalNumber,
} from "../runtime/builtin.ts";
import type { Platform } from "../runtime/platform.ts";
import { callLater } from "../runtime/timers.ts";
import { announceProcessEnd } from "./process_end.ts";
import { shutdownTimes } from "./times.ts";

/** The servers that shut down on each signal, and the one listener for it. */
const registrations = new Map<string, ReturnType<typeof register>>();

/** The signals that have arrived. */
const arrived = new Set<string>();

/**
 * Shuts a server down when a signal arrives. Does nothing in a worker thread,
 * because no signal reaches one on Node and Bun, and on Deno ending the process
 * there ends only the worker.
 *
 * @returns A function that unregisters the server.
 */
export function shutdownOnSignals(
  platform: Platform,
  signals: readonly string[],
  server: { shutdown(): Promise<void>; readonly timeoutMs: number },
): () => void {
  if (!isMainThread()) return () => {};
  // A server that begins while the others shut down would keep the process.
  if (signals.some((signal) => arrived.has(signal))) {
    queueMicrotask(() => void server.shutdown());
    return () => {};
  }
  for (const signal of signals) {
    const registration = registrations.get(signal) ??
      register(platform, signal);
    registration.servers.add(server);
  }
  return () => unregister(server);
}

/** No signal concerns the server any more. */
function unregister(server: Parameters<typeof shutdownOnSignals>[2]): void {
  for (const [signal, { platform, servers, listener }] of registrations) {
    if (!servers.delete(server) || servers.size > 0) continue;
    registrations.delete(signal);
    platform.removeSignalListener(signal, listener);
  }
}

function register(platform: Platform, signal: string) {
  // Count before adding the listener, which isn't one of the program.
  const earlierCount = platform.countSignalListeners(signal);
  const listener = (): void => onSignal(platform, signal, registration);
  // First of all listeners, so that a listener of the program that is called once
  // is still there when they are counted.
  platform.addSignalListener(signal, listener);
  const registration = {
    platform,
    servers: new Set<Parameters<typeof shutdownOnSignals>[2]>(),
    listener,
    /** Number of listeners that the runtime counts for this one. */
    listenerCount: platform.countSignalListeners(signal) - earlierCount,
  };
  registrations.set(signal, registration);
  return registration;
}

function onSignal(
  platform: Platform,
  signal: string,
  { listener, listenerCount, ...registration }: ReturnType<typeof register>,
): void {
  const servers = [...registration.servers];
  arrived.add(signal);
  const hasOwnListeners = platform.countSignalListeners(signal) > listenerCount;
  registrations.delete(signal);
  // Another of its signals has its usual effect, too.
  for (const each of servers) unregister(each);
  // After all listeners have been called: signal-exit ends the process where its
  // listener is the only one, and Deno calls a listener that is added meanwhile.
  queueMicrotask(() => {
    // A second signal has its usual effect.
    platform.removeSignalListener(signal, listener);
    // The kernel ignores signals without a listener for the process 1 of a
    // container, see pid_namespaces(7).
    if (platform.pid === 1 && !hasOwnListeners) {
      const exit = () => processGlobal()!.exit(128 + signalNumber(signal)!);
      platform.addSignalListener(signal, exit);
    }
  });
  const ended = Promise.allSettled(servers.map((each) => each.shutdown()));
  announceProcessEnd();
  if (hasOwnListeners) {
    // The program's own listeners decide until the longest timeout.
    const timeoutMs = Math.max(...servers.map((each) => each.timeoutMs));
    exitLater(timeoutMs);
    return;
  }
  ended.then(() => exitLater(shutdownTimes.exitMs));
}

/** Ends the process after a time, if something still keeps it then. */
export function exitLater(delayMs: number): void {
  callLater(() => processGlobal()!.exit(0), delayMs);
}
