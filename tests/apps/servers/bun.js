import process from "node:process";
import { port } from "./port.js";
import { answerWork } from "./work.ts";

const server = Bun.serve({ port, fetch: answerWork });
process.on("SIGTERM", async () => {
  await server.stop();
  process.exit(0);
});
