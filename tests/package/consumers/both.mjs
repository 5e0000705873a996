// A program that holds the package several times: imported, required, and in a
// copy that another dependency could have brought. What one of them has read of
// the environment, the others know.

import { createRequire } from "node:module";
import process from "node:process";
import * as imported from "@listenfds/listenfds";

const COPY = "listenfds-copy";
const copied = await import(COPY);
const required = createRequire(import.meta.url)("@listenfds/listenfds");
const activated = imported.activation();
const servers = [];
for (const [name, each] of Object.entries({ imported, required, copied })) {
  if (each.activation() !== activated) throw new Error("another activation");
  servers.push(
    await each.serve(name, () => new Response(`hello from ${name}\n`)),
  );
}
activated.complete();
process.once("SIGTERM", async () => {
  await Promise.all(servers.map((server) => server.shutdown()));
  process.exit(0);
});
