/**
 * `Deno.serve` on all sockets of a name, as one server that drains.
 *
 * @module
 */

import type { Placeholder } from "../../core/types.ts";
import type { Address } from "../../core/address.ts";
import { NativeServer } from "../../shutdown/native_server.ts";
import { Deadline, delay } from "../../shutdown/timers.ts";
import { shutdownTimes } from "../../shutdown/times.ts";
import { createListeners } from "../adoption/create_listeners.ts";
import type { ListenSockets } from "../adoption/listen_sockets.ts";
import { OptionsReader } from "../adoption/options_reader.ts";
import { defaultOnError } from "../http/fetch_handler.ts";
import type { ServerContext } from "../server_context.ts";
import type { ListenSource, Platform } from "../platform.ts";
import { fromDenoAddr } from "./connection.ts";
import { denoFunctions } from "./functions.ts";
import { DenoRequestTracker } from "./request_tracker.ts";
import { refAll, showAddr, toDenoAddr, toDenoOptions } from "./listeners.ts";

/** The options of `Deno.serve` without the address. */
export type DenoServeOptions =
  & Omit<Deno.ServeTcpOptions, keyof Deno.NetAddr | "reusePort" | "tcpBacklog">
  & Partial<Deno.TlsCertifiedKeyPem>;

/** Number of ticks after which new requests no longer delay the end. */
const MAX_ANSWER_TICKS = 500;

/** Time that the end may take; a handler that never answers delays it for ever. */
const END_MS = 1000;

/** Deno's own servers as one. */
export class DenoServer extends NativeServer {
  readonly addresses: readonly (Address | undefined)[];
  /** The servers, in the order of the sockets. */
  readonly servers: readonly [Deno.HttpServer, ...Deno.HttpServer[]];
  /** Settles when one of the servers has ended or failed. */
  readonly ended: Promise<unknown>;
  readonly ref: () => void;
  readonly unref: () => void;
  readonly #socketServers: readonly ReturnType<typeof serveOn>[];
  readonly #tracker: DenoRequestTracker;
  #isEnding = false;

  /**
   * Creates the servers, all or none.
   *
   * @param unixHandler Answers requests on Unix sockets.
   */
  static create(
    platform: Platform,
    source: ListenSource,
    options: DenoServeOptions,
    handler: Deno.ServeHandler<Deno.Addr>,
    unixHandler: Deno.ServeHandler<Deno.Addr>,
    action: string,
    context?: ServerContext,
  ): DenoServer {
    const tracker = new DenoRequestTracker();
    const reader = new OptionsReader(options);
    const onError = (reader.read("onError") ?? defaultOnError) as NonNullable<
      DenoServeOptions["onError"]
    >;
    const tracked = reader.replace({
      onError: (error: unknown) => tracker.track(onError(error)),
    });
    const isTls = (reader.read("cert") ?? undefined) !== undefined;
    const track = isTls ? trackSending : trackHandler;
    const { listeners, sockets } = createListeners(
      platform,
      source,
      "stream-listener",
      {
        create: (bindTo, inherited) =>
          serveOn(
            bindTo,
            inherited,
            tracked,
            track(bindTo.kind === "unix" ? unixHandler : handler, tracker),
          ),
        close: ({ shutdown }) => shutdown(),
      },
      action,
    );
    return new DenoServer(listeners, sockets, tracker, context);
  }

  private constructor(
    socketServers: readonly ReturnType<typeof serveOn>[],
    sockets: ListenSockets,
    tracker: DenoRequestTracker,
    context: ServerContext | undefined,
  ) {
    super(socketServers[0]!.server, sockets, tracker, context);
    this.#tracker = tracker;
    this.#socketServers = socketServers;
    const [first, ...rest] = socketServers.map(({ server }) => server);
    this.servers = [first!, ...rest];
    this.addresses = this.servers.map(({ addr }) => fromDenoAddr(addr));
    this.ended = Promise.all(this.servers.map(({ finished }) => finished));
    const { ref, unref } = refAll(this.servers);
    this.ref = ref;
    this.unref = unref;
  }

  /** Makes each server's own shutdown that of all. */
  merge(stop: () => Promise<void>): void {
    const shutdown = () => stop();
    for (const server of this.servers) {
      Object.assign(server, { shutdown, [Symbol.asyncDispose]: shutdown });
    }
  }

