/** Servers that end without losing a request, on each runtime, in each way. */

import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { test } from "node:test";
import type { Way } from "../fixtures/drain_agent.ts";
import {
  type Client,
  CLOSE,
  connect,
  SERVING,
  start,
  untilBegun,
} from "./draining.ts";
import {
  assertListensOnly,
  type Host,
  HOSTS,
  makeCertificate,
  request,
  temporaryFolder,
  untilListensOnly,
} from "./harness.ts";

/** How servers can be made on a host. */
function waysOf({ runtime, adopts, isPortable }: Host): Way[] {
  if (runtime === "node") return ["auto", "node"];
  if (!adopts) return ["auto"];
  return ["auto", ...(isPortable ? ["portable" as const] : []), runtime];
}

/** The body, which has the same words as the status line; or Bun's own page. */
function pageOf500(way: Way): RegExp {
  return way === "bun"
    ? /HTTP[^]*\r\n\r\n[^]*(<\/html>|Something went wrong!)/
    : /HTTP[^]*\r\n\r\n[^]*Internal Server Error/;
}

for (const host of SERVING) {
  for (const way of waysOf(host)) {
    const label = `${way} on ${host.label}`;

    test(`draining, ${label}, answers all that was accepted, and leaves the rest to the next`, async (t) => {
      const { agent, next, sockets, target } = await start(t, host);
      const { mode, modeReason } = await agent.call("start", way);
      if (way === "auto") {
        const isNative = host.adopts || host.runtime === "node";
        assert.equal(mode, isNative ? "native" : "portable");
        assert.match(
          modeReason,
          host.runtime === "node"
            ? /^Node's own servers take descriptors$/
            : isNative
            ? /own listener was put onto the inherited socket$/
            : /--allow-ffi/,
        );
      }
      assertListensOnly(agent, sockets);
      const [held, streaming, uploading, used] = await Promise.all(
        Array.from({ length: 4 }, () => connect(t, target)),
      ) as [Client, Client, Client, Client];
      held.send("/hold");
      streaming.send("/stream");
      uploading.socket.write(
        "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345",
      );
      used.send("/fast");
      await used.until(agent, "hello\n");
      assert.doesNotMatch(used.received, CLOSE);
      await untilBegun(agent, 4);
      await streaming.until(agent, "\r\n0\n");

      const drained = agent.call("drain");
      // Calls begin in order.
      await agent.call("begun");
      // Idle when draining began, and the request is on its way.
      await used.ask(agent, "/fast", "hello\n");
      assert.match(used.received, CLOSE);
      uploading.socket.write("67890");
      await uploading.until(agent, "10\n");
      assert.match(uploading.received, CLOSE);
      await streaming.until(agent, "\n9\n");
      await agent.call("release");
      await held.until(agent, "held\n");
      assert.match(held.received, CLOSE);
      await drained;
      await untilListensOnly(agent, []);

      const waiting = request({ host: target.host, port: target.port });
      await next.call("start", way);
      assert.equal((await waiting).body, "hello\n");
      agent.process.stdin!.end();
      assert.equal(await agent.exited, 0);
    });

    test(`unref(), ${label}, lets the process end, and ref() keeps it`, async (t) => {
      const { agent, next, target } = await start(t, host);
      for (const each of [agent, next]) await each.call("start", way);
      await agent.call("unref");
      await next.call("unref");
      await next.call("ref");
      for (const each of [agent, next]) each.process.stdin!.end();
      assert.equal(await agent.exited, 0);
      assert.equal((await request(target)).body, "hello\n");
    });

    test(`draining, ${label}, cuts off what takes longer than its limit`, async (t) => {
      const { agent, target } = await start(t, host);
      await agent.call("start", way, { timeout: 400 });
      const [held, silent] = await Promise.all([
        connect(t, target),
        connect(t, target),
      ]);
      held.send("/hold");
      await untilBegun(agent, 1);
      assert.ok(await agent.call("drain") >= 400);
      for (const { socket } of [held, silent]) {
        if (!socket.closed) {
          socket.resume().end();
          await once(socket, "close");
        }
      }
      assert.equal(held.received, "");
      await untilListensOnly(agent, []);
      if (host.runtime === "bun" && !host.isPortable) {
        // Before 1.4, Bun stays for as long as a handler runs.
        await agent.call("release");
      }
      agent.process.stdin!.end();
      assert.equal(await agent.exited, 0);
    });

    test(`draining, ${label}, is not held by a client that goes on sending`, async (t) => {
      const { agent, target } = await start(t, host);
      await agent.call("start", way);
      const client = await connect(t, target);
      client.socket.on("error", () => {});
      // Pipelined, and whatever is answered.
      const sending = setInterval(() => client.send("/fast"), 5);
      t.after(() => clearInterval(sending));
      await client.until(agent, "hello\n");
      await agent.call("drain");
      await untilListensOnly(agent, []);
    });

    if (way !== "node") {
      test(`draining, ${label}, tells clients of a handler that throws, too`, async (t) => {
        const { agent, target } = await start(t, host);
        await agent.call("start", way);
        const client = await connect(t, target);
        client.send("/throw");
        await client.until(agent, pageOf500(way));
        assert.doesNotMatch(client.received, CLOSE);
        client.received = "";
        const drained = agent.call("drain");
        await agent.call("begun");
        client.send("/throw");
        await client.until(agent, pageOf500(way));
        assert.match(client.received, CLOSE);
        await drained;
      });
    }

    test(`draining, ${label}, begins with a signal, and the program has it, too`, async (t) => {
      const { agent, target } = await start(t, host);
      await agent.call("handle", "SIGTERM");
      await agent.call("start", way, { signals: ["SIGTERM", "SIGINT"] });
      const held = await connect(t, target);
      held.send("/hold");
      await untilBegun(agent, 1);
      agent.process.kill("SIGTERM");
      await agent.until(
        "the signal",
        async () => (await agent.call("signals")).length === 1 || undefined,
      );
      await agent.call("release");
      await held.until(agent, "held\n");
      assert.match(held.received, CLOSE);
      agent.process.stdin!.end();
      assert.equal(await agent.exited, 0);
    });
  }
  test(`serve() on ${host.label} checks what it is told of draining`, async (t) => {
    const { agent, sockets } = await start(t, host);
    for (
      const [drain, name, part] of [
        [[], "TypeError", "expected the option drain to be an object"],
        [{ signals: "SIGTERM" }, "TypeError", "drain.signals to be an array"],
        [{ signals: [15] }, "TypeError", "the names of signals"],
        [{ signals: ["SIGKILL"] }, "RangeError", 'found "SIGKILL"'],
        [{ signals: ["TERM"] }, "RangeError", 'found "TERM"'],
        ...(host.runtime === "deno"
          ? [
            [
              { signals: ["SIGSEGV"] },
              "RangeError",
              'found "SIGSEGV"',
            ] as const,
          ]
          : []),
        [{ timeout: "5s" }, "TypeError", "drain.timeout to be a number"],
        [{ timeout: -1 }, "RangeError", "drain.timeout to be 0"],
        [{ idleTimeout: -1 }, "RangeError", "drain.idleTimeout to be 0"],
        [{ webSockets: 5 }, "TypeError", "drain.webSockets to be a Set"],
      ] as const
    ) {
      const error = await agent.fail("start", "auto", drain);
      assert.equal(error.name, name, error.message);
      assert.ok(error.message.includes(part), error.message);
    }
    await agent.call("start", "auto");
    assertListensOnly(agent, sockets);
  });
}

