/**
 * A program that knows nothing of the library: it listens on port 3000, and ends
 * as its documentation says. Its argument is what it is made of.
 */

import cluster from "node:cluster";
import http from "node:http";
import process from "node:process";
import { answerNode, answerWork } from "../load/work.ts";

const PORT = 3000;

/** Answers a request of `node:http`. */
const handleNode = (
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> => answerNode(answerWork, request, response);

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
    const server = Deno.serve({ port: PORT }, answerWork);
    Deno.addSignalListener("SIGTERM", async () => {
      await server.shutdown();
      Deno.exit(0);
    });
  },
  bun() {
    const { Bun } = globalThis as unknown as { Bun: BunGlobal };
    const server = Bun.serve({ port: PORT, fetch: answerWork });
    process.on("SIGTERM", async () => {
      await server.stop();
      process.exit(0);
    });
  },
  async elysia() {
    const { Elysia } = await import("elysia");
    const app = new Elysia({ aot: false }).mount(answerWork);
    app.listen(PORT);
    process.on("SIGTERM", async () => {
      await app.stop();
      process.exit(0);
    });
  },
  async hono() {
    const { Hono } = await import("hono");
    const app = new Hono().all("*", (context) => answerWork(context.req.raw));
    const { fetch } = app;
    if ("Deno" in globalThis) return void Deno.serve({ port: PORT }, fetch);
    const { Bun } = globalThis as unknown as { Bun: BunGlobal };
    Bun.serve({ port: PORT, fetch });
  },
};

await ways[process.argv[2]!]!();
