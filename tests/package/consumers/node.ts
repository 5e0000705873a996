// What a program of TypeScript does with `./node`, and with `.` beside it:
// compiled with the types of Node.

import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import { createSecureServer } from "node:http2";
import { type Address, serve } from "@listenfds/listenfds";
import { bind, listen } from "@listenfds/listenfds/node";

export async function main(): Promise<void> {
  const server = createServer((_, response) => response.end("hello\n"));
  const addresses: readonly (Address | undefined)[] = await listen(
    server,
    "web",
    { fallback: { port: 8080 } },
  );
  await listen(createSecureServer(), "tls");
  const bound: Address | undefined = await bind(createSocket("udp4"), "dns");
  const fetching = await serve(
    "admin",
    () => new Response([...addresses, bound].join()),
  );
  await fetching.finished;
}