for (
  const host of HOSTS.filter(({ adopts, runtime }) =>
    adopts || runtime === "node"
  )
) {
  test(`draining on ${host.label} tells WebSockets that the server goes away`, async (t) => {
    const { agent, target } = await start(t, host);
    await agent.call("start", host.runtime);
    const socket = new WebSocket(`ws://${target.host}:${target.port}/`);
    await once(socket, "open");
    socket.send("hello");
    const [{ data }] = await once(socket, "message") as [MessageEvent];
    assert.equal(data, "hello");
    const closed = once(socket, "close") as Promise<[CloseEvent]>;
    await agent.call("drain");
    const [{ code }] = await closed;
    assert.equal(code, 1001);
    agent.process.stdin!.end();
    assert.equal(await agent.exited, 0);
  });

  if (host.runtime === "bun") continue;
  const way = host.runtime === "deno" ? "deno" : "node http2";
  test(`draining on ${host.label} answers the streams of HTTP/2, and sends GOAWAY`, async (t) => {
    const certificate = makeCertificate(temporaryFolder(t));
    if (certificate === undefined) return t.skip("openssl is not installed");
    const { agent, target } = await start(t, host);
    await agent.call("start", way, {}, certificate);
    const session = http2.connect(`https://${target.host}:${target.port}`, {
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
}

for (
  const host of HOSTS.filter((each) => each.adopts && each.runtime === "deno")
) {
  test(`draining on ${host.label} waits for what is being sent over HTTP/2`, async (t) => {
    const certificate = makeCertificate(temporaryFolder(t));
    if (certificate === undefined) return t.skip("openssl is not installed");
    const { agent, target } = await start(t, host);
    await agent.call("start", "deno", {}, certificate);
    const session = http2.connect(`https://${target.host}:${target.port}`, {
      rejectUnauthorized: false,
    });
    t.after(() => session.destroy());
    const stream = session.request({ ":path": "/long" });
    let body = "";
    stream.setEncoding("utf8").on("data", (text) => body += text);
    const closed = once(stream, "close");
    await once(stream, "data");
    await agent.call("drain");
    await closed;
    assert.equal(body, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  });
}

for (const host of HOSTS.filter(({ runtime }) => runtime === "bun")) {
  for (
    const [route, end] of [
      ["/static", "static\n"],
      ["/static-file", "\n}\n"],
      ["/methods", "hello\n"],
      ["/module", "module\n"],
    ] as const
  ) {
    test(`draining on ${host.label} announces the end with a route such as ${route}, too`, async (t) => {
      const { agent, target } = await start(t, host);
      await agent.call("start", "bun");
      const client = await connect(t, target);
      client.send(route);
      await client.until(agent, end);
      assert.doesNotMatch(client.received, CLOSE);
      const drained = agent.call("drain");
      // Calls begin in order.
      await agent.call("begun");
      await client.ask(agent, route, end);
      assert.match(client.received, CLOSE);
      await drained;
    });
  }

  test(`draining on ${host.label} brings no route back that Bun has dropped`, async (t) => {
    const { agent, target } = await start(t, host);
    await agent.call("start", "bun");
    const client = await connect(t, target);
    client.send("/constants");
    await client.until(agent, "constant\n");
    await agent.call("reloadFetch");
    const answers = [
      ["/static", /other\n/],
      ["/constants", /other\n/],
      ["/methods", /hello\n/],
      ["/throw", pageOf500("bun")],
    ] as const;
    const clients = await Promise.all(answers.map(() => connect(t, target)));
    for (const isDraining of [false, true]) {
      const drained = isDraining ? agent.call("drain") : undefined;
      await agent.call("begun");
      for (const [at, [path, text]] of answers.entries()) {
        const each = clients[at]!;
        await each.ask(agent, path, text);
        assert.equal(CLOSE.test(each.received), isDraining, each.received);
      }
      await drained;
    }
  });

  test(`draining on ${host.label} announces the end with routes that come meanwhile, too`, async (t) => {
    const { agent, target } = await start(t, host);
    await agent.call("start", "bun");
    const client = await connect(t, target);
    client.send("/fast");
    await client.until(agent, "hello\n");
    const drained = agent.call("drain");
    await agent.call("reload");
    await client.ask(agent, "/new", "new\n");
    assert.match(client.received, CLOSE);
    await drained;
  });
}
