/**
 * `Deno.serve` on all sockets of a name, as one server that drains.
 *
 * @module
 */

import type { Placeholder } from "../../core/types.ts";
import type { Address } from "../../core/address.ts";
import { MIN_LOOKS } from "../../linux/tcp_traffic.ts";
import { NativeServer } from "../../shutdown/native_server.ts";
import { delay, waitAtMost } from "../timers.ts";
import { shutdownTimes } from "../../shutdown/times.ts";
import {
  createListeners,
  replaceListener,
} from "../adoption/create_listeners.ts";
import type { ListenerFactory } from "../adoption/listener_factory.ts";
import type { ListenSockets } from "../adoption/listen_sockets.ts";
import { OptionsReader } from "../adoption/options_reader.ts";
import { defaultOnError } from "../http/fetch_handler.ts";
import { isExhaustion } from "../errors.ts";
import { repeatCheck } from "../repeat.ts";
import type { ServerContext } from "../server_context.ts";
import type { ListenSource, Platform } from "../platform.ts";
import { fromDenoAddr } from "./connection.ts";
import { denoFunctions } from "./functions.ts";
import { showAddr, toDenoAddr, toDenoOptions } from "./listeners.ts";
import { withoutServeAddress } from "./serve_address.ts";
import {
  DenoRequestTracker,
  trackHandler,
  trackSending,
} from "./request_tracker.ts";

/** The options of `Deno.serve` without the address. */
export type DenoServeOptions =
  & Omit<Deno.ServeTcpOptions, keyof Deno.NetAddr | "reusePort" | "tcpBacklog">
  & Partial<Deno.TlsCertifiedKeyPem>;

/** Number of ticks after which new requests no longer delay the end. */
const MAX_ANSWER_TICKS = 500;

/**
 * Time that the end may take; a handler that never answers delays it without end.
 */
const END_MS = 1000;

/** Interval of replacing a server again, while descriptors are missing. */
const REPLACE_MS = 50;

/** Replacements that may fail for another reason than missing descriptors. */
const MAX_FAILURES = 20;

