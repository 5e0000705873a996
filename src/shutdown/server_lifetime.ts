/**
 * When the servers of a process end: on a signal, when they have been idle for
 * long enough, or when the program says so.
 *
 * @module
 */

import type { DrainSettings } from "./options.ts";
import type { ClosableWebSocket } from "../core/types.ts";
import { builtin, processGlobal } from "../runtime/builtin.ts";
import { drain, type Drainable } from "./drain.ts";
import { isHeld } from "./active_handle.ts";
import { shutdownTimes } from "./times.ts";

/** What matters for draining. */
type Drain = Pick<DrainSettings, "timeout" | "webSockets">;

/** What a server knows itself. */
interface OwnKnowledge {
  readonly webSockets?: Iterable<ClosableWebSocket> | undefined;
  readonly ended?: Promise<unknown> | undefined;
}

/** The life of one server. */
export class Lifetime {
  readonly #server: Drainable;
  readonly #settings: DrainSettings;
  readonly #webSockets: Iterable<ClosableWebSocket>;
  readonly #finish: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #onSignal: () => void;
  #isDraining = false;
  #hasEnded = false;
  #begun = 0;
  #lastActive = performance.now();
  #wasActive = false;

  /**
   * Begins it.
   *
   * @param server The server.
   * @param settings How it is to end.
   * @param own What the server has that the settings don't know: WebSockets, and
   * a promise that settles when the server has ended on its own account.
   */
  constructor(
    server: Drainable,
    settings: DrainSettings,
    { webSockets = [], ended }: OwnKnowledge = {},
  ) {
    this.#server = server;
    this.#settings = settings;
    this.#webSockets = webSockets;
    this.#onSignal = () => void this.drain();
    for (const each of settings.signals) {
      processGlobal()!.on(each, this.#onSignal);
    }
    living.add(this);
    if (this.idleTimeout !== undefined) watchIdleness();
    ended?.then(() => {
      // Draining goes on after that, with what belongs to this life.
      if (!this.#isDraining) this.#end();
    }, (error) => this.#fail(error));
  }

  /** Resolves when the server has ended; rejects if it failed. */
  get finished(): Promise<void> {
    return this.#finish.promise;
  }

  /**
   * Ends the server without losing a request.
   *
   * @param changes What is other than it was said at the start.
   */
  drain(changes: Partial<Drain> = {}): Promise<void> {
    if (!this.#isDraining && !this.#hasEnded) {
      const { timeout = this.#settings.timeout } = changes;
      const { webSockets = this.#settings.webSockets ?? [] } = changes;
      this.#isDraining = true;
      this.#leave();
      draining.add(this);
      const open = [...webSockets, ...this.#webSockets];
      drain(this.#server, timeout, open)
        .then(() => this.#end(), (error) => this.#fail(error));
    }
    return this.finished;
  }

  /** Ends the server at once. */
  close(): void {
    // The numbers of its sockets may mean something else by now.
    if (this.#hasEnded) return;
    this.#leave();
    this.#server.detach();
    this.#server.cut();
    this.#end();
  }

  /** Whether it has begun to drain, and not ended. */
  get isDraining(): boolean {
    return draining.has(this);
  }

  /** After how many milliseconds without a connection it may end. */
  get idleTimeout(): number | undefined {
    // Nobody would start it again where nothing was handed over.
    return this.#server.isInherited ? this.#settings.idleTimeout : undefined;
  }

  /** Looks whether anything is going on; tells for how many milliseconds not. */
  idleFor(): number {
    const { begun } = this.#server;
    const now = performance.now();
    if (begun !== this.#begun || this.#server.connections()?.count !== 0) {
      this.#lastActive = now;
      this.#wasActive = true;
    }
    this.#begun = begun;
    return now - this.#lastActive;
  }

  /** Whether nothing has been going on for as long as it takes to end. */
  isIdle(): boolean {
    const time = this.idleFor();
    const isUnknown = !this.#wasActive && this.#server.isWaiting === undefined;
    // Not at all while something is going on, however short that time is.
    return time > 0 && time >= (this.idleTimeout ?? Infinity) &&
      !(isUnknown && time < shutdownTimes.firstConnectionMs);
  }

  /**
   * Stops accepting, if nothing waits to be accepted.
   *
   * @returns Whether it has.
   */
  detachIfQuiet(): boolean {
    const { attach, isWaiting } = this.#server;
    // What can't be undone is done when all are known to be idle.
    if (attach === undefined) return true;
    this.#server.detach();
    if (!isWaiting!.call(this.#server) && this.idleFor() > 0) return true;
    attach.call(this.#server);
    return false;
  }

  /** Accepts again. */
  attach(): void {
    this.#server.attach?.();
  }

  /** No signal and no idleness concerns it any more. */
  #leave(): void {
    living.delete(this);
    draining.delete(this);
    for (const each of this.#settings.signals) {
      processGlobal()!.off(each, this.#onSignal);
    }
  }

  #end(): void {
    this.#hasEnded = true;
    this.#leave();
    this.#finish.resolve();
  }

  /** The program learns of it as of an error of the runtime's own server. */
  #fail(error: unknown): void {
    this.#hasEnded = true;
    this.#leave();
    this.#finish.reject(error);
  }
}

/** The servers of this process that nothing ends yet. */
const living = new Set<Lifetime>();
/** Those that answer what they have accepted, and end then. */
const draining = new Set<Lifetime>();

let watching = false;

/** Ends the process when all of its servers are idle. */
function watchIdleness(): void {
  if (watching) return;
  watching = true;
  const look = async () => {
    const servers = [...living];
    const timeouts = servers.flatMap((each) => each.idleTimeout ?? []);
    if (timeouts.length === 0) {
      watching = false;
      return;
    }
    // All are looked at, also when the first is busy: each notes the time.
    const idle = servers.filter((each) => each.isIdle());
    const areIdle = idle.length === servers.length && !isUsed();
    if (areIdle && await detachAll(servers)) {
      watching = false;
      await drainAll(servers);
      later(exitUnlessUsed, shutdownTimes.exitMs);
      return;
    }
    const every = Math.min(...timeouts) / 10;
    later(
      look,
      Math.max(
        shutdownTimes.minIdleCheckMs,
        Math.min(every, shutdownTimes.maxIdleCheckMs),
      ),
    );
  };
  later(look, shutdownTimes.minIdleCheckMs);
}

/** Whether something goes on beside the servers that nothing ends yet. */
function isUsed(): boolean {
  return draining.size > 0 || isHeld();
}

/**
 * Ends the process when nothing is going on in it any more. What has begun to
 * serve after its servers had ended is drained, too: their sockets wait for the
 * next process.
 */
async function exitUnlessUsed(): Promise<void> {
  await drainAll([...living]);
  if (living.size > 0 || isUsed()) later(exitUnlessUsed, shutdownTimes.exitMs);
  else processGlobal()!.exit(0);
}

/** Drains servers, of which one that fails has ended, too. */
async function drainAll(servers: readonly Lifetime[]): Promise<void> {
  await Promise.allSettled(servers.map((each) => each.drain()));
}

/** Calls a function later, if the process is still there then. */
function later(call: () => void, milliseconds: number): void {
  // On Deno, the global setTimeout gives a number that has no `unref`.
  builtin("node:timers").setTimeout(call, milliseconds).unref();
}

/** Lets all stop accepting, or none if a connection has come meanwhile. */
async function detachAll(servers: readonly Lifetime[]): Promise<boolean> {
  // What waits in the backlog is accepted in the next turn of the event loop.
  await new Promise((resolve) => builtin("node:timers").setImmediate(resolve));
  // One that has ended meanwhile has nothing to detach from any more, and one
  // that has begun is not known to be idle.
  if (servers.some((each) => !living.has(each))) return false;
  if (living.size > servers.length || isUsed()) return false;
  const detached: Lifetime[] = [];
  for (const each of servers) {
    if (!each.detachIfQuiet() || !each.isIdle()) {
      for (const one of [...detached, each]) one.attach();
      return false;
    }
    detached.push(each);
  }
  return true;
}
