// @ts-nocheck: Deno has no types of Bun; where it is compiled, this line is gone

// What a program of TypeScript does with `./bun`: compiled with Bun's types,
// which are then those of the functions.

import { listen, serve, udpSocket } from "@listenfds/listenfds/bun";

export async function main(): Promise<void> {
  const server = await serve("web", {
    fallback: { port: 8080 },
    routes: { "/": new Response("hello\n") },
    fetch: () => new Response("not here\n", { status: 404 }),
  });
  const own: ReturnType<typeof Bun.serve> = server;
  const url: URL = own.url;
  const listener = await listen("echo", {
    socket: {
      data(socket, data) {
        const written: number = socket.write(data);
        if (written < data.length) socket.end();
      },
    },
  });
  const port: number = listener.port;
  const socket = await udpSocket("dns", {
    socket: {
      data(from, data, port, host) {
        const sent: boolean = from.send(data, port, host);
        if (!sent) from.close();
      },
    },
  });
  console.log(url.href, port, socket.port);
}
