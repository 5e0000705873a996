/** `serve()` over real sockets: bodies, errors, odd requests, stopping. */

import assert from "node:assert/strict";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestContext } from "node:test";
import type { ServeOptions } from "../../../mod.ts";
import { activateAgent, type Agent } from "../../harness/agent.ts";
import {
  connect,
  exchange,
  request,
  type TcpTarget,
  tryConnect,
} from "../../harness/client.ts";
import { forEachHost, type Host, HOSTS } from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import {
  assertListensOnly,
  type HandedSocket,
  untilListensOnly,
} from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

interface Serving {
  readonly agent: Agent;
  readonly id: number;
  readonly target: TcpTarget;
  readonly sockets: readonly HandedSocket[];
}

/** Waits until some requests to `/hold` have begun. */
async function untilHeld(agent: Agent, count: number): Promise<void> {
  await agent.until(
    `${count} requests to be held`,
    () => agent.call("waiting"),
    (waiting) => waiting === count,
  );
}

async function serving(
  t: TestContext,
  host: Host,
  options: ServeOptions = {},
): Promise<Serving> {
  const { agent, sockets } = await activateAgent(t, host, [
    "web=tcp:127.0.0.1:0",
  ]);
  const { id, addresses } = await agent.call("serve", "web", options);
  const port = sockets[0]!.port!;
  assert.deepEqual(addresses, [{ kind: "ipv4", hostname: "127.0.0.1", port }]);
  return { agent, id, target: { host: "127.0.0.1", port }, sockets };
}

/** Sends raw bytes, and returns the status codes of the answers. */
async function statuses(target: TcpTarget, text: string): Promise<string[]> {
  const answer = await exchange(target, text);
  return [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, code]) => code!);
}

