/** The load generator sees what goes wrong, and nothing else. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import {
  setImmediate as nextTurn,
  setTimeout as sleep,
} from "node:timers/promises";
import type { TestContext } from "node:test";
import { type FailureKind, FAILURES } from "./load/http_client.ts";
import { failed, type Group, LoadGenerator } from "./load/load.ts";
import { workBody } from "./load/work.ts";
import { eventually } from "../harness/eventually.ts";
import { test } from "../harness/timed_test.ts";

const GROUP: Group = {
  name: "test",
  clients: 4,
  keepAlive: false,
  handlerMs: 0,
  pauseMs: 5,
};

/** Listens, and gives the port. */
async function listen(t: TestContext, server: net.Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

/** Loads a port until there are this many failures or answers; then stops. */
async function load(
  port: number,
  count: number,
  groups: readonly Group[] = [GROUP],
  timeoutMs = 30_000,
): Promise<LoadGenerator["report"]> {
  const generator = new LoadGenerator({ port, groups, timeoutMs });
  await eventually(
    `${count} requests of each group to be over`,
    () => Object.values(generator.report),
    (report) =>
      report.every((counts) => counts.answered + failed(counts) >= count),
  );
  return await generator.stop();
}

/** Faults of a server, and the kinds of failures that they count as. */
const FAULTS: Record<string, [
  FailureKind,
  (socket: net.Socket, id: string) => unknown,
]> = {
  "closes a connection without an answer": ["reset", (socket) => socket.end()],
  "resets a connection": ["reset", (socket) => socket.resetAndDestroy()],
  "ends within the head": [
    "truncated",
    (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-le"),
  ],
  "ends within the body": [
    "truncated",
    (socket, id) => socket.end(answer(workBody(id)).slice(0, -1)),
  ],
  "resets within the body": ["truncated", (socket, id) => {
    socket.write(answer(workBody(id)).slice(0, -1));
    // The client, in this process, reads what has come between the two.
    setImmediate(() => setImmediate(() => socket.resetAndDestroy()));
  }],
  "ends before the last chunk": [
    "truncated",
    (socket, id) => socket.end(chunked(workBody(id)).slice(0, -5)),
  ],
  "ends within the last chunk": [
    "truncated",
    (socket, id) => socket.end(chunked(workBody(id)).slice(0, -2)),
  ],
  "answers less, and says so": [
    "wrong",
    (socket, id) => socket.end(answer(workBody(id).slice(0, -1))),
  ],
  "answers for another one": [
    "wrong",
    (socket, id) => socket.end(answer(workBody(`${id}0`))),
  ],
  "answers with an error": [
    "wrong",
    (socket, id) =>
      socket.end(answer(workBody(id)).replace("200 OK", "503 No")),
  ],
  "answers twice": [
    "wrong",
    (socket, id) => socket.end(answer(workBody(id)).repeat(2)),
  ],
  "doesn't answer": ["timeout", () => {}],
  "doesn't finish": [
    "timeout",
    (socket, id) => socket.write(answer(workBody(id)).slice(0, -1)),
  ],
};

function answer(body: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

function chunked(body: string): string {
  const size = body.length.toString(16);
  return "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" +
    `${size}\r\n${body}\r\n0\r\n\r\n`;
}

for (const [what, [kind, act]] of Object.entries(FAULTS)) {
  test(`the load generator counts a server that ${what}`, async (t) => {
    const port = await listen(
      t,
      net.createServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", (data) => {
          act(socket, /id=([^&]*)/.exec(String(data))![1]!);
        });
      }),
    );
    // Soon only where it has to come: a loaded machine answers late, too.
    const timeoutMs = kind === "timeout" ? 500 : undefined;
    const counts = (await load(port, 8, [GROUP], timeoutMs))["test"]!;
    assert.ok(counts[kind] >= 8);
    assert.equal(failed(counts), counts[kind]);
    assert.equal(counts.answered, 0);
    assert.match(counts.messages[0]!, new RegExp(`^${kind}: `));
  });
}

