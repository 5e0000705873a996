/**
 * A service that does with each of its descriptors what its arguments say, such
 * as `serve=web listen=echo`, and tells on request what it was given.
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import dgram from "node:dgram";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import process from "node:process";
import { parseArgs } from "node:util";
import {
  activation,
  ActivationError,
  adopt,
  type Connection,
  connection,
  type EndOptions,
  listen,
  serve,
} from "../../../mod.ts";
import * as bun from "../../../src/bun.ts";
import * as deno from "../../../src/deno.ts";
import * as node from "../../../src/node.ts";
import { answerNode, workBody } from "../load/work.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** Ends with an error before serving while this file is there. */
    "fail-while": { type: "string" },
    /** The options of how the servers end, as JSON. */
    end: { type: "string", default: "{}" },
    /** End the process at once on SIGTERM. */
    exit: { type: "boolean", default: false },
  },
});

const runtime = "Deno" in globalThis
  ? "deno"
  : "Bun" in globalThis
  ? "bun"
  : "node";

const end: EndOptions = values.exit
  ? { gracefulShutdown: false }
  : JSON.parse(values.end);

async function handle(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  switch (pathname) {
    case "/work": {
      const milliseconds = Number(searchParams.get("ms") ?? 0);
      if (milliseconds > 0) {
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
      }
      return new Response(workBody(searchParams.get("id") ?? ""));
    }
    case "/upload": {
      const hash = createHash("sha256");
      for await (const chunk of request.body!) hash.update(chunk);
      return new Response(hash.digest("hex"));
    }
    case "/fill": {
      const size = Number(searchParams.get("mib")) * 2 ** 20;
      return new Response(String(Buffer.alloc(size, 1).length));
    }
    case "/block": {
      const until = Date.now() + Number(searchParams.get("ms"));
      while (Date.now() < until);
      return new Response("blocked\n");
    }
    case "/pid":
      return new Response(String(process.pid));
    default:
      return Response.json(about);
  }
}

/** The same for a server of `node:http`. */
const handleNode = (
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> => answerNode(handle, request, response);

function echo({ readable, writable, close }: Connection): void {
  readable.pipeTo(writable).catch(close);
}

/** The part of Bun that is used here. */
interface Bun {
  serve(options: object): { stop(now?: boolean): Promise<void> };
}

/** Ways to use a name; they return a function that stops, if SIGTERM doesn't. */
const ways: Record<string, (name: string) => Promise<void | (() => unknown)>> =
  {
    async serve(name) {
      await serve(name, end, handle);
    },
    async portable(name) {
      await serve(name, { ...end, backend: "node" }, handle);
    },
    async native(name) {
      if (runtime === "deno") await deno.serve(name, end, handle);
      else await bun.serve(name, { ...end, fetch: handle } as never);
    },
    async http(name) {
      await node.listen(http.createServer(handleNode), name, end);
    },
    /** As one would without a way to drain: the runtime's own server and end. */
    async naive(name) {
      const descriptor = activation()!.claimOne(name);
      if (runtime === "deno") {
        const server = await adopt(descriptor, {
          create: (placeholder) =>
            Deno.serve(placeholder as Deno.ServeTcpOptions, handle),
          close: (created) => created.shutdown(),
        });
        return () => server.shutdown();
      }
      if (runtime === "bun") {
        const { Bun } = globalThis as unknown as { Bun: Bun };
        const server = await adopt(descriptor, {
          create: (placeholder) => Bun.serve({ ...placeholder, fetch: handle }),
          close: (created) => created.stop(true),
        });
        return () => server.stop();
      }
      const server = http.createServer(handleNode);
      server.listen({ fd: descriptor.fd }, 65535);
      await once(server, "listening");
      return () => server.close();
    },
    async listen(name) {
      const listener = await listen(name);
      (async () => {
        for await (const accepted of listener) echo(accepted);
      })();
      return () => listener.close();
    },
    async connection(name) {
      const { readable, writable } = await connection(name);
      await readable.pipeTo(writable);
    },
    async udp(name) {
      if (runtime === "deno") {
        const socket = await deno.listenDatagram(name);
        (async () => {
          for await (const [data, from] of socket) {
            await socket.send(data, from);
          }
        })();
        return () => socket.close();
      }
      const socket = dgram.createSocket("udp4");
      socket.on("message", (data, { port, address }) => {
        socket.send(data, port, address);
      });
      await node.bind(socket, name);
      return () => socket.close();
    },
    async bunUdp(name) {
      const socket = await bun.udpSocket(name, {
        socket: {
          data(
            own: { send(data: Uint8Array, port: number, to: string): void },
            ...[data, port, from]: [Uint8Array, number, string]
          ) {
            own.send(data, port, from);
          },
        },
      } as never);
      return () => (socket as unknown as { close(): void }).close();
    },
    /** Reads what is in a FIFO now, and tells it. */
    async fifo(name) {
      const { fd } = activation()!.claimOne(name);
      try {
        // Deno's node:fs knows only numbers of its own.
        const own = runtime === "deno"
          ? fs.openSync(`/proc/self/fd/${fd}`, "r")
          : fd;
        const buffer = new Uint8Array(100);
        const length = fs.readSync(own, buffer, 0, buffer.length, null);
        about.fifo = new TextDecoder().decode(buffer.subarray(0, length));
      } catch (error) {
        about.fifo = (error as Error).name;
      }
      await Promise.resolve();
    },
    /** Serves what can't be served; the error is told with the rest. */
    async refused(name) {
      try {
        await serve(name, handle);
      } catch (error) {
        if (!(error instanceof ActivationError)) throw error;
        const { code, message } = error;
        const unclaimed = activation()!.unclaimed.map(({ name }) => name);
        about.refused = { code, message, unclaimed };
      }
    },
  };

const activated = activation();
const about = {
  pid: process.pid,
  runtime,
  names: activated?.names,
  descriptors: activated?.descriptors.map(({ fd, name, info }) => ({
    fd,
    name,
    kind: info.kind,
    address: info.address,
    nonBlocking: info.nonBlocking,
  })),
  refused: undefined as unknown,
  fifo: undefined as string | undefined,
};

const failing = values["fail-while"];
if (failing !== undefined && fs.existsSync(failing)) {
  console.error("failing on purpose");
  process.exit(1);
}
const stops: (() => unknown)[] = values.exit ? [() => process.exit(0)] : [];
// Without one, the signal has its usual effect, as without a handler.
const onStop = () => {
  for (const stop of stops) stop();
};
for (const argument of positionals) {
  const [way, name] = argument.split("=");
  const stop = await ways[way!]!(name!);
  if (stop !== undefined) stops.push(stop);
}
if (stops.length > 0) process.once("SIGTERM", onStop);
console.log(`ready ${JSON.stringify(about)}`);