forEachHost(HOSTS, (host) => {
  test(`serve() on ${host.label} passes requests and bodies through`, async (t) => {
    const { agent, target, sockets } = await serving(t, host);
    const plain = await request(target, { path: "/a%20b?c=d" });
    const origin = `http://127.0.0.1:${target.port}`;
    assert.deepEqual(
      [plain.status, plain.body],
      [200, `GET ${origin}/a%20b?c=d\n`],
    );

    const upload = Buffer.alloc(3_000_000, "0123456789");
    const echo = { path: "/echo", method: "POST" };
    const sized = await request(target, {
      ...echo,
      headers: { "content-length": upload.length },
    }, upload);
    assert.equal(sized.body, upload.toString("latin1"));
    const chunked = await request(target, {
      ...echo,
      headers: { "transfer-encoding": "chunked" },
    }, upload);
    assert.equal(chunked.body, upload.toString("latin1"));

    const cookies = await request(target, { path: "/cookies" });
    assert.deepEqual(cookies.headers["set-cookie"], ["a=1", "b=2"]);
    const head = await request(target, { method: "HEAD" });
    assert.deepEqual([head.status, head.body], [200, ""]);
    assertListensOnly(agent, sockets);
  });

  test(`serve() on ${host.label} answers 500 for a handler that fails, and goes on`, async (t) => {
    const { agent, target } = await serving(t, host);
    for (const path of ["/throw", "/nothing", "/used", "/error"]) {
      const { status, body } = await request(target, { path });
      assert.deepEqual([status, body], [500, "Internal Server Error"]);
    }
    assert.equal((await request(target)).status, 200);
    // The operator learns what went wrong.
    assert.match(agent.stderr, /thrown on purpose/);
    assert.match(agent.stderr, /expected the handler to return a Response/);
    assert.match(agent.stderr, /the body of the Response is used already/);
    assert.match(agent.stderr, /a Response\.error\(\) can't be sent/);
  });

  test(`serve() on ${host.label} takes odd requests, or refuses them, by the portable path`, async (t) => {
    const { target } = await serving(t, host, { backend: "node" });
    const close = "Connection: close\r\n\r\n";
    const absolute = await exchange(
      target,
      `GET http://other:81/x?y HTTP/1.1\r\nHost: wrong\r\n${close}`,
    );
    assert.match(absolute, /GET http:\/\/other:81\/x\?y/);
    for (
      const [text, status] of [
        [`GET / HTTP/1.1\r\nHost: a b\r\n${close}`, "400"],
        [`OPTIONS * HTTP/1.1\r\nHost: x\r\n${close}`, "400"],
        [`GET / HTTP/1.1\r\nHost: a/admin?\r\n${close}`, "400"],
        [`GET / HTTP/1.1\r\nHost: u:p@b\r\n${close}`, "400"],
        [`GET ftp://x/ HTTP/1.1\r\nHost: x\r\n${close}`, "400"],
        [`TRACE / HTTP/1.1\r\nHost: x\r\n${close}`, "501"],
        ["nonsense\r\n\r\n", "400"],
      ] as const
    ) {
      assert.deepEqual(await statuses(target, text), [status], text);
    }
    assert.equal((await request(target)).status, 200);
  });

  test(`serve() on ${host.label} answers 400 to a request whose URL is not valid`, async (t) => {
    const { agent, target } = await serving(t, host);
    const actual = await statuses(
      target,
      "GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",
    );
    assert.deepEqual(actual, ["400"]);
    assert.equal((await request(target)).status, 200);
    assert.equal(agent.stderr, "");
  });

  test(`serve() on ${host.label} serves pipelined requests in order`, async (t) => {
    const { target } = await serving(t, host);
    // Without ending our side: Deno stops answering then, on a port of its own,
    // too.
    const socket = net.connect(target);
    socket.write(
      "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n" +
        "GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert.deepEqual(
      [...(await text(socket)).matchAll(/GET http:\/\/x\/(\d)/g)].map(([, n]) =>
        n
      ),
      ["1", "2", "3"],
    );
  });

  test(`serve() on ${host.label} outlives clients that go away`, async (t) => {
    const { target } = await serving(t, host);
    const gone = await connect(target);
    gone.write(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
    );
    gone.resetAndDestroy();
    const waiting = await connect(target);
    waiting.write("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    waiting.destroy();
    assert.equal((await request(target)).status, 200);
  });

  test(`shutdown() on ${host.label} answers what is in flight`, async (t) => {
    const { agent, id, target, sockets } = await serving(t, host);
    const keepAlive = new http.Agent({ keepAlive: true });
    t.after(() => keepAlive.destroy());
    // One connection idles, one is busy.
    await request(target, { agent: keepAlive });
    const held = request(target, { path: "/hold" });
    await untilHeld(agent, 1);
    const stopped = agent.call("shutdown", id);
    // Calls begin in order.
    await agent.call("environment");
    // What comes now is answered by nobody; it waits for the next process where
    // the socket is still open: here nobody else has it.
    const late = await tryConnect(target);
    t.after(() => late?.destroy());
    let answered = false;
    late?.on("error", () => {}).on("data", () => answered = true);
    late?.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await agent.call("unhold");
    const { status, body } = await held;
    assert.deepEqual([status, body], [200, "held\n"]);
    await stopped;
    await untilListensOnly(agent, []);
    assert.equal(sockets.length, 1);
    assert.equal(answered, false);
    // Nothing keeps the process alive but its input.
    assert.equal(await agent.endInput(), 0);
  });

  test(`serve() on ${host.label} goes on after a body that nobody read`, async (t) => {
    const { target } = await serving(t, host);
    const keepAlive = new http.Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => keepAlive.destroy());
    const upload = Buffer.alloc(5_000_000, "x");
    const post = { path: "/ignore", method: "POST", agent: keepAlive };
    for (let round = 0; round < 3; round++) {
      const { status, body } = await request(target, post, upload);
      assert.deepEqual([status, body], [200, "ignored\n"]);
    }
    assert.equal((await request(target, { agent: keepAlive })).status, 200);
  });

  test(`serve() on ${host.label} takes no more than the handler reads`, async (t) => {
    const { target } = await serving(t, host);
    const socket = net.connect(target);
    t.after(() => socket.destroy());
    socket.on("error", () => {});
    const chunk = Buffer.alloc(1 << 20);
    const total = 512 * chunk.length;
    socket.write(
      `POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: ${total}\r\n\r\n`,
    );
    // Sent until nothing has been taken any more for a second.
    let sent = 0;
    let idleRounds = 0;
    while (sent < total && idleRounds < 100) {
      if (!socket.writableNeedDrain) {
        socket.write(chunk);
        sent += chunk.length;
        idleRounds = 0;
      }
      await sleep(10);
      if (socket.writableNeedDrain) idleRounds++;
    }
    assert.ok(sent < total / 4, `took ${sent} bytes`);
    assert.equal((await request(target)).status, 200);
  });

  test(`shutdown() on ${host.label} doesn't wait for clients that say nothing`, async (t) => {
    const { agent, id, target } = await serving(t, host);
    // They don't end their side either when the server has ended its own.
    const halfOpen = { ...target, allowHalfOpen: true };
    const silent = await connect(halfOpen);
    const halfway = await connect(halfOpen);
    halfway.write("GET / HTTP/1.1\r\nHos");
    const busy = await connect(halfOpen);
    busy.write("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    for (const socket of [silent, halfway, busy]) {
      socket.on("error", () => {});
      t.after(() => socket.destroy());
    }
    let answer = "";
    busy.setEncoding("latin1").on("data", (text) => answer += text);
    await untilHeld(agent, 1);
    assert.equal((await request(target)).status, 200);
    const stopped = agent.call("shutdown", id);
    await agent.call("unhold");
    await stopped;
    assert.match(
      answer,
      /^HTTP\/1\.1 200 [^]*\r\nconnection: close\r\n[^]*held\n/i,
    );
  });

  test(`serve() on ${host.label} checks its options before it claims`, async (t) => {
    const { agent, sockets } = await activateAgent(t, host, [
      "web=tcp:127.0.0.1:0",
    ]);
    const error = await agent.fail("serve", "web", { signal: {} });
    assert.equal(error.name, "TypeError");
    assert.match(error.message, /expected the option signal to be an AbortSig/);
    assert.deepEqual((await agent.call("activation"))?.unclaimed, [3]);
    await agent.call("serve", "web");
    assertListensOnly(agent, sockets);
  });

  test(`close() on ${host.label} closes connections at once`, async (t) => {
    const { agent, id, target } = await serving(t, host);
    const socket = net.connect(target);
    socket.on("error", () => {});
    socket.write("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    await untilHeld(agent, 1);
    assert.equal((await request(target)).status, 200);
    const closed = once(socket, "close");
    socket.resume();
    await agent.call("close", id);
    await closed;
  });

  test(`close() on ${host.label} leaves the path of a Unix socket`, async (t) => {
    const file = path.join(temporaryDirectory(t), "web.sock");
    for (const operation of ["serve", "listen"] as const) {
      fs.rmSync(file, { force: true });
      const { agent } = await activateAgent(t, host, [`web=unix:${file}`]);
      const { id, addresses } = await agent.call(operation, "web");
      assert.deepEqual(
        addresses,
        [host.inspects ? { kind: "unix", path: file } : null],
      );
      if (operation === "serve") {
        const { body } = await request({ socketPath: file }, { path: "/u" });
        assert.match(body, /^GET http:\/\/localhost\/u\n$/);
      } else {
        assert.equal(await exchange({ path: file }, "hi"), "hi");
      }
      assert.equal(agent.stderr, "");
      await agent.call("close", id);
      assert.ok(fs.statSync(file).isSocket(), "after close");
      assert.equal(await agent.endInput(), 0);
      assert.ok(fs.statSync(file).isSocket(), "after exit");
    }
  });
});