test("the load generator counts a server that is not there", async (t) => {
  const server = net.createServer();
  const port = await listen(t, server);
  server.close();
  await once(server, "close");
  const counts = (await load(port, 8))["test"]!;
  assert.ok(counts.refused >= 8);
  assert.equal(failed(counts), counts.refused);
});

test("the load generator counts one wrong answer among many", async (t) => {
  let requests = 0;
  const server = http.createServer((request, response) => {
    const id = new URL(request.url!, "http://x").searchParams.get("id")!;
    if (++requests === 100) return void request.socket.destroy();
    response.end(workBody(id));
  });
  const keepAlive = { ...GROUP, keepAlive: true };
  const counts = (await load(await listen(t, server), 200, [keepAlive]))[
    "test"
  ]!;
  assert.equal(counts.reset, 1);
  assert.equal(failed(counts), 1);
  // Four, and one for that which was lost.
  assert.equal(counts.connections, 5);
});

test("the load generator counts no failure of a server that has none", async (t) => {
  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url!, "http://x");
    if (request.method === "GET") {
      const { searchParams } = url;
      const delay = Number(searchParams.get("ms"));
      await sleep(delay);
      // The second half may come later.
      const body = workBody(searchParams.get("id")!);
      response.write(body.slice(0, 100));
      response.end(body.slice(100));
      return;
    }
    const hash = createHash("sha256");
    for await (const chunk of request) hash.update(chunk);
    response.end(hash.digest("hex"));
  });
  const report = await load(
    await listen(t, server),
    20,
    [false, true].flatMap((keepAlive) => [
      { ...GROUP, name: `fast ${keepAlive}`, keepAlive },
      { ...GROUP, name: `slow ${keepAlive}`, keepAlive, handlerMs: 50 },
      {
        ...GROUP,
        name: `upload ${keepAlive}`,
        keepAlive,
        content: "upload",
        handlerMs: 50,
      },
    ]),
  );
  assert.equal(Object.keys(report).length, 6);
  for (const [name, counts] of Object.entries(report)) {
    assert.ok(counts.answered >= 20);
    for (const kind of FAILURES) assert.equal(counts[kind], 0);
    const { connections } = counts;
    if (name.endsWith("true")) assert.equal(connections, GROUP.clients);
    else assert.equal(connections, counts.answered);
  }
});

test("the load generator takes no announced end of a connection for a failure", async (t) => {
  const server = http.createServer((request, response) => {
    const id = new URL(request.url!, "http://x").searchParams.get("id")!;
    if (Math.random() < 0.5) response.setHeader("connection", "close");
    response.end(workBody(id));
  });
  const keepAlive = { ...GROUP, keepAlive: true };
  const counts = (await load(await listen(t, server), 100, [keepAlive]))[
    "test"
  ]!;
  assert.equal(failed(counts), 0);
  assert.ok(counts.connections > 10);
  assert.ok(counts.connections < counts.answered);
});

test("the load generator sends nothing on a connection that has ended while it stalled", async (t) => {
  const server = http.createServer((request, response) => {
    const id = /id=([\d-]+)/.exec(request.url!)![1]!;
    response.end(workBody(id));
  });
  const port = await listen(t, server);
  const generator = new LoadGenerator({
    port,
    groups: [{ ...GROUP, clients: 1, keepAlive: true }],
    timeoutMs: 30_000,
  });
  const counts = generator.report["test"]!;
  for (let round = 1; round <= 10; round++) {
    const over = counts.answered + failed(counts);
    // Right after the answer was read, the pause of the client has begun.
    while (counts.answered + failed(counts) === over) await nextTurn();
    server.closeIdleConnections();
    // The pause ends meanwhile, and no input is read.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
  await generator.stop();
  assert.equal(failed(counts), 0, JSON.stringify(counts));
  assert.ok(counts.connections > 5);
});
