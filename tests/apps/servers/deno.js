import { port } from "./port.js";
import { answerWork } from "./work.ts";

const server = Deno.serve({ port }, answerWork);
Deno.addSignalListener("SIGTERM", async () => {
  await server.shutdown();
  Deno.exit(0);
});
