/**
 * A request of `node:http` as a `Request`.
 *
 * The library has a conversion of its own, because for the requests of srvx and
 * `@hono/node-server` `new Request(request)` throws unless the global `Request` is
 * replaced, and `@remix-run/node-fetch-server` refuses valid targets, loses the
 * length of bodies, and takes twice the time.
 *
 * It must be a real `Request`: Node keeps the state of one in private fields.
 *
 * The module must be imported lazily, because reading the global `Request` makes
 * Node load its implementation.
 *
 * @module
 */

import type * as http from "node:http";
import {
  findLazyRequests,
  isPlainUrl,
  type LazyRequests,
} from "./lazy_request.ts";

const DECODER = new TextDecoder();

/**
 * Aborts the signal of a request whose client is gone, and those of requests that
 * were created from it.
 */
export let abortRequest: (request: NodeRequest) => void;

/**
 * How requests that are created from another one learn that it is aborted. They
 * follow its inner signal, which has no controller that can be reached. On Node
 * they follow its event, which can be dispatched. Deno and Bun read the signal
 * through a getter, which can be replaced. Others need a signal from the start.
 */
let following: "event" | "getter" | "controller" = followsEvents()
  ? "event"
  : "getter";

/** A program may replace the global class later. */
const NativeRequest = Request;

/** How requests are created without their state, where that has an effect. */
const lazyRequests = findLazyRequests((url, incoming) => {
  const request = new NativeRequest(url, requestInit(incoming, undefined));
  appendHeaders(request.headers, incoming, undefined);
  return request;
});

function followsEvents(): boolean {
  const request = new Request("http://localhost/");
  const { signal } = new Request(request);
  dispatchAbort(request.signal, undefined);
  return signal.aborted;
}

function dispatchAbort(signal: AbortSignal, reason: unknown): void {
  Object.defineProperties(signal, {
    aborted: { value: true },
    reason: { value: reason },
  });
  signal.dispatchEvent(new Event("abort"));
}

/** A request of `node:http`. */
export class NodeRequest extends Request {
  readonly #incoming: http.IncomingMessage;
  #controller: AbortController | undefined;
  #isAborted = false;
  /** Whether the handler has the stream of the body. */
  #hasStream = false;
  #isRead = false;

  static {
    abortRequest = (request) => request.#abort();
  }

  /** @param host What stands for the `Host` header. */
  constructor(url: string, incoming: http.IncomingMessage, host?: string) {
    const controller = following === "controller"
      ? new AbortController()
      : undefined;
    const lazy = host === undefined && controller === undefined
      ? lazyFor(incoming)
      : undefined;
    super(
      lazy === undefined ? url : lazy.brand as unknown as string,
      lazy === undefined
        ? requestInit(incoming, controller?.signal)
        : undefined,
    );
    if (lazy === undefined) appendHeaders(super.headers, incoming, host);
    else lazy.attach(this, url, incoming);
    this.#incoming = incoming;
    this.#controller = controller;
  }

  override get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isAborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  override get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    this.#hasStream = true;
    return super.body;
  }

  override get bodyUsed(): boolean {
    return this.#isRead || super.bodyUsed;
  }

  override clone(): Request {
    this.#hasStream = true;
    // The clone itself follows a signal that nothing aborts.
    return new NativeRequest(super.clone(), { signal: this.signal });
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    const { buffer, byteOffset, byteLength } = await this.#readAll();
    return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
  }

  override async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await this.arrayBuffer());
  }

  override async text(): Promise<string> {
    return DECODER.decode(await this.#readAll());
  }

  // deno-lint-ignore no-explicit-any -- the return type of Body.json
  override async json(): Promise<any> {
    return JSON.parse(await this.text());
  }

  #isUntouched(): boolean {
    return !this.#hasStream && !this.#isRead && super.body !== null &&
      !super.body.locked;
  }

  /** Reads the body past its stream if it can, in a third of the time. */
  async #readAll(): Promise<Uint8Array> {
    if (!this.#isUntouched()) return new Uint8Array(await super.arrayBuffer());
    this.#isRead = true;
    // A request that is created from this one then reports a used body.
    super.body!.getReader();
    const chunks: Buffer[] = [];
    for await (const chunk of this.#incoming) chunks.push(chunk);
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  }

  #abort(): void {
    this.#isAborted = true;
    this.#controller?.abort();
    if (following !== "event") return;
    dispatchAbort(super.signal, this.signal.reason);
  }
}

