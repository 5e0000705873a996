/**
 * `Deno.serve`, `Deno.listen` and `Deno.listenTls` of an unmodified program on
 * inherited sockets.
 *
 * @module
 */

import { createListeners } from "../runtime/adoption/create_listeners.ts";
import type { ListenerFactory } from "../runtime/adoption/listener_factory.ts";
import { announceServer } from "../runtime/deno/announce.ts";
import { denoFunctions } from "../runtime/deno/functions.ts";
import {
  createDenoListener,
  createTlsListener,
  mergeDenoListeners,
} from "../runtime/deno/listeners.ts";
import {
  readServeAddress,
  removeServeAddress,
} from "../runtime/deno/serve_address.ts";
import { type DenoServeOptions, DenoServer } from "../runtime/deno/server.ts";
import {
  type AskedAddress,
  askedPath,
  askedPort,
  describeCall,
} from "./asked_address.ts";
import { drainListener } from "./drained_listener.ts";
import {
  AddressInUseError,
  type CreateServer,
  type HandedSockets,
} from "./handed_sockets.ts";
import type { ProgramSignals } from "./program_signals.ts";

type Handler = Deno.ServeHandler<Deno.Addr>;
type DenoOptions = DenoServeOptions & Record<string, unknown>;
type OnListen = (addr: Deno.Addr) => void;

/** The port of `Deno.serve` without an option. */
const DENO_PORT = 8000;

/** Replaces the functions. */
export function preloadDeno(
  handed: HandedSockets,
  signals: ProgramSignals,
): void {
  const own = denoFunctions();
  const { addSignalListener, removeSignalListener } = Deno;
  const calls = new DenoCalls(handed);
  const replacements = {
    serve: (...args: unknown[]) =>
      calls.serve(args) ?? Reflect.apply(own.serve, Deno, args),
    listen: (options: DenoOptions) =>
      calls.listen(options) ?? Reflect.apply(own.listen, Deno, [options]),
    listenTls: (options: DenoOptions) =>
      calls.listenTls(options) ?? Reflect.apply(own.listenTls, Deno, [options]),
    addSignalListener: (signal: Deno.Signal, listener: () => void) => {
      if (!signals.defer(signal, listener)) addSignalListener(signal, listener);
    },
    removeSignalListener: (signal: Deno.Signal, listener: () => void) => {
      if (!signals.undefer(signal, listener)) {
        removeSignalListener(signal, listener);
      }
    },
  };
  for (const [name, value] of Object.entries(replacements)) {
    Object.defineProperty(Deno, name, {
      configurable: true,
      enumerable: true,
      writable: true,
      value,
    });
  }
}

/** Returns Deno's own function that adds a listener for a signal, on Deno. */
export function signalAdder():
  | ((signal: string, listener: () => void) => void)
  | undefined {
  const { Deno } = globalThis as {
    Deno?: { addSignalListener(signal: string, listener: () => void): void };
  };
  return Deno?.addSignalListener;
}

/** The calls that take sockets; `undefined` for those that bind an address. */
class DenoCalls {
  readonly #handed: HandedSockets;
  /** Where Deno moves the first server to. */
  #serveAddress: string | undefined = readServeAddress();

  constructor(handed: HandedSockets) {
    this.#handed = handed;
  }

