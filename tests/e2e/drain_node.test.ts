/** Draining servers of Node's, which the program has made itself. */

import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { test } from "node:test";
import {
  aWhile,
  CLOSE,
  connect,
  SERVING,
  start,
  untilBegun,
} from "./draining.ts";
import {
  assertListensOnly,
  HOSTS,
  makeCertificate,
  temporaryFolder,
  untilListensOnly,
} from "./harness.ts";

for (const host of HOSTS.filter(({ runtime }) => runtime === "node")) {
  test(`drain() on ${host.label} isn't held by a client that sets up no TLS`, async (t) => {
    const certificate = makeCertificate(temporaryFolder(t));
    if (certificate === undefined) return t.skip("openssl is not installed");
    const { agent, target } = await start(t, host);
    await agent.call("start", "node http2", { timeout: 15_000 }, certificate);
    const client = await connect(t, target);
    // Accepted after it.
    const session = http2.connect(`https://${target.host}:${target.port}`, {
      rejectUnauthorized: false,
    });
    t.after(() => session.destroy());
    await once(session, "connect");
    assert.ok(await agent.call("drain") < 10_000);
    await agent.until("the end", () => client.ended || undefined);
  });

  test(`drain() on ${host.label} keeps connections that the program keeps`, async (t) => {
    const { agent, target } = await start(t, host);
    await agent.call("start", "node");
    const client = await connect(t, target);
    client.send("/kept");
    await client.until(agent, "kept\n");
    const drained = agent.call("drain");
    await agent.call("begun");
    for (let at = 0; at < 3; at++) {
      await client.ask(agent, "/kept", "kept\n");
      assert.match(client.received, /^connection: keep-alive\r$/im);
    }
    await drained;
  });

  test(`drain() on ${host.label} waits for connections of node:net`, async (t) => {
    const { agent, target } = await start(t, host);
    await agent.call("start", "node net");
    const client = await connect(t, target);
    client.socket.write("one");
    await client.until(agent, "one");
    const drained = agent.call("drain");
    await untilListensOnly(agent, []);
    client.socket.write("two");
    await client.until(agent, "two");
    client.socket.end();
    await drained;
  });
}

for (const host of SERVING.filter(({ isPortable }) => isPortable)) {
  for (const when of ["drained", "closed", "draining"] as const) {
    test(`drain() on ${host.label} ends a server that can serve again when it is ${when}`, async (t) => {
      const { agent, sockets } = await start(t, host, [
        "web=tcp:127.0.0.1:0",
        "admin=tcp:127.0.0.1:0",
      ]);
      await agent.call("start", "node http");
      const admin = { host: "127.0.0.1", port: sockets[1]!.port! };
      const waiting = await connect(t, admin);
      waiting.send("/hold");
      await agent.call("again", when);
      assertListensOnly(agent, [sockets[1]!]);
      await untilBegun(agent, 1);
      const client = await connect(t, admin);
      client.send("/fast");
      await client.until(agent, "hello\n");
      // Longer than it takes to drain what is idle.
      await aWhile(agent, 600);
      await client.ask(agent, "/fast", "hello\n");
      assert.doesNotMatch(client.received, CLOSE);
      const drained = agent.call("drain");
      await agent.call("begun");
      await client.ask(agent, "/fast", "hello\n");
      assert.match(client.received, CLOSE);
      await agent.call("release");
      await waiting.until(agent, "held\n");
      await drained;
      await untilListensOnly(agent, []);
    });
  }
}
