/**
 * Answers the requests of `loads.ts`, on the runtime that it is run on:
 *
 *     node bench/exchanges_server.ts WAY [PORT]
 *
 * With a port, it has nothing of the library but what the way names: an import
 * that Deno finds in the text, it would load before it begins.
 */

import { createServer, type RequestListener, type Server } from "node:http";
import net from "node:net";
import process from "node:process";
import { buffer } from "node:stream/consumers";

const HOSTNAME = "127.0.0.1";
/** The name of the inherited socket. */
const NAME = "web";
const FILE_SIZES = ["65536", "1048576"];

const [, , way = "", portText] = process.argv;
const port = Number(portText);
const runtime = "Deno" in globalThis
  ? "deno"
  : "Bun" in globalThis
  ? "bun"
  : "node";

// deno-lint-ignore no-explicit-any -- modules of several runtimes and libraries
const load = (specifier: string): Promise<any> => import(specifier);
const source = (file: string) =>
  load(new URL(`../src/${file}`, import.meta.url).href);

const files = new Map(
  FILE_SIZES.map((
    size,
  ) => [`/bytes/${size}`, new Uint8Array(Number(size)).fill(120)]),
);
const pathOf = (url: string) => url.slice(url.indexOf("/", 8));

/** @param Response The class of the responses. */
function fetchHandler(Response: typeof globalThis.Response) {
  return async (request: Request): Promise<Response> => {
    const path = pathOf(request.url);
    if (path === "/json") {
      const { items } = await request.json();
      return Response.json({ items, count: items.length });
    }
    if (path === "/upload") {
      try {
        const { byteLength } = await request.arrayBuffer();
        return new Response(String(byteLength));
      } catch {
        // The load ends in the middle of uploads.
        return new Response(null, { status: 400 });
      }
    }
    return new Response(files.get(path) as BodyInit ?? "hello");
  };
}

/** "hello" at once, as a handler that awaits nothing answers. */
function handlerOf(Response: typeof globalThis.Response) {
  const answer = fetchHandler(Response);
  return (request: Request): Response | Promise<Response> =>
    request.url.endsWith("/") ? new Response("hello") : answer(request);
}

const handler = handlerOf(globalThis.Response);

const onRequest: RequestListener = async (request, response) => {
  const path = request.url!;
  const file = files.get(path);
  if (file !== undefined) {
    response.setHeader("content-length", file.length);
    response.end(file);
  } else if (path === "/upload") {
    // The load ends in the middle of uploads.
    const body = await buffer(request).catch(() => undefined);
    response.end(String(body?.length));
  } else if (path === "/json") {
    const { items } = JSON.parse((await buffer(request)).toString());
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ items, count: items.length }));
  } else {
    response.setHeader("content-type", "text/plain;charset=UTF-8");
    response.end("hello");
  }
};

/** The least for a handler that gets a `Request` and returns a cheap response. */
const onRequestWithRequest: RequestListener = (request, response) => {
  new Request(`http://${request.headers.host}${request.url}`);
  onRequest(request, response);
};

/** What a handler costs that creates a response which isn't sent. */
const onRequestWithResponse: RequestListener = (_request, response) => {
  new Response("hello");
  response.end("hello");
};

/**
 * The least that a conversion can do for a handler that returns a `Response`:
 * create both objects, and read the body.
 */
const onRequestConverted: RequestListener = async (request, response) => {
  const url = `http://${request.headers.host}${request.url}`;
  const returned = handler(new Request(url));
  const answer = returned instanceof Promise ? await returned : returned;
  const reader = answer.body!.getReader();
  const [{ value }, { done }] = await Promise.all([
    reader.read(),
    reader.read(),
  ]);
  if (!done) throw new Error("Reading a body: expected one part, found more");
  const type = answer.headers.get("content-type");
  if (type !== null) response.setHeader("content-type", type);
  // node:http sends a short string with the head, in one piece.
  const isShort = value!.length < 10;
  response.end(isShort ? String.fromCharCode(...value!) : value);
};

/** Echoes messages; Deno upgrades in the handler. */
function denoHandler(request: Request): Response | Promise<Response> {
  if (!request.url.endsWith("/websocket")) return handler(request);
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => socket.send(data);
  return response;
}

const bunOptions = {
  fetch(request: Request, server: { upgrade(request: Request): boolean }) {
    if (!request.url.endsWith("/websocket")) return handler(request);
    return server.upgrade(request) ? undefined : new Response(null);
  },
  websocket: {
    message(socket: { send(data: unknown): void }, data: unknown) {
      socket.send(data);
    },
  },
};

