/**
 * Connects to itself over TCP and holds both ends of the connections until its
 * input ends:
 *
 *     node bench/connections.ts HOSTNAME COUNT
 *
 * It prints a line when they are open. Where there is no room for all, it holds
 * those that there is room for.
 */

import { once } from "node:events";
import net from "node:net";
import process from "node:process";

/** How many to open at once: less than the shortest backlog of a kernel. */
const BATCH = 100;

const hostname = process.argv[2]!;
const count = Number(process.argv[3]);

// Ctrl-C reaches this process, too; the end of the input is awaited all the
// same, so that the connections are reset.
process.on("SIGINT", () => {});

const server = net.createServer((socket) => socket.on("error", () => {}))
  .listen(0, hostname);
await once(server, "listening");
const { port } = server.address() as net.AddressInfo;

const clients: net.Socket[] = [];
try {
  while (clients.length < count) {
    const length = Math.min(BATCH, count - clients.length);
    const batch = Array.from({ length }, () => net.connect(port, hostname));
    clients.push(...batch);
    await Promise.all(batch.map((client) => once(client, "connect")));
  }
} catch {
  // No more descriptors or ports: the kernel's table tells how many there are.
}
console.log("open");

process.stdin.resume();
await once(process.stdin, "end");
// An orderly end would leave each in the kernel's table for another minute.
for (const client of clients) client.resetAndDestroy();
process.exit();
