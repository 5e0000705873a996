/**
 * Which connections of an HTTP/1 server have a request in flight or begun, so
 * that a server can stop without losing one.
 *
 * `http.Server.close` would do for a server that listens itself, but it leaves a
 * connection open that was busy when it was called, cuts responses that are
 * still being sent, and doesn't know connections that were passed to the server
 * as events.
 *
 * @module
 */

import type * as http from "node:http";
import type * as net from "node:net";
import { requestHook } from "../http/request_hook.ts";
import { shutdownTimes } from "../../shutdown/times.ts";
import { idleSockets } from "./idle_sockets.ts";

/** Number of `lingerMs` that a peer has which goes on sending. */
const MAX_LINGER_TURNS = 3;

/** A request, and the response that is due. */
export interface Exchange {
  readonly response: http.ServerResponse;
  /** Is called if the client goes before all of the response is sent. */
  onClientGone: (() => void) | undefined;
}

/** A connection, with the exchanges that are due on it. */
interface HttpConnection {
  /** Those that have ended are removed when the list is used. */
  readonly due: Exchange[];
  /** The last response that this library has announced the end with. */
  announced?: http.ServerResponse;
  /** Bytes received up to the end of the last request, if that is known. */
  bytesRequested?: number | undefined;
  /** Whether the client has had time for a first request. */
  isKnown: boolean;
  isEnding: boolean;
}

/** The connections of one server. */
export class HttpConnections {
  readonly #server: net.Server;
  readonly #connections = new Map<net.Socket, HttpConnection>();
  readonly #ended: PromiseWithResolvers<void> = Promise.withResolvers();
  #closesConnections = false;
  #isEnding = false;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Total number of requests received. */
  totalRequests = 0;

  constructor(server: net.Server) {
    this.#server = server;
  }

  /** Tracks a connection until it is closed. */
  add(socket: net.Socket): HttpConnection {
    const known = this.#connections.get(socket);
    if (known !== undefined) return known;
    const connection: HttpConnection = {
      due: [],
      isKnown: !this.#isEnding,
      isEnding: false,
    };
    this.#connections.set(socket, connection);
    socket.once("close", () => {
      this.#connections.delete(socket);
      for (const { response, onClientGone } of connection.due) {
        if (!response.writableFinished) onClientGone?.();
      }
      this.#settle();
    });
    return connection;
  }

  /** Number of open connections. */
  get count(): number {
    return this.#connections.size;
  }