  serve(args: readonly unknown[]): Deno.HttpServer | undefined {
    const { options, handler } = readArguments(args);
    if (handler === undefined) return undefined;
    const moved = parseServeAddress(this.#serveAddress);
    this.#serveAddress = undefined;
    const server = this.#serve({ ...options, ...moved }, options, handler);
    if (moved !== undefined && server !== undefined) removeServeAddress();
    return server;
  }

  #serve(
    address: DenoOptions,
    options: DenoOptions,
    handler: Handler,
  ): Deno.HttpServer | undefined {
    const { platform } = this.#handed;
    const asked = askedOf(address, DENO_PORT);
    return this.#use("Deno.serve", asked, (source, call, onEnd) => {
      const server = DenoServer.create(
        platform,
        source,
        options,
        handler,
        handler,
        call,
      );
      const lifetime = this.#handed.begin(server);
      lifetime.finished.then(onEnd, onEnd);
      const { onListen = addressPrinter(options), signal } = options;
      return announceServer(
        server,
        lifetime,
        options,
        firstCallOnly(onListen as OnListen | null),
        (signal as AbortSignal | null) ?? undefined,
      );
    });
  }

  listen(options: DenoOptions): Deno.Listener | undefined {
    return this.#open(
      "Deno.listen",
      options,
      (bindTo, inherited) =>
        createDenoListener(denoFunctions(), bindTo, inherited, options),
    );
  }

  listenTls(options: DenoOptions): Deno.TlsListener | undefined {
    return this.#open(
      "Deno.listenTls",
      options,
      (bindTo, inherited) =>
        createTlsListener(denoFunctions(), bindTo, inherited, options),
    );
  }

  #open<T extends Deno.Listener<Deno.Conn>>(
    name: string,
    options: DenoOptions,
    create: ListenerFactory<T>["create"],
  ): T | undefined {
    const { platform } = this.#handed;
    return this.#use(name, askedOf(options), (source, call, onEnd) => {
      const { listeners, sockets } = createListeners(
        platform,
        source,
        "stream-listener",
        { create, close: (listener: T) => listener.close() },
        call,
      );
      const listener = mergeDenoListeners(listeners);
      const drain = drainListener(this.#handed, listener, sockets);
      const { close } = listener;
      const closeAll = () => {
        drain();
        close.call(listener);
        onEnd();
      };
      return Object.assign(listener, {
        close: closeAll,
        [Symbol.dispose]: closeAll,
      });
    });
  }

  /** Takes the sockets that a call gets, and reports errors as Deno does. */
  #use<T>(
    name: string,
    asked: AskedAddress | undefined,
    create: CreateServer<T>,
  ): T | undefined {
    if (asked === undefined) return undefined;
    try {
      const call = describeCall(name, asked, "path");
      return this.#handed.use(asked, call, create);
    } catch (error) {
      if (!(error instanceof AddressInUseError)) throw error;
      throw new Deno.errors.AddrInUse(error.message);
    }
  }
}

/** Prints what `Deno.serve` does without `onListen`. */
function addressPrinter({ cert }: DenoOptions): OnListen {
  return (addr) => {
    if (!("hostname" in addr)) {
      console.error(`Listening on ${(addr as Deno.UnixAddr).path}`);
      return;
    }
    const { hostname, port } = addr;
    const show = (host: string) =>
      `${
        (cert ?? undefined) === undefined ? "http" : "https"
      }://${host}:${port}/`;
    const url = show(hostname.includes(":") ? `[${hostname}]` : hostname);
    const isWildcard = hostname === "0.0.0.0" || hostname === "::";
    console.error(
      `Listening on ${url}${isWildcard ? ` (${show("localhost")})` : ""}`,
    );
  };
}

/** Deno calls `onListen` once, however many sockets a name has. */
function firstCallOnly(onListen: OnListen | null): OnListen | null {
  if (onListen === null) return null;
  let hasBegun = false;
  return function (this: unknown, addr) {
    if (hasBegun) return;
    hasBegun = true;
    Reflect.apply(onListen, this, [addr]);
  };
}

/**
 * Reads where Deno moves the first server to; `undefined` if nowhere. With
 * `duplicate,` in front, Deno serves on the program's own address, too.
 */
function parseServeAddress(
  text: string | undefined,
): Record<string, unknown> | undefined {
  const [, tcp, port, path, cid] =
    /^(?:tcp:(.+):(\d+)|unix:(.+)|vsock:(\d+):\d+)$/.exec(text ?? "") ?? [];
  const elsewhere = { path: undefined, cid: undefined, transport: undefined };
  if (tcp !== undefined) return { ...elsewhere, hostname: tcp, port };
  if (path !== undefined) return { ...elsewhere, path };
  return cid === undefined ? undefined : { ...elsewhere, cid };
}

function readArguments(
  [first, second]: readonly unknown[],
): { options: DenoOptions; handler: Handler | undefined } {
  if (typeof first === "function") {
    return { options: {} as DenoOptions, handler: first as Handler };
  }
  const options = Object(first) as DenoOptions;
  const handler = typeof second === "function" ? second : options["handler"];
  return {
    options,
    handler: typeof handler === "function" ? handler as Handler : undefined,
  };
}

/** Returns what a call asks for; `undefined` if nothing fixed. */
function askedOf(
  options: DenoOptions,
  defaultPort?: number,
): AskedAddress | undefined {
  const { path, transport, cid, hostname } = Object(options);
  if (path !== undefined && path !== null) return askedPath(path);
  if (cid !== undefined || (transport ?? "tcp") !== "tcp") return undefined;
  return askedPort(options["port"] ?? defaultPort, hostname);
}
