/**
 * Deno's own listeners on a placeholder, with the inherited address in what they
 * report; several of them as one, since a name can have several sockets.
 *
 * @module
 */

import type { Placeholder } from "../../core/types.ts";
import { type Address, formatAddress } from "../../core/address.ts";
import { ActivationError, quote } from "../../core/errors.ts";
import {
  type ReplacedMembers,
  replaceMembers,
} from "../adoption/options_reader.ts";
import { delay } from "../timers.ts";
import { isExhaustion } from "../errors.ts";
import type { DatagramConn, DenoFunctions } from "./functions.ts";

/** Creates a listener of `Deno.listen`. */
export function createDenoListener(
  { listen }: DenoFunctions,
  bindTo: Placeholder,
  inherited: Address | undefined,
  options: object = {},
): Deno.Listener {
  const placed = toDenoOptions(options, bindTo, inherited);
  const listener = listen(placed as Deno.TcpListenOptions) as Deno.Listener;
  return withDenoAddr(withPatience(listener), inherited);
}

/** Creates a listener of `Deno.listenTls`. */
export function createTlsListener(
  { listenTls }: DenoFunctions,
  bindTo: Placeholder,
  inherited: Address | undefined,
  options: object,
): Deno.TlsListener {
  if (bindTo.kind === "unix") {
    throw new ActivationError(
      "unsupported",
      `Listening for TLS on ${
        inherited === undefined
          ? quote(bindTo.path)
          : quote(formatAddress(inherited))
      }: Deno.listenTls has no Unix sockets: set ListenStream= to a port`,
    );
  }
  const placed = toDenoOptions(options, bindTo, inherited);
  const listener = listenTls(
    placed as Deno.ListenTlsOptions & Deno.TlsCertifiedKeyPem,
  );
  return withDenoAddr(withPatience(listener), inherited);
}

/** Creates a socket of `Deno.listenDatagram`. */
export function createDatagramConn(
  listenDatagram: NonNullable<DenoFunctions["listenDatagram"]>,
  bindTo: Placeholder,
  inherited: Address | undefined,
  options: object,
): DatagramConn {
  const placed = toDenoOptions(options, bindTo, inherited);
  const socket = listenDatagram(
    placed as Parameters<typeof listenDatagram>[0],
  );
  if (inherited !== undefined) showAddr(socket, toDenoAddr(inherited, "udp"));
  return socket;
}

/** An address as Deno has it; abstract names begin with a NUL byte there. */
export function toDenoAddr(
  address: Address,
  transport: "tcp" | "udp" = "tcp",
): Deno.Addr {
  switch (address.kind) {
    case "ipv4":
    case "ipv6":
      return { transport, hostname: address.hostname, port: address.port };
    case "unix":
      return { transport: "unix", path: address.path };
    case "unix-abstract":
      return { transport: "unix", path: `\0${address.name}` };
    default:
      return { transport: "unix", path: "" };
  }
}

/** Options of Deno that listen at a placeholder. */
export function toDenoOptions(
  options: object,
  bindTo: Placeholder,
  inherited: Address | undefined,
  replaced: ReplacedMembers = {},
): object {
  const isUnix = bindTo.kind === "unix";
  return replaceMembers(options, {
    hostname: isUnix ? undefined : bindTo.hostname,
    port: isUnix ? undefined : bindTo.port,
    path: isUnix ? bindTo.path : undefined,
    transport: bindTo.kind,
    // Of a socket of a virtual machine, and of another listener beside this.
    cid: undefined,
    tunnel: undefined,
    // Deno ends the process for `true` without --unstable-net.
    ...(inherited !== undefined && { reusePort: undefined }),
    ...replaced,
  });
}

/** Makes a listener report an address. */
export function showAddr(listener: object, addr: Deno.Addr): void {
  Object.defineProperty(listener, "addr", {
    configurable: true,
    enumerable: true,
    writable: true,
    value: addr,
  });
}

