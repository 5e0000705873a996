/**
 * A service with up to three sockets, on Deno, Bun and Node 22.18 or later:
 * HTTP on `web` and `admin`, a line echo on `echo`. It serves whichever of them
 * it was handed, and ends on SIGTERM with the status 0.
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

/** How each name is served. */
const services: Record<string, (name: string) => Promise<void>> = {
  web: serveHello,
  admin: serveHello,
  echo: serveEcho,
};

async function serveHello(name: string): Promise<void> {
  const { addresses } = await serve(
    name,
    () => new Response(`hello from ${runtime} on ${name}\n`),
  );
  report(name, addresses);
}

async function serveEcho(name: string): Promise<void> {
  const listener = await listen(name);
  report(name, listener.addresses);
  const open = new Set<{ close(): void }>();
  // Only the program knows when a connection of `listen` may end.
  process.once("SIGTERM", () => {
    listener.close();
    for (const connection of open) connection.close();
  });
  (async () => {
    for await (const connection of listener) {
      open.add(connection);
      // A client that goes away in the middle is no error of the service.
      connection.readable.pipeTo(connection.writable)
        .catch(() => connection.close())
        .finally(() => open.delete(connection));
    }
  })();
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
await Promise.all(activated.names.map((name) => services[name]!(name)));
activated.complete();
