/**
 * Servers of a program that is evaluated again in the same process with the same
 * globals, as `bun --hot` does: they go on with the new handlers, as those of
 * `Bun.serve` do. Loaded only in such a process.
 *
 * @module
 */

import type { ListenTarget } from "./core/types.ts";

/** A server that an evaluation of the program has opened. */
interface OpenServer {
  /** The function that opened it. */
  readonly opener: string;
  /** The evaluation that used it last. */
  evaluation: object;
  /** Takes the arguments of the next evaluation; returns what it shall get. */
  readonly reload: (settings: never) => unknown;
}

/** The property of the global object that holds the servers by target. */
const SERVERS: unique symbol = Symbol.for("listenfds.servers.v1") as never;

/** This evaluation: each one evaluates this module, too. */
const EVALUATION = {};

/**
 * Reloads the server that an earlier evaluation of the program has opened.
 *
 * @returns The result of the earlier call; `undefined` if there is none.
 */
export function reloadServer<Settings, Result>(
  opener: string,
  target: ListenTarget,
  settings: Settings,
): { readonly result: Result } | undefined {
  const server = openServers().get(keyOf(target));
  // A second call of one evaluation is a mistake, as without a reload.
  if (server?.opener !== opener || server.evaluation === EVALUATION) {
    return undefined;
  }
  server.evaluation = EVALUATION;
  const reload = server.reload as unknown as (settings: Settings) => Result;
  return { result: reload(settings) };
}

/**
 * Remembers a server for the next evaluation of the program, until it ends.
 *
 * @param reload Takes the arguments of the next evaluation.
 */
export function rememberServer<Settings>(
  opener: string,
  target: ListenTarget,
  finished: Promise<void>,
  reload: (settings: Settings) => unknown,
): void {
  const key = keyOf(target);
  const servers = openServers();
  const server: OpenServer = { opener, evaluation: EVALUATION, reload };
  servers.set(key, server);
  const forget = () => {
    if (servers.get(key) === server) servers.delete(key);
  };
  finished.then(forget, forget);
}

function openServers(): Map<string, OpenServer> {
  const global = globalThis as { [SERVERS]?: Map<string, OpenServer> };
  return global[SERVERS] ??= new Map();
}

/** Returns the same key for a name and for its address. */
function keyOf(target: ListenTarget): string {
  if (typeof target === "string") {
    return target.includes(":") ? target : `systemd:${target}`;
  }
  switch (target.kind) {
    case "systemd":
      return `systemd:${target.name}`;
    case "fd":
      return `fd:${target.fd}`;
    default:
      return JSON.stringify(target);
  }
}
