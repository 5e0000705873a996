/**
 * Serves `web` on a socket that it binds itself, and that the service manager
 * stores, and stores a listener, `raw`, by its own.
 */

import process from "node:process";
import { activation, type FetchServer, listen, serve } from "../../../mod.ts";
import { removeStored, storeDescriptor } from "../../../src/notify.ts";
import { workBody } from "../load/work.ts";

const names = activation()?.names ?? [];
const fallback = { hostname: "127.0.0.1", port: 8080, store: true } as const;
let server: FetchServer = await open();

function open(): Promise<FetchServer> {
  const gracefulShutdown = { timeout: 50_000 };
  return serve("web", { fallback, gracefulShutdown }, answer);
}

async function answer(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  switch (pathname) {
    case "/about":
      return Response.json({
        pid: process.pid,
        names,
        backend: server.backend,
      });
    case "/again":
      void server.shutdown().then(async () => {
        server = await open();
        console.log("serving again");
      });
      break;
    case "/remove":
      return Response.json(await removeStored(searchParams.get("name")!));
    case "/store":
      return Response.json(
        await storeDescriptor("again", server).catch((error: Error) =>
          error.message
        ),
      );
  }
  const milliseconds = Number(searchParams.get("ms") ?? 0);
  if (milliseconds > 0) {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
  return new Response(workBody(searchParams.get("id") ?? ""));
}

if (process.argv[2] === "raw") {
  const isStored = names.includes("raw");
  const listener = await listen(
    "raw",
    isStored ? {} : { fallback: { hostname: "127.0.0.1", port: 8081 } },
  );
  if (!isStored) console.log(await storeDescriptor("raw", listener));
  for await (const { readable, writable } of listener) {
    readable.pipeTo(writable).catch(() => {});
  }
}
