/**
 * Serves `web` without options. Its argument is what it has beside that: a
 * listener of its own for SIGTERM, or a handle that keeps the process alive.
 */

import net from "node:net";
import process from "node:process";
import { serve } from "../../../mod.ts";

const extras: Record<string, () => void> = {
  none() {},
  listener() {
    process.on("SIGTERM", () => process.exit(7));
  },
  once() {
    process.once("SIGTERM", () => setTimeout(() => process.exit(7), 7000));
  },
  timer() {
    setInterval(() => {}, 60_000);
  },
  connection() {
    const database = net.createServer().unref();
    database.listen(0, "127.0.0.1", () => {
      net.connect((database.address() as net.AddressInfo).port, "127.0.0.1")
        .on("connect", () => console.log("connected"));
    });
  },
};
extras[process.argv[2]!]!();

const server = await serve("web", async (request) => {
  const ms = Number(new URL(request.url).searchParams.get("ms"));
  if (ms > 0) {
    console.log("waiting");
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
  return new Response("hello\n");
});
server.shutdownSignal.addEventListener("abort", () => {
  console.log("shutting down");
});
await server.finished;
console.log("finished");
