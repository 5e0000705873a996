import { serve } from "@hono/node-server";
import { Hono } from "hono";
import process from "node:process";
import { port } from "./port.js";
import { answerWork } from "./work.ts";

const app = new Hono();
app.get("/work", (context) => answerWork(context.req.raw));
app.post("/upload", (context) => answerWork(context.req.raw));
const server = serve({ fetch: app.fetch, port });
// As in the documentation of the adapter.
process.on("SIGTERM", () => {
  server.close((error) => process.exit(error ? 1 : 0));
});
