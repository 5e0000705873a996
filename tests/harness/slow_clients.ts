/**
 * Clients that are slow, late or unfinished when a server is stopped. Each
 * reports what became of it in words.
 */

import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import tls from "node:tls";
import WebSocket from "ws";
import { eventually } from "./eventually.ts";
import type { Program } from "./program.ts";

/** Longer than any client here takes. */
const GIVEN_UP_MS = 15_000;

/** The report of a client that has lost nothing. */
export const WHOLE = "whole";

/** Bytes of a response, and of what a raw connection sends. */
const BIG_BYTES = 24_000_000;
const PARTS_BYTES = 10_000_000;
/** Frames that fill more than the kernel holds. */
const FRAMES = 24;
/** Longer than a server keeps what is idle, where nothing else shows that. */
const LATE_MS = 1500;
const UPLOAD_BYTES = 6;

/** A server that a client can have stopped. */
export interface StoppableServer {
  readonly program: Program;
  readonly port: number;
  readonly isTls: boolean;
}

/** A client; resolves to {@linkcode WHOLE}, or to what it got instead. */
export type SlowClient = (server: StoppableServer) => Promise<string>;

/** Connects without HTTP. */
async function connect({ port, isTls }: StoppableServer): Promise<net.Socket> {
  const host = "127.0.0.1";
  const socket = isTls
    ? tls.connect({
      host,
      port,
      rejectUnauthorized: false,
      ALPNProtocols: ["http/1.1"],
    })
    : net.connect({ host, port, allowHalfOpen: true });
  socket.on("error", () => {});
  await once(socket, isTls ? "secureConnect" : "connect");
  return socket;
}

/** Sends the signal that stops a server, and waits until it has begun to stop. */
async function stop({ program }: StoppableServer): Promise<void> {
  program.process.kill("SIGTERM");
  await untilLine(program, "stopping");
}

async function untilLine(program: Program, line: string): Promise<void> {
  await program.until(
    line,
    () => program.stdout.split("\n").includes(line),
  );
}

/** Waits until something has happened, or for as long as it may take. */
async function untilOrGivenUp(hasHappened: () => boolean): Promise<void> {
  const end = performance.now() + GIVEN_UP_MS;
  await eventually("an end", () => hasHappened() || performance.now() > end);
}

/** Reads all that comes in small steps, or until `isComplete`. */
async function readSlowly(
  stream: AsyncIterable<Uint8Array>,
  isComplete: (head: string, length: number, tail: string) => boolean = () =>
    false,
): Promise<{ head: string; length: number; failure: string }> {
  let length = 0;
  let head = "";
  try {
    for await (const chunk of stream) {
      length += chunk.length;
      if (head.length < 2000) {
        head += Buffer.from(chunk).toString("latin1", 0, 2000);
      }
      const tail = Buffer.from(chunk).toString("latin1", chunk.length - 5);
      if (isComplete(head, length, tail)) break;
      await sleep(10);
    }
    return { head, length, failure: "" };
  } catch (error) {
    return {
      head,
      length,
      failure: `, ${(error as NodeJS.ErrnoException).code}`,
    };
  }
}

function report(actual: number, expected: number, failure: string): string {
  return actual === expected
    ? WHOLE
    : `${actual} of ${expected} bytes${failure}`;
}

function isChunked(head: string): boolean {
  return /^transfer-encoding: chunked\r$/im.test(head);
}

/** Reads a response to its end. */
async function readBody(
  socket: net.Socket,
  expected: number,
): Promise<string> {
  const bodyOf = (head: string, length: number) =>
    length - (head.indexOf("\r\n\r\n") + 4);
  const { head, length, failure } = await readSlowly(
    socket,
    (head, length, tail) =>
      bodyOf(head, length) >= expected &&
      (!isChunked(head) || tail === "0\r\n\r\n"),
  );
  socket.destroy();
  if (!head.startsWith("HTTP/1.1 200")) {
    return `${JSON.stringify(head.slice(0, 100))}${failure}`;
  }
  if (isChunked(head)) {
    // With the sizes of the chunks, the last of which is 0.
    return bodyOf(head, length) >= expected && failure === ""
      ? WHOLE
      : `${length} of ${expected} bytes${failure}`;
  }
  return report(bodyOf(head, length), expected, failure);
}

