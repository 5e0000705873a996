/**
 * A program that knows nothing of the library: it listens on port 3000, and ends
 * as its documentation says. Its argument is what it is made of.
 */

import { createHash } from "node:crypto";
import cluster from "node:cluster";
import http from "node:http";
import process from "node:process";
import { answerNode, workBody } from "../load/work.ts";

const PORT = 3000;

async function handle(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === "/upload") {
    const hash = createHash("sha256");
    for await (const chunk of request.body!) hash.update(chunk);
    return new Response(hash.digest("hex"));
  }
  const milliseconds = Number(searchParams.get("ms") ?? 0);
  if (milliseconds > 0) {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
  return new Response(workBody(searchParams.get("id") ?? String(process.pid)));
}

/** The same for a server of `node:http`. */
const handleNode = (
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> => answerNode(handle, request, response);

/** Closes a server, and ends, as Node's documentation shows it. */
function closeOnSignal(server: http.Server): void {
  process.on("SIGTERM", () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}

interface BunGlobal {
  serve(options: object): { stop(now?: boolean): Promise<void> };
}

const ways: Record<string, () => unknown> = {
  http() {
    closeOnSignal(http.createServer(handleNode).listen(PORT));
  },
  cluster() {
    if (!cluster.isPrimary) {
      return void http.createServer(handleNode).listen(PORT);
    }
    cluster.fork();
    cluster.fork();
  },
  async express() {
    const { default: express } = await import("express");
    const app = express();
    app.use((request, response) => void handleNode(request, response));
    closeOnSignal(app.listen(PORT));
  },
  async fastify() {
    const { fastify } = await import("fastify");
    const app = fastify();
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", (_, payload, done) => done(null, payload));
    app.all("/*", (request, reply) => {
      reply.hijack();
      return handleNode(request.raw, reply.raw);
    });
    await app.listen({ port: PORT, host: "0.0.0.0" });
    process.on("SIGTERM", async () => {
      await app.close();
      process.exit(0);
    });
  },
  deno() {
    const server = Deno.serve({ port: PORT }, handle);
    Deno.addSignalListener("SIGTERM", async () => {
      await server.shutdown();
      Deno.exit(0);
    });
  },
  bun() {
    const { Bun } = globalThis as unknown as { Bun: BunGlobal };
    const server = Bun.serve({ port: PORT, fetch: handle });
    process.on("SIGTERM", async () => {
      await server.stop();
      process.exit(0);
    });
  },
  async elysia() {
    const { Elysia } = await import("elysia");
    const app = new Elysia({ aot: false }).mount(handle);
    app.listen(PORT);
    process.on("SIGTERM", async () => {
      await app.stop();
      process.exit(0);
    });
  },
  async hono() {
    const { Hono } = await import("hono");
    const app = new Hono().all("*", (context) => handle(context.req.raw));
    const { fetch } = app;
    if ("Deno" in globalThis) return void Deno.serve({ port: PORT }, fetch);
    const { Bun } = globalThis as unknown as { Bun: BunGlobal };
    Bun.serve({ port: PORT, fetch });
  },
};

await ways[process.argv[2]!]!();