/**
 * Replaces the getter of the inner signal, which is the public one on Bun; `false`
 * if that has no effect.
 */
function replaceSignalGetter(): boolean {
  const name = Object.getOwnPropertySymbols(Request.prototype)
    .find(({ description }) => description === "signal");
  if (name !== undefined) {
    Object.defineProperty(NodeRequest.prototype, name, {
      get: (Object.getOwnPropertyDescriptor(NodeRequest.prototype, "signal")!)
        .get!,
    });
  }
  try {
    const incoming = { method: "GET", headers: {}, rawHeaders: [] };
    const request = new NodeRequest("http://localhost/", incoming as never);
    const { signal } = new Request(request);
    abortRequest(request);
    return signal.aborted;
  } catch {
    return false;
  }
}

if (following === "getter" && !replaceSignalGetter()) following = "controller";

/** Returns how to create a request without its state, if that is possible. */
function lazyFor(incoming: http.IncomingMessage): LazyRequests | undefined {
  if (lazyRequests === undefined || hasBody(incoming)) return undefined;
  const { headers: { host = "" }, url = "" } = incoming;
  return isPlainUrl(host, url) ? lazyRequests : undefined;
}

/** Returns no object for the usual request, since reading one takes time. */
function requestInit(
  incoming: http.IncomingMessage,
  signal: AbortSignal | undefined,
): RequestInit | undefined {
  const { method } = incoming;
  if (method === "GET" && signal === undefined) return undefined;
  const init: RequestInit & { duplex?: "half" } = {};
  if (method !== undefined) init.method = method;
  if (signal !== undefined) init.signal = signal;
  if (hasBody(incoming)) {
    init.body = bodyStream(incoming);
    init.duplex = "half";
  }
  return init;
}

/**
 * Adds the headers of a request. Node takes a third longer to convert a list of
 * them.
 *
 * @param host What stands for the `Host` header.
 */
function appendHeaders(
  target: Headers,
  { rawHeaders, headers }: http.IncomingMessage,
  host: string | undefined,
): void {
  let hasCookie = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === 6 && name.toLowerCase() === "cookie") {
      // Joined as RFC 6265, section 5.4, has it, which not all runtimes do.
      if (!hasCookie) target.append("cookie", headers.cookie!);
      hasCookie = true;
    } else {
      target.append(name, rawHeaders[index + 1]!);
    }
  }
  if (host !== undefined) target.set("host", host);
}

/** Checks for a body (RFC 9112, 6.3); `Request` allows none with GET and HEAD. */
function hasBody({ method, headers }: http.IncomingMessage): boolean {
  return method !== "GET" && method !== "HEAD" &&
    (headers["transfer-encoding"] !== undefined ||
      (headers["content-length"] ?? "0") !== "0");
}

/** Creates a stream that reads a body only when it is read itself. */
function bodyStream(
  incoming: http.IncomingMessage,
): ReadableStream<Uint8Array> {
  let chunks: AsyncIterator<Buffer, undefined> | undefined;
  // Not a stream of bytes, which would take the memory that chunks share.
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      chunks ??= incoming.iterator({ destroyOnReturn: false });
      const { done, value } = await chunks!.next();
      if (done) controller.close();
      else controller.enqueue(toBytes(value));
    },
    async cancel() {
      await chunks?.return?.();
    },
  }, { highWaterMark: 0 });
}

function toBytes({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
