/**
 * Several servers or listeners of Deno's as one: a name can have several
 * sockets.
 *
 * @module
 */

import type { Lifetime } from "../../shutdown/server_lifetime.ts";

/**
 * Makes the first of several servers stand for all: it ends with the last, and
 * what is done to it is done to all.
 *
 * @param servers The servers, at least one.
 * @param lifetime When they end.
 * @returns The first of them.
 */
export function mergeServers(
  servers: readonly Deno.HttpServer[],
  lifetime: Pick<Lifetime, "drain" | "finished">,
): Deno.HttpServer {
  const shutdown = () => lifetime.drain();
  return Object.assign(servers[0]!, {
    finished: lifetime.finished,
    shutdown,
    [Symbol.asyncDispose]: shutdown,
    ...refAll(servers),
  });
}

/** What keeps the process alive, and lets it end. */
interface Refs {
  ref(): void;
  unref(): void;
}

/** The methods of all, before one of them stands for all. */
function refAll(all: readonly Refs[]): Refs {
  const own = all.map((each): Refs => ({
    ref: each.ref.bind(each),
    unref: each.unref.bind(each),
  }));
  return {
    ref: () => own.forEach((each) => each.ref()),
    unref: () => own.forEach((each) => each.unref()),
  };
}

/**
 * Makes the first of several listeners stand for all: it accepts what any of
 * them accepts.
 *
 * @param listeners The listeners, at least one.
 * @returns The first of them.
 */
export function mergeListeners<T extends Deno.Listener<Deno.Conn>>(
  listeners: readonly T[],
): T {
  const [first, ...rest] = listeners as [T, ...T[]];
  if (rest.length === 0) return first;
  const { close } = first;
  const queue = new AcceptQueue([
    first.accept.bind(first),
    ...rest.map((each) => () => each.accept()),
  ]);
  const closeAll = () => {
    close.call(first);
    for (const each of rest) each.close();
    queue.close();
  };
  return Object.assign(first, {
    accept: () => queue.next(),
    close: closeAll,
    [Symbol.dispose]: closeAll,
    ...refAll(listeners),
  });
}

/** How somebody who waits for a connection is answered. */
interface Waiting {
  resolve(connection: Deno.Conn): void;
  reject(error: unknown): void;
}

/**
 * What several listeners accept. Each is asked for one connection at a time, and
 * only while somebody waits; what comes when nobody does any more is kept for
 * the next, or closed with the listeners.
 */
class AcceptQueue {
  readonly #accepts: readonly (() => Promise<Deno.Conn>)[];
  readonly #asked = new Set<number>();
  readonly #waiting: Waiting[] = [];
  readonly #accepted: Deno.Conn[] = [];
  #closed = false;

  constructor(accepts: readonly (() => Promise<Deno.Conn>)[]) {
    this.#accepts = accepts;
  }

  next(): Promise<Deno.Conn> {
    const connection = this.#accepted.shift();
    if (connection !== undefined) return Promise.resolve(connection);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#ask();
    });
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#accepted.splice(0)) connection.close();
  }

  #ask(): void {
    this.#accepts.forEach((accept, at) => {
      if (this.#asked.has(at)) return;
      this.#asked.add(at);
      accept().then(
        (connection) =>
          this.#settle(at, (one) => one.resolve(connection), () => {
            if (this.#closed) connection.close();
            else this.#accepted.push(connection);
          }),
        // An error when nobody waits comes again when somebody does.
        (error) => this.#settle(at, (one) => one.reject(error), () => {}),
      );
    });
  }

  #settle(at: number, give: (one: Waiting) => void, keep: () => void): void {
    this.#asked.delete(at);
    const one = this.#waiting.shift();
    if (one === undefined) keep();
    else give(one);
    if (this.#waiting.length > 0) this.#ask();
  }
}
