import { fastify } from "fastify";
import process from "node:process";
import { port } from "./port.js";
import { handle } from "./work_node.js";

const app = fastify();
// Bodies are streams.
app.removeAllContentTypeParsers();
app.addContentTypeParser("*", (_, payload, done) => done(null, payload));
const hijack = (request, reply) => {
  reply.hijack();
  return handle(request.raw, reply.raw);
};
app.get("/work", hijack);
app.post("/upload", hijack);
await app.listen({ port, host: "0.0.0.0" });
process.on("SIGTERM", async () => {
  await app.close();
  process.exit(0);
});
