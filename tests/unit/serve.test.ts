/** What `serve()` takes as a handler, and how it closes: on every system. */

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { type FetchServer, serve, type ServeHandler } from "../../mod.ts";
import * as moduleApp from "../fixtures/module_app.ts";

const ADDRESS = "tcp:127.0.0.1:0";

/** Backends that every runtime has for an address to bind. */
const BACKENDS = ["auto", "node"] as const;

type App = { fetch: ServeHandler };

function portOf({ addresses: [address] }: FetchServer): number {
  assert.ok(address !== undefined && "port" in address);
  return address.port;
}

/** Serves an app, and returns the body of the answer to one request. */
async function answerOf(
  app: App | ServeHandler,
  backend: typeof BACKENDS[number],
): Promise<string> {
  const server = await serve(ADDRESS, { backend }, app);
  const options = { port: portOf(server), host: "127.0.0.1", agent: false };
  const [response] = await once(
    http.get({ ...options, path: "/a" }),
    "response",
  );
  const body = await text(response);
  await server.shutdown();
  return body;
}

class Counter {
  #answered = 0;

  fetch(request: Request): Response {
    this.#answered++;
    return new Response(`${this.#answered} ${new URL(request.url).pathname}`);
  }
}

/** Throws wherever something other than `fetch` is read from the app. */
function guarded(app: App, reads: PropertyKey[]): App {
  return new Proxy(app, {
    get(target, name) {
      reads.push(name);
      if (name !== "fetch") throw new Error(`${String(name)} was read`);
      return target.fetch;
    },
    has: (_, name) => assert.fail(`${String(name)} was looked for`),
    ownKeys: () => assert.fail("the keys were listed"),
    getOwnPropertyDescriptor: (_, name) =>
      assert.fail(`${String(name)} was described`),
  });
}

for (const backend of BACKENDS) {
  test(`serve() with the backend ${backend} takes an app in the handler's place`, async () => {
    const fetch = () => new Response("hello");
    assert.equal(await answerOf({ fetch }, backend), "hello");
    assert.equal(await answerOf(fetch, backend), "hello");
  });

  test(`serve() with the backend ${backend} takes the default export of a module`, async () => {
    assert.equal(await answerOf(moduleApp.default, backend), "/a of a module");
  });

  test(`serve() with the backend ${backend} calls fetch on the app`, async () => {
    assert.equal(await answerOf(new Counter(), backend), "1 /a");
  });

  test(`serve() with the backend ${backend} leaves onError of an app alone`, async (t) => {
    const printed = t.mock.method(console, "error", () => {});
    let calls = 0;
    const app = {
      fetch: (): Response => {
        throw new Error("on purpose");
      },
      onError: () => void calls++,
    };
    assert.equal(await answerOf(app, backend), "Internal Server Error");
    assert.equal(calls, 0);
    assert.equal(printed.mock.callCount(), 1);
  });

  test(`serve() with the backend ${backend} reads fetch of an app only`, async () => {
    const reads: PropertyKey[] = [];
    const app = guarded({ fetch: () => new Response("hello") }, reads);
    assert.equal(await answerOf(app, backend), "hello");
    assert.deepEqual(reads, ["fetch"]);
  });

  test(`serve() with the backend ${backend} passes the server and a signal`, async () => {
    let own: unknown;
    const signals: AbortSignal[] = [];
    const server = await serve(ADDRESS, { backend }, (_, info) => {
      own = info.server;
      signals.push(info.shutdownSignal);
      return new Response(info.remoteAddress?.kind);
    });
    const target = { port: portOf(server), host: "127.0.0.1", agent: false };
    for (let round = 0; round < 2; round++) {
      const [response] = await once(http.get(target), "response");
      assert.equal(await text(response), "ipv4");
    }
    const members = { deno: "finished", bun: "requestIP", node: "listening" };
    assert.ok(members[server.backend] in (own as object));
    assert.equal(signals[0], signals[1]);
    assert.equal(signals[0], server.shutdownSignal);
    assert.equal(server.shutdownSignal.aborted, false);
    await server.shutdown();
    assert.equal(server.shutdownSignal.aborted, true);
    assert.equal((signals[0]!.reason as Error).name, "AbortError");
  });

  test(`serve() with the backend ${backend} closes at once when its signal is aborted`, async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const begun = Promise.withResolvers<AbortSignal>();
    // A graceful shutdown would wait for the handler forever.
    const gracefulShutdown = { signals: [], timeout: Infinity };
    const options = { backend, signal, gracefulShutdown };
    const server = await serve(ADDRESS, options, (_, info) => {
      begun.resolve(info.shutdownSignal);
      return new Promise<Response>(() => {});
    });
    const client = net.connect(portOf(server), "127.0.0.1");
    client.on("error", () => {});
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const shutdownSignal = await begun.promise;
    const closed = once(client.resume(), "close");
    controller.abort();
    assert.equal(shutdownSignal.aborted, true);
    await closed;
    await server.finished;
  });

  test(`serve() with the backend ${backend} closes at once with a signal that is aborted before`, async () => {
    const signal = AbortSignal.abort();
    const server = await serve(
      ADDRESS,
      { backend, signal },
      () => new Response("never"),
    );
    await server.finished;
  });
}

test("serve() rejects what is neither a handler nor an app", async () => {
  for (const app of [undefined, null, {}, { fetch: 1 }, "fetch"]) {
    await assert.rejects(
      serve(ADDRESS, app as unknown as App),
      new RegExp(
        `^TypeError: .*: expected a handler function or an app with a fetch ` +
          `method, found ${typeof app}$`,
      ),
    );
  }
});
