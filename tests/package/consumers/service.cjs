// The same for Node as CommonJS.

const { createServer } = require("node:http");
const { activation, serve } = require("@listenfds/listenfds");
const { parseListenAddress } = require("@listenfds/listenfds/core");
const { listen } = require("@listenfds/listenfds/node");

async function main() {
  const names = activation().names;
  if (names.join() !== "neutral,node") throw new Error(`found ${names}`);
  const fetching = await serve("neutral", () => {
    return new Response("hello from neutral\n");
  });
  const server = createServer((_, response) => {
    response.end("hello from node\n");
  });
  await listen(server, parseListenAddress("systemd:node"));
  activation().complete();
  process.once("SIGTERM", async () => {
    server.close();
    await fetching.shutdown();
    process.exit(0);
  });
}

main();