  /**
   * Tracks a request until its response is sent or its connection is closed.
   * Adds no listener before the server begins to close connections.
   *
   * @param isFramed Given by a caller that has asked {@linkcode hasFramedBody}.
   */
  track(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    isFramed: boolean = hasFramedBody(request),
  ): Exchange {
    const { socket } = request;
    const connection = this.add(socket);
    const { due } = connection;
    this.totalRequests++;
    requestHook.call?.();
    // A response has no socket while earlier ones are due. Reading an earlier one
    // takes time, since the processor's cache has lost it.
    if (response.socket === null || this.#closesConnections) removeEnded(due);
    else due.length = 0;
    const exchange: Exchange = { response, onClientGone: undefined };
    due.push(exchange);
    connection.bytesRequested = isFramed ? undefined : socket.bytesRead;
    if (this.#closesConnections) {
      announceClose(connection, response);
      this.#endAfter(response, socket, connection);
    }
    return exchange;
  }

  /** From now on, each response tells its client that the connection ends. */
  closeConnectionsAfterResponses(): void {
    if (this.#closesConnections) return;
    this.#closesConnections = true;
    for (const [socket, connection] of this.#connections) {
      const { due } = connection;
      removeEnded(due);
      for (const { response } of due) {
        this.#endAfter(response, socket, connection);
      }
      // After another response, the client would not read those that follow.
      const last = due.at(-1);
      if (last !== undefined) announceClose(connection, last.response);
    }
  }

  /** Ends a connection after the last response that is due on it. */
  #endAfter(
    response: http.ServerResponse,
    socket: net.Socket,
    connection: HttpConnection,
  ): void {
    let isLast = false;
    // Read late, because the program may set another header meanwhile.
    response.once("finish", () => isLast = isCloseAnnounced(response));
    response.once("close", () => {
      const { due } = connection;
      const index = due.findIndex((exchange) => exchange.response === response);
      if (index !== -1) due.splice(index, 1);
      connection.bytesRequested ??= socket.bytesRead;
      if (due.length > 0) return;
      if (isLast) this.#end(socket);
      else if (this.#isEnding) this.#endIdle();
    });
  }

  /** Ends each connection after the responses that are due on it. */
  closeGracefully(): Promise<void> {
    this.closeConnectionsAfterResponses();
    this.#isEnding = true;
    this.#endIdle();
    const { quietTicks, tickMs } = shutdownTimes;
    // Connections also become idle without a response: after a late handshake, or
    // with the end of a body that was answered early.
    this.#timer = setInterval(() => this.#endIdle(), quietTicks * tickMs);
    this.#settle();
    return this.#ended.promise;
  }

  /** Closes all connections at once. */
  destroy(): void {
    this.#isEnding = true;
    clearInterval(this.#timer);
    for (const socket of this.#connections.keys()) socket.destroy();
    this.#settle();
  }

  /**
   * Ends the connections on which nothing is due and no request has begun. One
   * that was upgraded is the program's, which alone knows when it ends.
   */
  #endIdle(): void {
    const idle = idleSockets(this.#server, this.#connections.keys());
    for (const [socket, connection] of this.#connections) {
      const { due, bytesRequested, isKnown, isEnding } = connection;
      connection.isKnown = true;
      if (isEnding || due.length > 0 || !isKnown) continue;
      const { bytesRead } = socket;
      // Deno takes a connection for idle that has received a part of a request.
      const isAnswered = idle.has(socket) &&
        (bytesRequested === undefined || bytesRequested === bytesRead);
      if (bytesRead === 0 || isAnswered) this.#end(socket);
    }
  }

  #end(socket: net.Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.isEnding) return;
    connection.isEnding = true;
    endSoon(socket);
  }

  #settle(): void {
    if (!this.#isEnding || this.#connections.size > 0) return;
    clearInterval(this.#timer);
    this.#ended.resolve();
  }
}

/** Checks for a body (RFC 9112, 6.3), also one of no bytes. */
export function hasFramedBody({ headers }: http.IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined ||
    headers["content-length"] !== undefined;
}

/** Removes the exchanges whose responses are sent or can't be sent any more. */
function removeEnded(due: Exchange[]): void {
  let count = 0;
  for (const exchange of due) {
    const { writableFinished, destroyed } = exchange.response;
    if (writableFinished) continue;
    if (destroyed) exchange.onClientGone?.();
    else due[count++] = exchange;
  }
  due.length = count;
}

/**
 * Tells the client that no request can follow on this connection, and with no
 * earlier response: what was pipelined is answered, too.
 */
function announceClose(
  connection: HttpConnection,
  response: http.ServerResponse,
): void {
  const { announced } = connection;
  if (announced !== undefined && !announced.headersSent) {
    announced.removeHeader("connection");
  }
  if (response.headersSent) return;
  response.setHeader("connection", "close");
  connection.announced = response;
}

function isCloseAnnounced(response: http.ServerResponse): boolean {
  return response.getHeader("connection") === "close";
}

/**
 * Ends our side after all that was written, and the connection a moment later if
 * the peer doesn't.
 */
function endSoon(socket: net.Socket): void {
  if (socket.destroyed) return;
  const linger = () => {
    let { bytesRead } = socket;
    let turns = 0;
    const timer = setInterval(() => {
      turns++;
      if (socket.bytesRead === bytesRead || turns === MAX_LINGER_TURNS) {
        socket.destroy();
      }
      bytesRead = socket.bytesRead;
    }, shutdownTimes.lingerMs);
    socket.once("close", () => clearInterval(timer));
  };
  socket.end();
  if (socket.writableFinished) linger();
  else socket.once("finish", linger);
}
