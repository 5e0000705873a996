/** Draining servers of Node's, which the program creates itself. */

import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import {
  beginDrain,
  CLOSE,
  END_IDLE,
  KEEP_IDLE,
  openClient,
  startGenerations,
  untilBegun,
} from "../../harness/draining.ts";
import { forEachHost, hostsWith } from "../../harness/hosts.ts";
import {
  createCertificate,
  temporaryDirectory,
} from "../../harness/machine_tools.ts";
import { assertListensOnly, untilListensOnly } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

forEachHost(hostsWith({ runtime: "node" }), (host) => {
  test(`shutdown() on ${host.label} isn't held by a client that sets up no TLS`, async (t) => {
    const certificate = createCertificate(temporaryDirectory(t));
    if (certificate === undefined) return t.skip("openssl is not installed");
    const { agent, web } = await startGenerations(t, host);
    await agent.call("start", "node http2", {
      gracefulShutdown: { timeout: 15_000 },
    }, certificate);
    const client = await openClient(t, web);
    // Accepted after it.
    const session = http2.connect(`https://${web.host}:${web.port}`, {
      rejectUnauthorized: false,
    });
    t.after(() => session.destroy());
    await once(session, "connect");
    assert.ok(await agent.call("drain") < 10_000);
    await agent.until("the end", () => client.ended);
  });

  test(`shutdown() on ${host.label} keeps connections that the program keeps`, async (t) => {
    const { agent, web } = await startGenerations(t, host);
    await agent.call("setTimes", KEEP_IDLE);
    await agent.call("start", "node");
    const client = await openClient(t, web);
    client.send("/kept");
    await client.until(agent, "kept\n");
    const drained = agent.call("drain");
    await agent.call("begun");
    for (let round = 0; round < 3; round++) {
      await client.ask(agent, "/kept", "kept\n");
      assert.match(client.received, /^connection: keep-alive\r$/im);
    }
    await agent.call("setTimes", END_IDLE);
    await drained;
  });

  test(`shutdown() on ${host.label} waits for connections of node:net`, async (t) => {
    const { agent, web } = await startGenerations(t, host);
    await agent.call("start", "node net");
    const client = await openClient(t, web);
    client.socket.write("one");
    await client.until(agent, "one");
    const drained = agent.call("drain");
    await untilListensOnly(agent, []);
    client.socket.write("two");
    await client.until(agent, "two");
    client.socket.end();
    await drained;
  });
});

forEachHost(hostsWith({ isPortable: true }), (host) => {
  for (const when of ["drained", "closed", "draining"] as const) {
    test(`shutdown() on ${host.label} ends a server that can serve again when it is ${when}`, async (t) => {
      const { agent, sockets, admin } = await startGenerations(t, host, [
        "web",
        "admin",
      ]);
      await agent.call("start", "node http");
      const waiting = await openClient(t, admin);
      waiting.send("/hold");
      await agent.call("again", when);
      assertListensOnly(agent, [sockets[1]!]);
      await untilBegun(agent, 1);
      const client = await openClient(t, admin);
      client.send("/fast");
      await client.until(agent, "hello\n");
      // Longer than it takes to drain what is idle.
      await agent.staysFor(600);
      await agent.call("setTimes", KEEP_IDLE);
      await client.ask(agent, "/fast", "hello\n");
      assert.doesNotMatch(client.received, CLOSE);
      const { drained } = await beginDrain(agent);
      await client.ask(agent, "/fast", "hello\n");
      assert.match(client.received, CLOSE);
      await agent.call("release");
      await waiting.until(agent, "held\n");
      await agent.call("setTimes", END_IDLE);
      await drained;
      await untilListensOnly(agent, []);
    });
  }
});
