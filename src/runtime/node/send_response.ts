/**
 * Sending a `Response` through `node:http`.
 *
 * A body that is there at once, as that of `new Response(text)`, is sent in one
 * piece with its length. Of the libraries, srvx sends it chunked, and
 * `@hono/node-server` waits a turn of the event loop to tell it from a stream.
 *
 * @module
 */

import type * as buffer from "node:buffer";
import type * as http from "node:http";
import type * as stream from "node:stream";
import { builtin } from "../builtin.ts";
import type { Platform } from "../platform.ts";

/**
 * A response that was created cheaply, as `FastResponse` of srvx is: the global
 * `Response` of Node takes as long as a third of a request.
 */
interface FastResponse extends Response {
  /** Returns the parts, with names and values of headers in turn. */
  _toNodeResponse(): {
    readonly status: number;
    readonly statusText: string;
    readonly headers: string[];
    readonly body: unknown;
  };
}

/** Checks for a response that isn't the global `Response`. */
export function isFastResponse(response: Response): response is FastResponse {
  return "_toNodeResponse" in response;
}

/**
 * Sends a response.
 *
 * @param onError Receives an error of the body, or of a header that HTTP/1
 * can't have.
 * @throws {TypeError} If the body is locked, or a header is invalid; then nothing
 * has been sent.
 */
export function sendResponse(
  response: Response,
  outgoing: http.ServerResponse,
  onError: (error: unknown) => void,
  takeStaticBody?: Platform["takeStaticBody"],
): void {
  if (outgoing.destroyed || outgoing.headersSent) {
    outgoing.destroy();
    return cancelUnsent(response);
  }
  if (isFastResponse(response)) return sendFast(response, outgoing, onError);
  const headers: string[] = [];
  // Deno takes four times as long to iterate.
  response.headers.forEach((value, name) => void headers.push(name, value));
  const head = new Head(
    outgoing,
    response.status,
    response.statusText,
    headers,
  );
  const body = outgoing.req.method === "HEAD"
    ? undefined
    : takeStaticBody?.(response);
  if (body === undefined) return sendBody(response.body, head, onError);
  head.setLength(lengthOf(body));
  endInOnePiece(head, body);
}

function sendFast(
  response: FastResponse,
  outgoing: http.ServerResponse,
  onError: (error: unknown) => void,
): void {
  const { status, statusText, headers, body } = response._toNodeResponse();
  const head = new Head(outgoing, status, statusText, headers);
  const isHead = outgoing.req.method === "HEAD";
  if (typeof body === "string" || body instanceof Uint8Array) {
    endInOnePiece(head, isHead ? undefined : body);
  } else if (isReadable(body)) {
    const { Readable } = builtin("node:stream");
    sendBody(Readable.toWeb(body) as ReadableStream, head, onError);
  } else {
    sendBody(body as ReadableStream | null, head, onError);
  }
}

function isReadable(body: unknown): body is stream.Readable {
  return typeof (body as { pipe?: unknown } | undefined)?.pipe === "function";
}

function sendBody(
  body: ReadableStream<Uint8Array> | null,
  head: Head,
  onError: (error: unknown) => void,
): void {
  const { outgoing } = head;
  const isHead = outgoing.req.method === "HEAD";
  if (body === null || body === undefined || isHead) {
    body?.cancel().catch(ignoreRejection);
    if (!isHead) head.setLength(0);
    head.write();
    outgoing.end();
    return;
  }
  new BodySender(body, head, onError).start();
}

function cancelUnsent(response: Response): void {
  if (!isFastResponse(response)) response.body?.cancel().catch(ignoreRejection);
}

function ignoreRejection(): void {}

/** The status line and headers of a response, until they are sent. */
class Head {
  readonly outgoing: http.ServerResponse;
  readonly #status: number;
  readonly #statusText: string;
  /** Names and values in turn. */
  readonly #headers: string[];

  constructor(
    outgoing: http.ServerResponse,
    status: number,
    statusText: string,
    headers: string[],
  ) {
    this.outgoing = outgoing;
    this.#status = status;
    this.#statusText = statusText;
    this.#headers = headers;
  }

