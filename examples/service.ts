/**
 * A service with up to three sockets, on Deno, Bun and Node 22.18 or later:
 * HTTP on `web` and `admin`, a line echo on `echo`. It serves whichever of them
 * it was handed, and ends on SIGTERM.
 *
 * In a project of your own, import from `jsr:@listenfds/listenfds`, or from the
 * npm package `@listenfds/listenfds`.
 */

import process from "node:process";
import {
  activation,
  formatAddress,
  inactiveReason,
  listen,
  serve,
} from "../mod.ts";

const runtime = "Deno" in globalThis
  ? "deno"
  : "Bun" in globalThis
  ? "bun"
  : "node";

/** How each name is served; each resolves to what stops it again. */
const services: Record<string, (name: string) => Promise<() => unknown>> = {
  web: serveHello,
  admin: serveHello,
  echo: serveEcho,
};

async function serveHello(name: string): Promise<() => unknown> {
  const server = await serve(
    name,
    () => new Response(`hello from ${runtime} on ${name}\n`),
  );
  report(name, server.addresses);
  return () => server.shutdown();
}

async function serveEcho(name: string): Promise<() => unknown> {
  const listener = await listen(name);
  report(name, listener.addresses);
  const open = new Set<{ close(): void }>();
  (async () => {
    for await (const connection of listener) {
      open.add(connection);
      // A client that goes away in the middle is no error of the service.
      connection.readable.pipeTo(connection.writable)
        .catch(() => connection.close())
        .finally(() => open.delete(connection));
    }
  })();
  return () => {
    listener.close();
    for (const connection of open) connection.close();
  };
}

function report(
  name: string,
  addresses: Awaited<ReturnType<typeof listen>>["addresses"],
): void {
  for (const address of addresses) {
    console.log(`serving ${name} at ${formatAddress(address)}`);
  }
}

const activated = activation();
if (activated === null) {
  console.error(inactiveReason()?.message);
  process.exit(1);
}
const unknown = activated.names.filter((name) =>
  !Object.hasOwn(services, name)
);
if (unknown.length > 0) {
  console.error(
    `Expected sockets named web, admin or echo, found ${
      JSON.stringify(unknown)
    }:` +
      ` set FileDescriptorName= in the socket unit`,
  );
  process.exit(1);
}
// Before anything is served, so that an early SIGTERM is no failure.
process.once("SIGTERM", async () => {
  await Promise.all((await started).map((stop) => stop()));
  process.exit(0);
});
const started = Promise.all(
  activated.names.map((name) => services[name]!(name)),
);
await started;
activated.complete();
