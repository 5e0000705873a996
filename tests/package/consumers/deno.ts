// What a program of TypeScript does with `./deno`: compiled with Deno's types.

import {
  listen,
  listenDatagram,
  listenTls,
  serve,
} from "@listenfds/listenfds/deno";

export async function main(): Promise<void> {
  const server: Deno.HttpServer<Deno.NetAddr> = await serve(
    "web",
    { fallback: { port: 8080 }, onListen: ({ hostname }) => hostname },
    () => new Response("hello\n"),
  );
  const listener: Deno.Listener = await listen("echo");
  const secure: Deno.TlsListener = await listenTls("tls", {
    cert: "cert",
    key: "key",
  });
  const [data] = await (await listenDatagram("dns")).receive();
  console.log(data.length, listener.addr, secure.addr);
  await server.shutdown();
}