  /** Adds the length of the body, where a response has one (RFC 9110, 8.6). */
  setLength(length: number): void {
    if (this.#status === 204 || this.#status === 304) return;
    const headers = this.#headers;
    for (let index = 0; index < headers.length; index += 2) {
      const name = headers[index]!;
      if (name === "content-length" || name === "transfer-encoding") return;
    }
    headers.push("content-length", String(length));
  }

  write(): void {
    if (this.#statusText === "") {
      this.outgoing.writeHead(this.#status, this.#headers);
    } else {
      this.outgoing.writeHead(this.#status, this.#statusText, this.#headers);
    }
  }
}

/** Senders whose bodies have not ended yet in this turn of the event loop. */
let unfinished: BodySender[] = [];

/** Sends what is there, so that a slow stream begins at once. */
function flushUnfinished(): void {
  const senders = unfinished;
  unfinished = [];
  for (const sender of senders) sender.flush();
}

/** Sends the body of one response. */
class BodySender {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #head: Head;
  readonly #onError: (error: unknown) => void;
  /** The first part, until it is known whether it is the last. */
  #first: Uint8Array | undefined;
  #isFlushed = false;
  /** Whether nothing must be sent any more. */
  #isStopped = false;
  #wake: (() => void) | undefined;

  constructor(
    body: ReadableStream<Uint8Array>,
    head: Head,
    onError: (error: unknown) => void,
  ) {
    this.#reader = body.getReader();
    this.#head = head;
    this.#onError = onError;
  }

  start(): void {
    if (unfinished.push(this) === 1) setImmediate(flushUnfinished);
    this.#send().catch((error) => this.#fail(error));
  }

  /** Sends the head, and the first part if it is there. */
  flush(): void {
    if (this.#isFlushed) return;
    this.#isFlushed = true;
    const { outgoing } = this.#head;
    if (outgoing.destroyed) return this.#stop();
    outgoing.once("close", () => this.#stop());
    try {
      this.#head.write();
      if (this.#first !== undefined) outgoing.write(this.#first);
      else outgoing.flushHeaders();
    } catch (error) {
      this.#fail(error);
    }
  }

  async #send(): Promise<void> {
    const reader = this.#reader;
    const { outgoing } = this.#head;
    let next = await reader.read();
    if (!next.done) {
      this.#first = requireBytes(next.value);
      if (this.#isFlushed && !this.#isStopped) outgoing.write(this.#first);
      next = await reader.read();
    }
    if (next.done) return this.#end();
    this.flush();
    while (!next.done && !this.#isStopped) {
      if (!outgoing.write(requireBytes(next.value))) await this.#drained();
      next = await reader.read();
    }
    if (!this.#isStopped) outgoing.end();
  }

  /** Ends a response whose body had one part or none. */
  #end(): void {
    if (this.#isStopped) return;
    const { outgoing } = this.#head;
    if (this.#isFlushed) {
      outgoing.end();
      return;
    }
    this.#isFlushed = true;
    const bytes = this.#first;
    this.#head.setLength(bytes?.byteLength ?? 0);
    endInOnePiece(this.#head, bytes);
  }

  /** Stops to send, because the response is closed. */
  #stop(error?: unknown): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#reader.cancel(error).catch(ignoreRejection);
    this.#wake?.();
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    this.#isFlushed = true;
    this.#stop(error);
    this.#onError(error);
  }

  #drained(): Promise<void> {
    const { outgoing } = this.#head;
    if (outgoing.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
      outgoing.once("drain", resolve);
    });
  }
}

/** Above this number of bytes, copying takes longer than a second buffer. */
const MAX_COPIED_BYTES = 8192;

/** Kept, because loading a built-in module takes a part of a microsecond. */
let Buffer: typeof buffer.Buffer | undefined;

function lengthOf(body: string | Uint8Array): number {
  if (typeof body !== "string") return body.byteLength;
  Buffer ??= builtin("node:buffer").Buffer;
  return Buffer.byteLength(body);
}

/**
 * Sends the head and all of the body, with one system call if the body is short.
 * Bun takes two otherwise, and each costs half as much as all the rest.
 */
function endInOnePiece(
  head: Head,
  body: string | Uint8Array | undefined,
): void {
  const { outgoing } = head;
  const text = body && toLatin1(body);
  if (text === undefined) {
    head.write();
    if (body === undefined) outgoing.end();
    else outgoing.end(body);
    return;
  }
  const { socket } = outgoing;
  socket?.cork();
  try {
    head.write();
    outgoing.end(text, "latin1");
  } finally {
    socket?.uncork();
  }
}

/**
 * Returns a character for each byte of a body, unless copying it takes too long.
 *
 * `node:http` writes the head and a string in one piece and in one encoding, but
 * the head and bytes in two, which takes a quarter of the time more. A head is
 * never UTF-8: its characters are bytes, too.
 */
function toLatin1(body: string | Uint8Array): string | undefined {
  Buffer ??= builtin("node:buffer").Buffer;
  if (typeof body === "string") {
    return Buffer.byteLength(body) === body.length
      ? body
      : Buffer.from(body).toString("latin1");
  }
  const { buffer, byteOffset, byteLength } = body;
  if (byteLength > MAX_COPIED_BYTES) return undefined;
  return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}

function requireBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError(
    `Sending a response: expected the stream of the body to have chunks of ` +
      `Uint8Array, found ${typeof chunk}`,
  );
}