/** Sends a request, waits until the server has it, stops the server, and reads. */
function slowReader(pathname: string, expected: number): SlowClient {
  return async (server) => {
    const socket = await connect(server);
    socket.pause();
    socket.write(`GET ${pathname} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await untilLine(server.program, `begun ${pathname}`);
    await stop(server);
    await sleep(LATE_MS);
    return await readBody(socket, expected);
  };
}

/** Waits until the server has read what was sent to it before. */
async function untilRead(server: StoppableServer): Promise<void> {
  for (let round = 0; round < 2; round++) {
    const socket = await connect(server);
    socket.end("GET /fast HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    await readSlowly(socket);
    socket.destroy();
  }
}

/** Opens a connection that is idle after a request; resolves to its end. */
async function openIdle(
  server: StoppableServer,
): Promise<{ ended: Promise<unknown> }> {
  const socket = await connect(server);
  const ended = once(socket, "close");
  let received = "";
  socket.setEncoding("latin1").on("data", (text) => received += text);
  socket.on("end", () => socket.end());
  socket.write("GET /fast HTTP/1.1\r\nHost: x\r\n\r\n");
  await eventually("an answer", () => received.includes("fast\n"));
  return { ended };
}

/** Sends a part of a request before the server is stopped, and the rest after. */
function lateSender(
  before: string,
  after: readonly string[],
  expected: RegExp,
  isUsed = false,
): SlowClient {
  return async (server) => {
    const socket = await connect(server);
    let received = "";
    let state = "open";
    socket.setEncoding("latin1").on("data", (text) => received += text);
    socket.on("end", () => state = "ended");
    socket.on("error", (error: NodeJS.ErrnoException) => state = error.code!);
    if (isUsed) {
      socket.write("GET /fast HTTP/1.1\r\nHost: x\r\n\r\n");
      await eventually("an answer", () => received.includes("fast\n"));
      received = "";
      await sleep(50);
    }
    const { ended } = await openIdle(server);
    socket.write(before);
    await untilRead(server);
    await stop(server);
    // Where the server keeps it, the other connection is kept with it.
    await Promise.race([ended, sleep(2 * LATE_MS)]);
    for (const part of after) {
      await sleep(LATE_MS / 10);
      if (state !== "open") return `${state} before all was sent`;
      socket.write(part);
    }
    await untilOrGivenUp(() => expected.test(received) || state !== "open");
    socket.destroy();
    return expected.test(received)
      ? WHOLE
      : `${state} after ${JSON.stringify(received)}`;
  };
}

const HALF_HEAD = ["GET /fast HTTP/1.1\r\nHos", "t: x\r\n\r\n"] as const;

/** Requests one after the other, before the first is answered. */
const pipelining: SlowClient = async (server) => {
  const socket = await connect(server);
  socket.write("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3));
  await untilLine(server.program, "begun /slow");
  await stop(server);
  let received = "";
  socket.setEncoding("latin1").on("data", (text) => received += text);
  await untilOrGivenUp(() =>
    socket.readableEnded || socket.destroyed ||
    received.match(/slow\n/g)?.length === 3
  );
  socket.destroy();
  const count = received.match(/slow\n/g)?.length ?? 0;
  return count === 3 ? WHOLE : `${count} of 3 answers`;
};

/** Several streams of HTTP/2, slowly. */
function slowStreams(windowBytes: number): SlowClient {
  return async (server) => {
    const { program, port, isTls } = server;
    const session = http2.connect(
      `${isTls ? "https" : "http"}://127.0.0.1:${port}`,
      {
        rejectUnauthorized: false,
        settings: { initialWindowSize: windowBytes },
      },
    );
    session.on("error", () => {});
    await once(session, "connect");
    session.setLocalWindowSize(windowBytes * 3);
    const streams = ["/big", "/big", "/parts"].map((path) => {
      const stream = session.request({ ":path": path });
      stream.pause();
      stream.on("error", () => {});
      return stream;
    });
    await untilLine(program, "begun /big");
    await stop(server);
    await sleep(LATE_MS / 3);
    const sizes = [BIG_BYTES, BIG_BYTES, PARTS_BYTES];
    const reports = await Promise.all(streams.map(async (stream, index) => {
      const { length, failure } = await readSlowly(stream);
      return report(length, sizes[index]!, `${failure} RST ${stream.rstCode}`);
    }));
    session.destroy();
    return reports.every((each) => each === WHOLE) ? WHOLE : reports.join("; ");
  };
}