/** Servers without the library. */
const OWN: Readonly<Record<string, () => unknown>> = {
  deno: () =>
    Deno.serve({ hostname: HOSTNAME, port, onListen() {} }, denoHandler),
  bun: () => bun().serve({ hostname: HOSTNAME, port, ...bunOptions }),
  node: () => listenOwn(createServer(onRequest)),
  "node:http": () => listenOwn(createServer(onRequest)),
  "node:http with a Response": () =>
    listenOwn(createServer(onRequestWithResponse)),
  "node:http with a Request": () =>
    listenOwn(createServer(onRequestWithRequest)),
  "node:http with both": () => listenOwn(createServer(onRequestConverted)),
  "node:http, emitted": () => listenEmitted(onRequest),
  "node:http, emitted, with both": () => listenEmitted(onRequestConverted),
  // Imports the library, but listens without it.
  "conversion alone": async () => {
    const { fetchListener, loadConversion } = await source(
      "runtime/node/fetch_listener.ts",
    );
    await loadConversion();
    const listener = fetchListener(handler, undefined, {});
    listenOwn(
      createServer((request, response) =>
        listener(request, response, { response, onClientGone: undefined })
      ),
    );
  },
  srvx: async () => {
    const { toNodeHandler } = await load("srvx/node");
    listenOwn(createServer(toNodeHandler(handler)));
  },
  "srvx with FastResponse": async () => {
    const { toNodeHandler, FastResponse } = await load("srvx/node");
    listenOwn(createServer(toNodeHandler(handlerOf(FastResponse))));
  },
  "@hono/node-server": async () => {
    const { getRequestListener } = await load("@hono/node-server");
    const options = { overrideGlobalObjects: false };
    listenOwn(createServer(getRequestListener(handler, options)));
  },
  "@hono/node-server with its globals": async () => {
    const { getRequestListener } = await load("@hono/node-server");
    // Replaces the globals first; the handler reads the class late.
    const listener = getRequestListener((request: Request) =>
      handlerOf(globalThis.Response)(request)
    );
    listenOwn(createServer(listener));
  },
};

/** Servers on the inherited socket. */
const INHERITED: Readonly<Record<string, () => unknown>> = {
  adopted: async () => {
    switch (runtime) {
      case "deno":
        return (await source("deno.ts")).serve(NAME, denoHandler);
      case "bun":
        return (await source("bun.ts")).serve(NAME, bunOptions);
      case "node":
        return (await source("node.ts")).listen(createServer(onRequest), NAME);
    }
  },
  neutral: async () => (await source("serve.ts")).serve(NAME, handler),
  portable: async () =>
    (await source("serve.ts")).serve(NAME, { backend: "node" }, handler),
  "portable with FastResponse": async () => {
    const { FastResponse } = await load("srvx/node");
    const { serve } = await source("serve.ts");
    return serve(NAME, { backend: "node" }, handlerOf(FastResponse));
  },
};

/** Echoes without the library. */
const RAW_OWN: Readonly<Record<typeof runtime, () => unknown>> = {
  deno: () => echoDeno(Deno.listen({ hostname: HOSTNAME, port })),
  bun: () => bun().listen({ hostname: HOSTNAME, port, socket: bunEcho }),
  node: () => net.createServer(echoNode).listen(port, HOSTNAME),
};

/** The least that web streams can do on a socket of Node, without back-pressure. */
function echoStreams(socket: net.Socket): void {
  const readable = new ReadableStream({
    start(controller) {
      socket.on("data", (chunk) => controller.enqueue(chunk));
      socket.on("end", () => controller.close());
    },
  });
  const writable = new WritableStream({
    write: (chunk) => void socket.write(chunk),
    close: () => void socket.end(),
  });
  socket.setNoDelay().on("error", () => {});
  readable.pipeTo(writable).catch(() => {});
}

/** Echoes on the inherited socket. */
const RAW_INHERITED: Readonly<Record<string, () => unknown>> = {
  adopted: async () => {
    switch (runtime) {
      case "deno":
        return echoDeno(await (await source("deno.ts")).listen(NAME));
      case "bun":
        return (await source("bun.ts")).listen(NAME, { socket: bunEcho });
      case "node":
        return (await source("node.ts"))
          .listen(net.createServer(echoNode), NAME);
    }
  },
  neutral: async () =>
    echoNeutral(await (await source("listen.ts")).listen(NAME)),
  portable: async () =>
    echoNeutral(
      await (await source("listen.ts")).listen(NAME, {
        backend: "node",
      }),
    ),
};

const bunEcho = {
  data(socket: { write(data: unknown): number }, data: Uint8Array) {
    // The messages are shorter than the buffer of a socket.
    socket.write(data);
  },
};

const listenStreams = () =>
  net.createServer({ allowHalfOpen: true }, echoStreams).listen(port, HOSTNAME);

function echoNode(socket: net.Socket): void {
  socket.setNoDelay().on("error", () => {}).pipe(socket);
}

async function echoDeno(listener: AsyncIterable<Deno.TcpConn>): Promise<void> {
  for await (const { readable, writable } of listener) {
    readable.pipeTo(writable).catch(() => {});
  }
}

const echoNeutral = echoDeno;

interface BunGlobal {
  serve(options: object): unknown;
  listen(options: object): unknown;
}

function bun(): BunGlobal {
  return (globalThis as unknown as { Bun: BunGlobal }).Bun;
}

function listenOwn(server: Server): void {
  server.listen(port, HOSTNAME);
}

/** Passes the connections to a server as events, as the portable path does. */
function listenEmitted(onRequest: RequestListener): void {
  const server = createServer(onRequest);
  // Deno closes idle connections of a server that doesn't seem to listen.
  Object.defineProperty(server, "listening", { value: true });
  net.createServer((socket) => void server.emit("connection", socket))
    .listen(port, HOSTNAME);
}

const isRaw = way.startsWith("raw ");
const name = isRaw ? way.slice(4) : way;
const table: Readonly<Record<string, () => unknown>> = isRaw
  ? portText === undefined
    ? RAW_INHERITED
    : { own: RAW_OWN[runtime], "web streams alone": listenStreams }
  : portText === undefined
  ? INHERITED
  : { ...OWN, own: OWN[runtime]! };
const start = table[name];
if (start === undefined) {
  throw new Error(
    `Choosing a way to serve: expected any of ${
      Object.keys(table).join(", ")
    }, found ${JSON.stringify(name)}`,
  );
}
await start();