/** Deno's own servers as one. */
export class DenoServer extends NativeServer {
  readonly addresses: readonly (Address | undefined)[];
  /** The first server of each socket, in the order of the sockets. */
  readonly servers: readonly [Deno.HttpServer, ...Deno.HttpServer[]];
  readonly #tracker: DenoRequestTracker;
  /** The server that accepts on each socket. */
  readonly #current: SocketServer[];
  /** Servers that have lost their listener, and have open connections. */
  readonly #former: Set<SocketServer> = new Set();
  readonly #replace: ((index: number) => SocketServer) | undefined;
  readonly #end: PromiseWithResolvers<void> = Promise.withResolvers();
  #openCount: number;
  #failureCount = 0;
  /** Keeps the process while a socket has no listener. */
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #isReferenced = true;
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
    const factory: ListenerFactory<SocketServer> = {
      create: (bindTo, inherited) =>
        serveOn(
          bindTo,
          inherited,
          tracked,
          track(bindTo.kind === "unix" ? unixHandler : handler, tracker),
        ),
      close: ({ shutdown }) => shutdown(),
      losesSockets: true,
    };
    const { listeners, sockets } = createListeners(
      platform,
      source,
      "stream-listener",
      factory,
      action,
    );
    const replace = sockets.areKept
      ? (index: number) =>
        replaceListener(platform, sockets, index, factory, action)
      : undefined;
    return new DenoServer(listeners, sockets, tracker, context, replace);
  }

  private constructor(
    socketServers: readonly SocketServer[],
    sockets: ListenSockets,
    tracker: DenoRequestTracker,
    context: ServerContext | undefined,
    replace: ((index: number) => SocketServer) | undefined,
  ) {
    super(socketServers[0]!.server, sockets, tracker, context);
    this.#tracker = tracker;
    this.#current = [...socketServers];
    this.#openCount = socketServers.length;
    this.#replace = replace;
    const [first, ...rest] = socketServers.map(({ server }) => server);
    this.servers = [first!, ...rest];
    this.addresses = this.servers.map(({ addr }) => fromDenoAddr(addr));
    for (const each of socketServers) this.#watch(each);
    if (replace === undefined) return;
    // Deno.serve() closes its listener when accept(2) fails, and reports that
    // only after its last connection has ended.
    repeatCheck(() => this.#isEnding ? undefined : this.#replaceLost());
  }

  /** Settles when all servers have ended, or one has failed. */
  get ended(): Promise<unknown> {
    return this.#end.promise;
  }

  ref(): void {
    this.#isReferenced = true;
    for (const { ref } of this.#all()) ref();
    if (this.#replace !== undefined) this.#replaceLost();
  }

  unref(): void {
    this.#isReferenced = false;
    clearTimeout(this.#retryTimer);
    for (const { unref } of this.#all()) unref();
  }

  #all(): SocketServer[] {
    return [...this.#current, ...this.#former];
  }

  #watch(socketServer: SocketServer): void {
    socketServer.server.finished.then(() => {
      if (--this.#openCount === 0) this.#end.resolve();
    }, (error) => {
      socketServer.hasFailed = true;
      // A former server has been replaced, and had an error to end with.
      if (this.#former.delete(socketServer) || this.#isEnding) return;
      if (this.#replace === undefined) this.#end.reject(error);
      else this.#replaceLost();
    });
  }

  /**
   * Replaces servers whose listener Deno has closed.
   *
   * @returns Whether one was replaced.
   */
  #replaceLost(): boolean {
    clearTimeout(this.#retryTimer);
    let hasReplaced = false;
    for (const index of this.#isEnding ? [] : this.sockets.lostIndexes()) {
      try {
        const created = this.#replace!(index);
        const former = this.#current[index]!;
        if (!former.hasFailed) this.#former.add(former);
        this.#current[index] = created;
        if (!this.#isReferenced) created.unref();
        this.#watch(created);
        this.#failureCount = 0;
        hasReplaced = true;
      } catch (error) {
        this.#retryOrFail(error);
      }
    }
    return hasReplaced;
  }

  /** Ends the server with an error that will not pass. */
  #retryOrFail(error: unknown): void {
    if (!isExhaustion(error) && ++this.#failureCount >= MAX_FAILURES) {
      this.#end.reject(error);
      this.closeAllConnections();
    } else if (this.#isReferenced) {
      this.#retryTimer = setTimeout(() => this.#replaceLost(), REPLACE_MS);
    }
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
    this.sockets.release();
    // Rejects for a server that has lost its listener.
    await Promise.allSettled(this.#all().map(({ shutdown }) => shutdown()));
    await this.connectionsClosed();
  }

  /**
   * Waits until all requests are answered, those of which a part has come, too,
   * and until long responses are sent. After `shutdown()` nothing can be aborted,
   * so that a handler that never answers would keep the process; and it cancels
   * the open streams of HTTP/2.
   * But it alone tells clients of HTTP/2 to stop (GOAWAY), so it is called after
   * a while although requests still come.
   */
  async #waitForAnswers(): Promise<void> {
    const { totalRequests } = this;
    // One look isn't enough where clients are: it may come between the answers of
    // two pipelined requests, when nothing is pending.
    let quietTicks = this.sockets.mayHaveConnections() ? 0 : MIN_LOOKS;
    for (let tick = 0;; tick++) {
      quietTicks = this.#isBusy() ? 0 : quietTicks + 1;
      if (quietTicks > MIN_LOOKS) return;
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
    const { traffic } = this;
    return traffic.hasFirstBytes ||
      (this.#tracker.hasHttp2
        ? traffic.hasSentLately
        : traffic.isSending || traffic.hasNewBytes);
  }

  closeAllConnections(): void {
    this.isCut = true;
    if (!this.#isEnding) {
      this.#isEnding = true;
      this.sockets.release();
      for (const { abort } of this.#all()) abort();
    }
    this.sockets.endConnections();
    // A server that could not be ended must not keep the process.
    this.unref();
  }

  /** Deno removes the path of a fallback before it reports the end. */
  async closed(): Promise<void> {
    await waitAtMost(END_MS, this.ended.catch(() => {}));
  }
}

/** A server of `Deno.serve`, with its own methods, which a program may replace. */
interface SocketServer {
  readonly server: Deno.HttpServer;
  /** The graceful shutdown of `Deno.serve`. */
  readonly shutdown: () => Promise<void>;
  /** Ends the server at once; Deno throws after `shutdown()`. */
  readonly abort: () => void;
  readonly ref: () => void;
  readonly unref: () => void;
  /** Whether `finished` has rejected. */
  hasFailed: boolean;
}

/** Creates a server of `Deno.serve`, which prints nothing. */
function serveOn(
  bindTo: Placeholder,
  inherited: Address | undefined,
  options: object,
  handler: Deno.ServeHandler<Deno.Addr>,
): SocketServer {
  const controller = new AbortController();
  const isUnix = inherited !== undefined && bindTo.kind === "unix";
  const placed = toDenoOptions(options, bindTo, inherited, {
    signal: controller.signal,
    onListen() {},
  });
  const serve = () =>
    denoFunctions().serve(
      placed as Deno.ServeTcpOptions,
      isUnix ? withPath(handler, inherited) : handler,
    );
  const server = inherited === undefined ? serve() : withoutServeAddress(serve);
  if (inherited !== undefined) showAddr(server, toDenoAddr(inherited));
  return {
    server: server as Deno.HttpServer,
    shutdown: server.shutdown.bind(server),
    abort: () => controller.abort(),
    ref: server.ref.bind(server),
    unref: server.unref.bind(server),
    hasFailed: false,
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