function openSocket({ port, isTls }: StoppableServer): {
  socket: WebSocket;
  closed: Promise<number>;
} {
  const socket = new WebSocket(`${isTls ? "wss" : "ws"}://127.0.0.1:${port}/`, {
    rejectUnauthorized: false,
    perMessageDeflate: false,
  });
  socket.on("error", () => {});
  const closed = once(socket, "close").then(([code]) => code as number);
  return { socket, closed };
}

/** A WebSocket with more queued than its client has read. */
const slowWebSocket: SlowClient = async (server) => {
  const { socket, closed } = openSocket(server);
  let bytes = 0;
  socket.on("message", (data: Uint8Array) => {
    bytes += data.length;
    socket.pause();
    setTimeout(() => socket.resume(), 150);
  });
  await once(socket, "open");
  await untilLine(server.program, "begun socket");
  socket.pause();
  socket.send(String(FRAMES));
  await untilLine(server.program, "begun frames");
  await stop(server);
  await sleep(LATE_MS);
  socket.resume();
  const code = await closed;
  return report(bytes, FRAMES * 1_000_000, "") === WHOLE && code === 1001
    ? WHOLE
    : `${bytes} bytes, close code ${code}`;
};

/** A WebSocket whose upgrade the server gets while it stops. */
const lateWebSocket: SlowClient = async (server) => {
  const socket = await connect(server);
  let received = "";
  socket.setEncoding("latin1").on("data", (text) => received += text);
  await untilRead(server);
  await stop(server);
  socket.write(
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
      "Sec-WebSocket-Version: 13\r\n\r\n",
  );
  // A close frame with the code 1001.
  const isClosed = () =>
    received.includes("\x88") && received.includes("\x03\xe9");
  await untilOrGivenUp(() =>
    isClosed() || socket.readableEnded || socket.destroyed
  );
  socket.destroy();
  return isClosed() ? WHOLE : JSON.stringify(received);
};

/** A connection without a protocol: reads much slowly, and sends a little. */
const slowConnection: SlowClient = async (server) => {
  const socket = await connect(server);
  socket.pause();
  await untilLine(server.program, "begun connection");
  await stop(server);
  await sleep(LATE_MS);
  socket.write("12345");
  socket.end("6");
  const { length, failure } = await readSlowly(socket);
  socket.destroy();
  return report(length, BIG_BYTES + "6\n".length, failure);
};

/** Clients of HTTP/1. */
export const HTTP_CLIENTS: Readonly<Record<string, SlowClient>> = {
  "a slow reader of a large body": slowReader("/big", BIG_BYTES),
  "a slow reader of an event stream that ends": slowReader(
    "/parts",
    PARTS_BYTES,
  ),
  "half a head": lateSender(HALF_HEAD[0], [HALF_HEAD[1]], /fast\n/),
  "half a head on a used connection": lateSender(
    HALF_HEAD[0],
    [HALF_HEAD[1]],
    /fast\n/,
    true,
  ),
  "a slow upload": lateSender(
    `POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: ${UPLOAD_BYTES}\r\n\r\n12`,
    ["34", "56"],
    /\r\n\r\n(2\r\n)?6\n/,
  ),
  "a slow upload in chunks": lateSender(
    "POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n1",
    ["2\r\n4\r\n34", "56\r\n0\r\n\r\n"],
    /\r\n\r\n(2\r\n)?6\n/,
  ),
  "pipelined requests": pipelining,
};

/** Clients of HTTP/2. */
export const HTTP2_CLIENTS: Readonly<Record<string, SlowClient>> = {
  "slow streams with small windows": slowStreams(65_535),
  "slow streams with large windows": slowStreams(16_000_000),
};

/** Clients with WebSockets. */
export const WEB_SOCKET_CLIENTS: Readonly<Record<string, SlowClient>> = {
  "a slow WebSocket": slowWebSocket,
  "a late WebSocket": lateWebSocket,
};

/** Clients without HTTP. */
export const RAW_CLIENTS: Readonly<Record<string, SlowClient>> = {
  "a slow connection": slowConnection,
};
