/**
 * Answers "hello", on the runtime that it is run on, for the throughput
 * benchmark:
 *
 *     node bench/throughput_server.ts own PORT
 *     node bench/throughput_server.ts adopted|neutral|portable
 *
 * On a port of its own it has nothing of the library, which is not even loaded:
 * an import that Deno finds in the text, it loads before it begins.
 */

import { createServer, type RequestListener } from "node:http";
import process from "node:process";

const HOSTNAME = "127.0.0.1";
/** The name of the inherited socket. */
const NAME = "web";

const [, , way, portText] = process.argv;
const port = Number(portText);
const runtime = "Deno" in globalThis
  ? "deno"
  : "Bun" in globalThis
  ? "bun"
  : "node";

const fetch = () => new Response("hello");
const onRequest: RequestListener = (_request, response) => {
  response.setHeader("content-type", "text/plain;charset=UTF-8");
  response.end("hello");
};

const load = (file: string): Promise<unknown> =>
  import(new URL(file, import.meta.url).href);

function serveOwn(): void {
  switch (runtime) {
    case "deno":
      Deno.serve({ hostname: HOSTNAME, port, onListen() {} }, fetch);
      break;
    case "bun": {
      const { Bun } = globalThis as unknown as {
        Bun: { serve(options: object): unknown };
      };
      Bun.serve({ hostname: HOSTNAME, port, fetch });
      break;
    }
    case "node":
      createServer(onRequest).listen(port, HOSTNAME);
  }
}

async function serveAdopted(): Promise<void> {
  switch (runtime) {
    case "deno": {
      const { serve } = await load("../src/deno.ts") as {
        serve: typeof import("../src/deno.ts").serve;
      };
      await serve(NAME, fetch);
      break;
    }
    case "bun": {
      const { serve } = await load("../src/bun.ts") as {
        serve: typeof import("../src/bun.ts").serve;
      };
      await serve(NAME, { fetch });
      break;
    }
    case "node": {
      const { listen } = await load("../src/node.ts") as {
        listen: typeof import("../src/node.ts").listen;
      };
      await listen(createServer(onRequest), NAME);
    }
  }
}

async function serveNeutral(backend: "native" | "node"): Promise<void> {
  const { serve } = await load("../mod.ts") as {
    serve: typeof import("../mod.ts").serve;
  };
  await serve(NAME, { backend }, fetch);
}

switch (way) {
  case "own":
    serveOwn();
    break;
  case "adopted":
    await serveAdopted();
    break;
  case "neutral":
    await serveNeutral("native");
    break;
  case "portable":
    await serveNeutral("node");
    break;
  default:
    throw new Error(
      `Choosing a way to serve: expected own, adopted, neutral or portable, found ` +
        JSON.stringify(way),
    );
}
