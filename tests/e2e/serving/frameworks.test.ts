/** Frameworks, unchanged, on inherited sockets. */

import assert from "node:assert/strict";
import path from "node:path";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { connect, request } from "../../harness/client.ts";
import {
  forEachHost,
  type Host,
  HOSTS,
  hostsWith,
  ROOT,
} from "../../harness/hosts.ts";
import { type Program, startActivated } from "../../harness/program.ts";
import {
  assertListensOnly,
  bindSockets,
  type HandedSocket,
} from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

/** Starts a program of `tests/fixtures/frameworks` with a TCP socket, `web`. */
async function startFramework(
  t: TestContext,
  host: Host,
  name: string,
  variables?: string,
): Promise<{ program: Program; socket: HandedSocket }> {
  const script = path.join(ROOT, `tests/fixtures/frameworks/${name}.ts`);
  const command = host.command(script).map((argument) =>
    variables !== undefined && argument.startsWith("--allow-env=")
      ? `${argument},${variables}`
      : argument
  );
  return await bindSockets(["web=tcp:127.0.0.1:0"], ([socket]) => ({
    program: startActivated(t, command, [socket!]),
    socket: socket!,
  }));
}

interface Framework {
  readonly name: string;
  readonly runtimes: readonly Host["runtime"][];
  /** The body of the answer where there is no route. */
  readonly notFound: RegExp;
  /** The variables that it reads, which Deno must allow. */
  readonly variables?: string;
}

const FRAMEWORKS: readonly Framework[] = [
  {
    name: "hono",
    runtimes: ["deno", "bun", "node"],
    notFound: /^404 Not Found$/,
  },
  {
    name: "srvx",
    runtimes: ["deno", "bun", "node"],
    notFound: /^nothing here\n$/,
    variables: "PORT,HOST",
  },
  {
    name: "h3",
    runtimes: ["deno", "bun", "node"],
    notFound: /"status":404/,
    variables: "PORT,HOST",
  },
  {
    name: "itty",
    runtimes: ["deno", "bun", "node"],
    notFound: /"status":404/,
  },
  {
    name: "elysia_app",
    runtimes: ["deno", "bun", "node"],
    notFound: /^NOT_FOUND$/,
    variables: "NODE_ENV,ENV,ELYSIA_AOT",
  },
  { name: "elysia", runtimes: ["bun"], notFound: /^NOT_FOUND$/ },
  { name: "express", runtimes: ["node"], notFound: /Cannot GET \/nowhere/ },
  {
    name: "fastify",
    runtimes: ["node"],
    notFound: /"Route GET:\/nowhere not found"/,
  },
];

for (const { name, runtimes, notFound, variables } of FRAMEWORKS) {
  const hosts = HOSTS.filter(({ runtime }) => runtimes.includes(runtime));
  forEachHost(hosts, (host) => {
    test(`${name} on ${host.label} serves its routes on an inherited socket`, async (t) => {
      const { program, socket } = await startFramework(
        t,
        host,
        name,
        variables,
      );
      const web = { hostname: "127.0.0.1", port: socket.port };
      // What comes before the program listens waits in the socket's queue.
      const hello = await program.whileRunning(
        "an answer",
        request(web, { path: "/hello/world" }),
      );
      assert.deepEqual([hello.status, hello.body], [200, "hello world\n"]);
      const nowhere = await request(web, { path: "/nowhere" });
      assert.equal(nowhere.status, 404);
      assert.match(nowhere.body, notFound);
      const sent = { text: "hello", list: [1, 2, 3] };
      const echo = await request(
        web,
        {
          path: "/echo",
          method: "POST",
          headers: { "content-type": "application/json" },
        },
        JSON.stringify(sent),
      );
      assert.equal(echo.status, 200);
      assert.match(echo.headers["content-type"]!, /^application\/json/);
      assert.deepEqual(JSON.parse(echo.body), sent);
      assertListensOnly(program, [socket]);
      assert.equal(await program.terminate(), 0, program.stderr);
      // With an empty cache, Deno reports what it downloads.
      assert.equal(program.stderr.replace(/^Download .*\n/gm, ""), "");
    });
  });
}

forEachHost(hostsWith({ runtime: "bun" }), (host) => {
  test(`hono/bun on ${host.label} finds Bun's own server`, async (t) => {
    const { program, socket } = await startFramework(t, host, "hono_bun");
    const { port } = socket;
    const client = await connect({ port: port!, host: "127.0.0.1" });
    t.after(() => client.destroy());
    const { localPort } = client;
    client.write(
      "GET /client HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    const answer = await program.whileRunning("an answer", text(client));
    assert.deepEqual(JSON.parse(answer.split("\r\n\r\n")[1]!), {
      address: "127.0.0.1",
      addressType: "IPv4",
      port: localPort,
    });
    assert.equal(await program.terminate(), 0, program.stderr);
  });
});

forEachHost(hostsWith({ runtime: "node" }), (host) => {
  test(`ws on ${host.label} echoes on an inherited socket`, async (t) => {
    const { program, socket } = await startFramework(t, host, "ws");
    const client = new WebSocket(`ws://127.0.0.1:${socket.port}/`);
    const closed = new Promise<CloseEvent>((resolve) =>
      client.addEventListener("close", resolve, { once: true })
    );
    const next = () =>
      program.whileRunning(
        "an answer",
        new Promise<MessageEvent>((resolve, reject) => {
          client.addEventListener("message", resolve, { once: true });
          client.addEventListener("error", reject, { once: true });
        }),
      );
    client.binaryType = "arraybuffer";
    client.addEventListener("open", () => client.send("hello"), { once: true });
    assert.equal((await next()).data, "hello");
    const bytes = Uint8Array.from(
      { length: 70_000 },
      (_, index) => index % 251,
    );
    const echo = next();
    client.send(bytes);
    assert.deepEqual(new Uint8Array((await echo).data), bytes);
    assertListensOnly(program, [socket]);
    assert.equal(await program.terminate(), 0, program.stderr);
    assert.equal((await closed).code, 1001);
    assert.equal(program.stderr, "");
  });
});
