/** Frameworks, unchanged, on inherited sockets. */

import assert from "node:assert/strict";
import path from "node:path";
import { test, type TestContext } from "node:test";
import {
  parseSocketSpec,
  withSockets,
} from "../../src/cli/activator/activator.ts";
import {
  assertListensOnly,
  type Handed,
  type Host,
  HOSTS,
  type Program,
  request,
  ROOT,
  start,
  withInode,
} from "./harness.ts";

/** Starts a program of `tests/fixtures/frameworks` with a TCP socket, `web`. */
async function startFramework(
  t: TestContext,
  host: Host,
  name: string,
  variables?: string,
): Promise<{ program: Program; socket: Handed }> {
  const script = path.join(ROOT, `tests/fixtures/frameworks/${name}.ts`);
  const command = host.command(script).map((argument) =>
    variables !== undefined && argument.startsWith("--allow-env=")
      ? `${argument},${variables}`
      : argument
  );
  return await withSockets(
    [parseSocketSpec("web=tcp:127.0.0.1:0")],
    ([bound]) => ({
      program: start(t, command, [bound!]),
      socket: withInode(bound!),
    }),
  );
}

interface Framework {
  readonly name: string;
  readonly runtimes: readonly Host["runtime"][];
  /** What it says where there is no route. */
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
  { name: "elysia", runtimes: ["bun"], notFound: /^NOT_FOUND$/ },
  { name: "express", runtimes: ["node"], notFound: /Cannot GET \/nowhere/ },
  {
    name: "fastify",
    runtimes: ["node"],
    notFound: /"Route GET:\/nowhere not found"/,
  },
];

for (const { name, runtimes, notFound, variables } of FRAMEWORKS) {
  for (
    const host of HOSTS.filter(({ runtime }) => runtimes.includes(runtime))
  ) {
    test(`${name} on ${host.label} serves its routes on an inherited socket`, async (t) => {
      const { program, socket } = await startFramework(
        t,
        host,
        name,
        variables,
      );
      const web = { hostname: "127.0.0.1", port: socket.port };
      // What comes before the program listens waits in the socket's queue.
      const hello = await answered(
        program,
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
      // With an empty cache, Deno tells what it looks up in the registry.
      assert.equal(program.stderr.replace(/^Download .*\n/gm, ""), "");
    });
  }
}

for (const host of HOSTS.filter(({ runtime }) => runtime === "node")) {
  test(`ws on ${host.label} echoes on an inherited socket`, async (t) => {
    const { program, socket } = await startFramework(t, host, "ws");
    const client = new WebSocket(`ws://127.0.0.1:${socket.port}/`);
    const closed = new Promise<CloseEvent>((resolve) =>
      client.addEventListener("close", resolve, { once: true })
    );
    const next = () =>
      answered(
        program,
        new Promise<MessageEvent>((resolve, reject) => {
          client.addEventListener("message", resolve, { once: true });
          client.addEventListener("error", reject, { once: true });
        }),
      );
    client.binaryType = "arraybuffer";
    client.addEventListener("open", () => client.send("hello"), { once: true });
    assert.equal((await next()).data, "hello");
    const bytes = Uint8Array.from({ length: 70_000 }, (_, at) => at % 251);
    const echo = next();
    client.send(bytes);
    assert.deepEqual(new Uint8Array((await echo).data), bytes);
    assertListensOnly(program, [socket]);
    assert.equal(await program.terminate(), 0, program.stderr);
    assert.equal((await closed).code, 1001);
    assert.equal(program.stderr, "");
  });
}

/** Waits for an answer; if there is none, fails with what the program said. */
async function answered<T>(program: Program, answer: Promise<T>): Promise<T> {
  const ended = program.exited.then((status) => {
    throw new Error(`ended with ${status}`);
  });
  try {
    return await Promise.race([answer, ended]);
  } catch (error) {
    await program.terminate();
    const { stdout, stderr } = program;
    assert.fail(`Waiting for an answer: ${error}\n${stdout}${stderr}`);
  }
}
