/**
 * Responses that would hold a shutdown, and end at once instead: an event stream
 * and a long poll on `web`, and on Node a WebSocket on `chat`. Runs on Deno, Bun
 * and Node 22.18 or later.
 *
 * In a project of your own, import from `jsr:@listenfds/listenfds`, or from the
 * npm package `@listenfds/listenfds`.
 */

import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { activation, serve } from "../mod.ts";
import { listen } from "../src/node.ts";

const encoder = new TextEncoder();

/** The time, once a second, until the client leaves or the server shuts down. */
function clock(shutdownSignal: AbortSignal): ReadableStream<Uint8Array> {
  let stop = () => {};
  return new ReadableStream({
    start(controller) {
      const send = () => {
        const time = new Date().toISOString();
        controller.enqueue(encoder.encode(`data: ${time}\n\n`));
      };
      const timer = setInterval(send, 1000);
      const end = () => {
        stop();
        controller.close();
      };
      // The signal is that of the server, and outlives the request.
      stop = () => {
        clearInterval(timer);
        shutdownSignal.removeEventListener("abort", end);
      };
      send();
      if (shutdownSignal.aborted) end();
      else shutdownSignal.addEventListener("abort", end);
    },
    cancel: () => stop(),
  });
}

/** Answers when there is news, which here takes half a minute. */
async function poll(shutdownSignal: AbortSignal): Promise<Response> {
  try {
    await delay(30_000, undefined, { signal: shutdownSignal });
    return new Response("news\n");
  } catch {
    // The client asks again, and the next process answers.
    return new Response(null, { status: 204 });
  }
}

/** Echoes messages; each client gets a close frame with the code 1001. */
async function serveChat(): Promise<void> {
  const { WebSocketServer } = await import("ws");
  const server = createServer();
  const chat = new WebSocketServer({ server });
  chat.on("connection", (client) => {
    client.on("message", (message) => client.send(String(message)));
  });
  await listen(server, "chat", {
    gracefulShutdown: { webSockets: chat.clients },
  });
}

await serve("web", (request, info) => {
  switch (new URL(request.url).pathname) {
    case "/events":
      return new Response(clock(info.shutdownSignal), {
        headers: { "content-type": "text/event-stream" },
      });
    case "/poll":
      return poll(info.shutdownSignal);
    default:
      return new Response("see /events and /poll\n");
  }
});
if (activation()?.names.includes("chat")) await serveChat();
console.log("ready");
