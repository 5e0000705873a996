/**
 * Answers with its process id on the inherited socket `web`, after work that takes
 * as many microseconds as the argument says:
 *
 *     node bench/instances_server.ts 300
 */

import { createServer } from "node:http";
import process from "node:process";
import { serve } from "../mod.ts";
import { listen } from "../src/node.ts";

const workMs = Number(process.argv[2]) / 1000;
const body = `hello from ${process.pid}\n`;

function work(): void {
  const end = performance.now() + workMs;
  while (performance.now() < end);
}

if ("Deno" in globalThis || "Bun" in globalThis) {
  await serve("web", { backend: "native" }, () => {
    work();
    return new Response(body);
  });
} else {
  const server = createServer((_request, response) => {
    work();
    response.end(body);
  });
  await listen(server, "web");
}
console.log("ready");