  async closeGracefully(): Promise<void> {
    await this.#waitForAnswers();
    if (this.#isEnding) return;
    this.#isEnding = true;
    await Promise.all(this.#socketServers.map(({ shutdown }) => shutdown()));
    await this.connectionsClosed();
  }

  /**
   * Waits until all requests are answered, those of which a part has come, too,
   * and until long responses are sent. After `shutdown()` nothing can be aborted, so that a handler that never
   * answers would keep the process; and it cancels the open streams of HTTP/2.
   * But it alone tells clients of HTTP/2 to stop (GOAWAY), so it is called after
   * a while although requests still come.
   */
  async #waitForAnswers(): Promise<void> {
    const { totalRequests } = this;
    for (let tick = 0; this.#isBusy(); tick++) {
      if (tick >= MAX_ANSWER_TICKS && this.totalRequests !== totalRequests) {
        return;
      }
      await delay(shutdownTimes.tickMs);
      if (this.#isEnding) return;
    }
  }

  #isBusy(): boolean {
    if (this.tracker.pending > 0) return true;
    if (this.traffic === undefined) return false;
    this.traffic.update();
    const { hasFirstBytes, hasNewBytes, isSending } = this.traffic;
    return hasFirstBytes || isSending ||
      (hasNewBytes && !this.#tracker.hasHttp2);
  }

  closeAllConnections(): void {
    this.isCut = true;
    if (!this.#isEnding) {
      this.#isEnding = true;
      for (const { abort } of this.#socketServers) abort();
    }
    this.sockets.endConnections();
    // A server that could not be ended must not keep the process.
    for (const server of this.servers) server.unref();
  }

  /** Deno removes the path of a fallback before it reports the end. */
  async closed(): Promise<void> {
    const limit = new Deadline(END_MS);
    await Promise.race([this.ended.catch(() => {}), limit.reached]);
    limit.cancel();
  }
}

/** Creates a server of `Deno.serve`, which prints nothing. */
function serveOn(
  bindTo: Placeholder,
  inherited: Address | undefined,
  options: object,
  handler: Deno.ServeHandler<Deno.Addr>,
) {
  const controller = new AbortController();
  const isUnix = inherited !== undefined && bindTo.kind === "unix";
  const placed = toDenoOptions(options, bindTo, inherited, {
    signal: controller.signal,
    onListen() {},
  });
  const server = denoFunctions().serve(
    placed as Deno.ServeTcpOptions,
    isUnix ? withPath(handler, inherited) : handler,
  );
  if (inherited !== undefined) showAddr(server, toDenoAddr(inherited));
  return {
    server: server as Deno.HttpServer,
    /** The graceful shutdown of `Deno.serve`, not yet replaced. */
    shutdown: server.shutdown.bind(server),
    /** Ends the server at once; Deno throws after `shutdown()`. */
    abort: () => controller.abort(),
  };
}

/** Deno reports the path of a Unix listener as the address of its clients. */
function withPath(
  handler: Deno.ServeHandler<Deno.Addr>,
  inherited: Address,
): Deno.ServeHandler<Deno.Addr> {
  const remoteAddr = toDenoAddr(inherited);
  return (request, info) =>
    handler(request, { remoteAddr, completed: info.completed });
}

/**
 * Tracks the requests of a handler. The result has as many parameters as the
 * handler, because Deno creates no more than these, and is faster with fewer.
 */
function trackHandler(
  handler: Deno.ServeHandler<Deno.Addr>,
  tracker: DenoRequestTracker,
): Deno.ServeHandler<Deno.Addr> {
  const call = handler as (
    ...args: unknown[]
  ) => Response | Promise<Response>;
  switch (call.length) {
    case 0:
      return () => {
        tracker.total++;
        return tracker.track(call());
      };
    case 1:
      return (request) => {
        tracker.begin(request);
        return tracker.track(call(request));
      };
    default:
      return (request, info) => {
        tracker.begin(request);
        return tracker.track(call(request, info));
      };
  }
}

/**
 * Tracks also whether responses are sent, for TLS, where clients may speak
 * HTTP/2: on that, Deno's `shutdown()` cancels responses that are being sent.
 */
function trackSending(
  handler: Deno.ServeHandler<Deno.Addr>,
  tracker: DenoRequestTracker,
): Deno.ServeHandler<Deno.Addr> {
  return (request, info) => {
    tracker.begin(request, true);
    tracker.awaitSent(info.completed);
    return tracker.track(handler(request, info));
  };
}
