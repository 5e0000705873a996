/**
 * A load of messages that a server sends back, on Node: each connection sends the
 * next message when the last one has come back.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { MESSAGE_BYTES } from "./loads.ts";

const CONNECTIONS = 50;
const UPGRADE = `GET /websocket HTTP/1.1\r
Host: bench\r
Connection: Upgrade\r
Upgrade: websocket\r
Sec-WebSocket-Version: 13\r
Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r
\r
`;

/**
 * Sends messages to a server.
 *
 * @returns How many came back in a second.
 */
export async function echoLoad(
  port: number,
  hostname: string,
  protocol: "raw" | "websocket",
  seconds: number,
): Promise<number> {
  const isRaw = protocol === "raw";
  const message = isRaw ? Buffer.alloc(MESSAGE_BYTES, "x") : clientFrame();
  // A frame of the server isn't masked.
  const length = isRaw ? message.length : message.length - 4;
  const sockets = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const socket = net.connect(port, hostname).setNoDelay();
      if (!isRaw) await upgrade(socket);
      return socket;
    }),
  );
  let count = 0;
  let isOver = false;
  for (const socket of sockets) {
    let received = 0;
    socket.on("data", ({ length: size }) => {
      received += size;
      if (received < length || isOver) return;
      received -= length;
      count++;
      socket.write(message);
    });
    socket.on("close", () => {
      if (isOver) return;
      throw new Error("Sending messages: the server has closed a connection");
    });
    socket.write(message);
  }
  const begin = performance.now();
  await sleep(seconds * 1000);
  isOver = true;
  const rate = count / (performance.now() - begin) * 1000;
  for (const socket of sockets) socket.destroy();
  return rate;
}

async function upgrade(socket: net.Socket): Promise<void> {
  socket.write(UPGRADE);
  let answer = "";
  while (!answer.includes("\r\n\r\n")) {
    const [data] = await once(socket, "data");
    answer += data.toString("latin1");
  }
  if (answer.startsWith("HTTP/1.1 101 ")) return;
  throw new Error(
    `Beginning with WebSocket: expected status 101, found ` +
      JSON.stringify(answer.split("\r\n", 1)[0]),
  );
}

/** A binary message with 126 for a length of two bytes (RFC 6455, 5.2). */
function clientFrame(): Buffer {
  const head = Buffer.from([
    0x82,
    0xfe,
    MESSAGE_BYTES >> 8,
    MESSAGE_BYTES & 255,
  ]);
  const mask = randomBytes(4);
  const body = Buffer.alloc(MESSAGE_BYTES, "x").map((byte, at) =>
    byte ^ mask[at % 4]!
  );
  return Buffer.concat([head, mask, body]);
}