/** Interval of accepting again while the process has no free descriptor. */
const EXHAUSTED_MS = 50;

/**
 * Makes `accept()` of a listener wait while the process has no free descriptor:
 * the error of `Deno.listen` would end the loop of a program, and leave a socket
 * that no one accepts on.
 */
function withPatience<T extends Deno.Listener<Deno.Conn>>(listener: T): T {
  const { accept } = listener;
  listener.accept = async () => {
    for (;;) {
      try {
        return await accept.call(listener);
      } catch (error) {
        if (!isExhaustion(error)) throw error;
        await delay(EXHAUSTED_MS);
      }
    }
  };
  return listener;
}

/** Makes a listener and the Unix sockets that it accepts report an address. */
function withDenoAddr<T extends Deno.Listener<Deno.Conn>>(
  listener: T,
  inherited: Address | undefined,
): T {
  if (inherited === undefined) return listener;
  const addr = toDenoAddr(inherited);
  showAddr(listener, addr);
  if (addr.transport !== "unix") return listener;
  const { accept } = listener;
  listener.accept = async () => {
    const connection = await accept.call(listener);
    Object.defineProperty(connection, "localAddr", {
      configurable: true,
      enumerable: true,
      value: addr,
    });
    return connection;
  };
  return listener;
}

/** Returns `ref` and `unref` for all, with the methods as they are now. */
export function refAll(
  all: readonly { ref(): void; unref(): void }[],
): { ref(): void; unref(): void } {
  const own = all.map((each) => ({
    ref: each.ref.bind(each),
    unref: each.unref.bind(each),
  }));
  return {
    ref: () => own.forEach((each) => each.ref()),
    unref: () => own.forEach((each) => each.unref()),
  };
}

/**
 * Makes the first of several listeners stand for all: it accepts the connections
 * of all listeners.
 */
export function mergeDenoListeners<T extends Deno.Listener<Deno.Conn>>(
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
  };
  return Object.assign(first, {
    accept: () => queue.next(),
    close: closeAll,
    [Symbol.dispose]: () => {
      closeAll();
      queue.closeAccepted();
    },
    ...refAll(listeners),
  });
}

/**
 * Connections of several listeners. Each listener is asked for one connection at
 * a time, and only while a call waits. A connection that comes after the last
 * call was answered is kept for the next, also after the listeners are closed.
 */
class AcceptQueue {
  readonly #accepts: readonly (() => Promise<Deno.Conn>)[];
  /** Indexes of the listeners that are asked. */
  readonly #asked = new Set<number>();
  readonly #waiting: PromiseWithResolvers<Deno.Conn>[] = [];
  readonly #accepted: Deno.Conn[] = [];

  constructor(accepts: readonly (() => Promise<Deno.Conn>)[]) {
    this.#accepts = accepts;
  }

  next(): Promise<Deno.Conn> {
    const connection = this.#accepted.shift();
    if (connection !== undefined) return Promise.resolve(connection);
    const waiting = Promise.withResolvers<Deno.Conn>();
    this.#waiting.push(waiting);
    this.#askAll();
    return waiting.promise;
  }

  /** Closes the connections that no call has taken. */
  closeAccepted(): void {
    for (const connection of this.#accepted.splice(0)) connection.close();
  }

  #askAll(): void {
    for (const index of this.#accepts.keys()) {
      if (!this.#asked.has(index)) void this.#ask(index);
    }
  }

  async #ask(index: number): Promise<void> {
    this.#asked.add(index);
    try {
      const connection = await this.#accepts[index]!();
      this.#asked.delete(index);
      const waiting = this.#waiting.shift();
      if (waiting !== undefined) waiting.resolve(connection);
      else this.#accepted.push(connection);
    } catch (error) {
      this.#asked.delete(index);
      // If no call waits, the error occurs again with the next call.
      this.#waiting.shift()?.reject(error);
    }
    if (this.#waiting.length > 0) this.#askAll();
  }
}
