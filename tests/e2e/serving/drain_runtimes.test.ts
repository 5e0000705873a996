/** Draining what only some runtimes have: WebSockets, HTTP/2, routes. */

import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import {
  beginDrain,
  CLOSE,
  END_IDLE,
  KEEP_IDLE,
  openClient,
  pageOf500,
  startGenerations,
  untilBegun,
} from "../../harness/draining.ts";
import { forEachHost, hostsWith } from "../../harness/hosts.ts";
import {
  createCertificate,
  temporaryDirectory,
} from "../../harness/machine_tools.ts";
import { test } from "../../harness/timed_test.ts";

forEachHost(hostsWith({ hasOwnServers: true }), (host) => {
  test(`draining on ${host.label} closes WebSockets with the code for going away`, async (t) => {
    const { agent, web } = await startGenerations(t, host);
    await agent.call("start", host.runtime);
    const socket = new WebSocket(`ws://${web.host}:${web.port}/`);
    await once(socket, "open");
    socket.send("hello");
    const [{ data }] = await once(socket, "message") as [MessageEvent];
    assert.equal(data, "hello");
    const closed = once(socket, "close") as Promise<[CloseEvent]>;
    await agent.call("drain");
    const [{ code }] = await closed;
    assert.equal(code, 1001);
    assert.equal(await agent.endInput(), 0);
  });

  if (host.runtime === "bun") return;
  const kind = host.runtime === "deno" ? "deno" : "node http2";
  test(`draining on ${host.label} answers the streams of HTTP/2, and sends GOAWAY`, async (t) => {
    const certificate = createCertificate(temporaryDirectory(t));
    if (certificate === undefined) return t.skip("openssl is not installed");
    const { agent, web } = await startGenerations(t, host);
    await agent.call("start", kind, {}, certificate);
    const session = http2.connect(`https://${web.host}:${web.port}`, {
      rejectUnauthorized: false,
    });
    t.after(() => session.destroy());
    const goneAway = once(session, "goaway");
    const stream = session.request({ ":path": "/hold" });
    let body = "";
    stream.setEncoding("utf8").on("data", (text) => body += text);
    const ended = once(stream, "end");
    await untilBegun(agent, 1);
    const drained = agent.call("drain");
    // Answered, or refused: then nobody has begun to handle it.
    const more = session.request({ ":path": "/fast" }).resume();
    more.on("error", () => {});
    await once(more, "close");
    assert.ok(more.rstCode === 0 || more.rstCode === 7, String(more.rstCode));
    await agent.call("release");
    await ended;
    assert.equal(body, "held\n");
    await goneAway;
    await drained;
  });
});

forEachHost(hostsWith({ adopts: true, runtime: "deno" }), (host) => {
  test(`draining on ${host.label} waits for what is being sent over HTTP/2`, async (t) => {
    const certificate = createCertificate(temporaryDirectory(t));
    if (certificate === undefined) return t.skip("openssl is not installed");
    const { agent, web } = await startGenerations(t, host);
    // Far less than the stream takes.
    await agent.call("setTimes", { quietTicks: 2, maxQuietTicks: 4 });
    await agent.call("start", "deno", {}, certificate);
    const session = http2.connect(`https://${web.host}:${web.port}`, {
      rejectUnauthorized: false,
    });
    t.after(() => session.destroy());
    const stream = session.request({ ":path": "/stream" });
    let body = "";
    stream.setEncoding("utf8").on("data", (text) => body += text);
    const closed = once(stream, "close");
    await once(stream, "data");
    await agent.call("drain");
    await closed;
    assert.equal(body, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  });
});

forEachHost(hostsWith({ runtime: "bun" }), (host) => {
  for (
    const [route, end] of [
      ["/static", "static\n"],
      ["/static-file", "\n}\n"],
      ["/methods", "hello\n"],
      ["/module", "module\n"],
    ] as const
  ) {
    test(`draining on ${host.label} announces the end with a route such as ${route}, too`, async (t) => {
      const { agent, web } = await startGenerations(t, host);
      await agent.call("setTimes", KEEP_IDLE);
      await agent.call("start", "bun");
      const client = await openClient(t, web);
      client.send(route);
      await client.until(agent, end);
      assert.doesNotMatch(client.received, CLOSE);
      const { drained } = await beginDrain(agent);
      await client.ask(agent, route, end);
      assert.match(client.received, CLOSE);
      await agent.call("setTimes", END_IDLE);
      await drained;
    });
  }

  test(`draining on ${host.label} brings no route back that Bun has dropped`, async (t) => {
    const { agent, web } = await startGenerations(t, host);
    await agent.call("setTimes", KEEP_IDLE);
    await agent.call("start", "bun");
    const client = await openClient(t, web);
    client.send("/constants");
    await client.until(agent, "constant\n");
    await agent.call("reloadFetch");
    const answers = [
      ["/static", /other\n/],
      ["/constants", /other\n/],
      ["/methods", /hello\n/],
      ["/throw", pageOf500("bun")],
    ] as const;
    const clients = await Promise.all(answers.map(() => openClient(t, web)));
    for (const isDraining of [false, true]) {
      const draining = isDraining ? await beginDrain(agent) : undefined;
      for (const [index, [path, text]] of answers.entries()) {
        const client = clients[index]!;
        await client.ask(agent, path, text);
        assert.equal(CLOSE.test(client.received), isDraining, client.received);
      }
      await agent.call("setTimes", isDraining ? END_IDLE : KEEP_IDLE);
      await draining?.drained;
    }
  });

  test(`draining on ${host.label} announces the end with routes that come meanwhile, too`, async (t) => {
    const { agent, web } = await startGenerations(t, host);
    await agent.call("setTimes", KEEP_IDLE);
    await agent.call("start", "bun");
    const client = await openClient(t, web);
    client.send("/fast");
    await client.until(agent, "hello\n");
    const { drained } = await beginDrain(agent);
    await agent.call("reload");
    await client.ask(agent, "/new", "new\n");
    assert.match(client.received, CLOSE);
    await agent.call("setTimes", END_IDLE);
    await drained;
  });
});
