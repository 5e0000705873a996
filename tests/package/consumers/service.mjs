// A service of a project that the package is installed in. It serves each name
// in another way, and ends on SIGTERM.

import { createServer } from "node:http";
import process from "node:process";
import { activation, ActivationError, serve } from "@listenfds/listenfds";
import { parseListenAddress } from "@listenfds/listenfds/core";
import { listen } from "@listenfds/listenfds/node";

const servers = [];
for (const name of activation().names) servers.push(await start(name));
activation().complete();
process.once("SIGTERM", async () => {
  await Promise.all(servers.map((server) => server.stop()));
  process.exit(0);
});

async function start(name) {
  const answer = () => new Response(`hello from ${name}\n`);
  switch (name) {
    case "neutral": {
      const server = await serve(name, answer);
      return { stop: () => server.shutdown() };
    }
    case "node": {
      const server = createServer((_, response) => {
        response.end(`hello from ${name}\n`);
      });
      await listen(server, parseListenAddress(`systemd:${name}`));
      return { stop: () => server.close() };
    }
    case "deno": {
      const { serve } = await import("@listenfds/listenfds/deno");
      const server = await serve(name, answer);
      return { stop: () => server.shutdown() };
    }
    case "bun": {
      const { serve } = await import("@listenfds/listenfds/bun");
      const server = await serve(name, { fetch: answer });
      return { stop: () => server.stop() };
    }
    default:
      throw new ActivationError("missing-name", `an unexpected name: ${name}`);
  }
}
