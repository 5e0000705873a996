// Hono on Bun's and Deno's own servers.
import { Hono } from "hono";
import { port } from "./port.js";
import { answerWork } from "./work.ts";

const app = new Hono();
app.get("/work", (context) => answerWork(context.req.raw));
app.post("/upload", (context) => answerWork(context.req.raw));
if (globalThis.Deno) Deno.serve({ port }, app.fetch);
// What Bun serves when the program has been loaded.
export default { port, fetch: app.fetch };
