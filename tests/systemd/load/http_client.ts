/**
 * HTTP/1.1 on one connection, that hides nothing: no request is sent twice, and
 * each kind of failure has a name.
 *
 * @module
 */

import { once } from "node:events";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** The kinds of failures of a request. */
export const FAILURES = [
  // Nobody listened.
  "refused",
  // The connection ended, or was reset, before the answer began.
  "reset",
  // It ended within the answer.
  "truncated",
  // The answer is another one than it should be.
  "wrong",
  // There was none, or no end of it, in time.
  "timeout",
] as const;

/** The kind of a failure. */
export type FailureKind = typeof FAILURES[number];

/** A request that was not answered as it should be. */
export class Failure extends Error {
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string) {
    super(`${kind}: ${message}`);
    this.kind = kind;
  }
}

/** A request to send. */
export interface Sent {
  readonly path: string;
  /** The parts of a body, and how long to wait before each. */
  readonly parts?: readonly Uint8Array[];
  readonly partDelayMs?: number;
  /** Asks the server to end the connection. */
  readonly isLast: boolean;
}

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  /** Whether the server ends the connection with it. */
  readonly isLast: boolean;
}

/** One connection. */
export class ClientConnection {
  readonly #socket: net.Socket;
  #received = Buffer.alloc(0);
  /** The reason why no more can come: the peer has ended it, or it broke. */
  #ended: string | undefined;
  #wake: () => void = () => {};

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on("data", (data: Buffer) => {
      this.#received = Buffer.concat([this.#received, data]);
      this.#wake();
    });
    const end = (reason: string) => {
      this.#ended ??= reason;
      this.#wake();
    };
    socket.on("end", () => end("the server has closed the connection"));
    socket.on("error", ({ message }) => end(message));
    socket.on("close", () => end("closed"));
  }

  /** Connects; a connection that waits in a backlog is one. */
  static async open(target: net.NetConnectOpts): Promise<ClientConnection> {
    // An end that the server has sent is seen, and answered here.
    const socket = net.connect({ ...target, allowHalfOpen: true });
    socket.setNoDelay();
    try {
      await once(socket, "connect");
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw new Failure(code === "ECONNREFUSED" ? "refused" : "reset", message);
    }
    return new ClientConnection(socket);
  }

  /** Returns whether the server has not ended it yet. */
  get isUsable(): boolean {
    return this.#ended === undefined;
  }

  /** Ends it. */
  close(): void {
    this.#socket.destroy();
  }

  /** Sends a request, and waits for the whole answer. */
  async request(sent: Sent, timeoutMs: number): Promise<Answer> {
    let timer: ReturnType<typeof setTimeout>;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const message = `no whole answer to ${sent.path} in ${timeoutMs} ms`;
        reject(new Failure("timeout", message));
      }, timeoutMs);
    });
    const answer = this.#answer(sent.path);
    // When it is late, nobody waits for how it fails in the end.
    answer.catch(() => {});
    // Sending goes on meanwhile; what stops it shows in the answer.
    void this.#send(sent);
    return await Promise.race([answer, late]).finally(() =>
      clearTimeout(timer)
    );
  }

  async #send({ path, parts, partDelayMs = 0, isLast }: Sent): Promise<void> {
    const lines = [
      `${parts === undefined ? "GET" : "POST"} ${path} HTTP/1.1`,
      "host: localhost",
      ...parts === undefined ? [] : ["transfer-encoding: chunked"],
      ...isLast ? ["connection: close"] : [],
    ];
    this.#socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    for (const part of parts ?? []) {
      await sleep(partDelayMs);
      this.#socket.write(`${part.length.toString(16)}\r\n`);
      this.#socket.write(part);
      this.#socket.write("\r\n");
    }
    if (parts !== undefined) this.#socket.write("0\r\n\r\n");
  }

  async #answer(path: string): Promise<Answer> {
    const head = await this.#line("\r\n\r\n", path);
    const [start, ...lines] = head.split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3})\b/.exec(start!)?.[1]);
    const headers = new Map(lines.map((line) => {
      const index = line.indexOf(":");
      return [line.slice(0, index).toLowerCase(), line.slice(index + 1).trim()];
    }));
    const length = headers.get("content-length");
    const isChunked = headers.get("transfer-encoding") === "chunked";
    if (Number.isNaN(status) || isChunked === (length !== undefined)) {
      throw new Failure(
        "wrong",
        `${path} was answered ${JSON.stringify(head)}`,
      );
    }
    const body = isChunked
      ? await this.#chunks(path)
      : await this.#bytes(Number(length), path);
    if (this.#received.length > 0) {
      throw new Failure("wrong", `more than the answer to ${path} came`);
    }
    return {
      status,
      body: body.toString("latin1"),
      isLast: headers.get("connection")?.toLowerCase() === "close",
    };
  }

  async #chunks(path: string): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for (;;) {
      const line = await this.#line("\r\n", path, true);
      if (!/^[\da-f]+$/i.test(line)) {
        throw new Failure("wrong", `${path}: a chunk of ${line} bytes`);
      }
      const size = parseInt(line, 16);
      chunks.push(await this.#bytes(size, path));
      if ((await this.#bytes(2, path)).toString() !== "\r\n") {
        throw new Failure(
          "wrong",
          `${path}: a chunk of more than ${size} bytes`,
        );
      }
      if (size === 0) return Buffer.concat(chunks);
    }
  }

  /** Reads up to a mark, which is taken, too. */
  async #line(mark: string, path: string, hasBegun = false): Promise<string> {
    let index: number;
    while ((index = this.#received.indexOf(mark)) === -1) {
      await this.#more(path, hasBegun || this.#received.length > 0);
    }
    const line = this.#received.subarray(0, index).toString("latin1");
    this.#received = this.#received.subarray(index + mark.length);
    return line;
  }

  async #bytes(count: number, path: string): Promise<Buffer> {
    while (this.#received.length < count) await this.#more(path, true);
    const bytes = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return bytes;
  }

  /** Waits until there is more, unless there can't be. */
  async #more(path: string, hasBegun: boolean): Promise<void> {
    if (this.#ended !== undefined) {
      throw new Failure(
        hasBegun ? "truncated" : "reset",
        `${path}: ${this.#ended}`,
      );
    }
    await new Promise<void>((resolve) => this.#wake = resolve);
  }
}
