/** Servers that end the process when they are idle, on each runtime. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  aWhile,
  CLOSE,
  connect,
  SERVING,
  start,
  untilBegun,
} from "./draining.ts";
import { assertListensOnly, type Host, request } from "./harness.ts";

/** How other listeners can be made there. */
function listenWaysOf({ runtime, adopts }: Host): ("auto" | "deno" | "bun")[] {
  return runtime !== "node" && adopts ? ["auto", runtime] : ["auto"];
}

for (const host of SERVING) {
  test(`idle servers on ${host.label} end the process, all together`, async (t) => {
    const { agent, next, sockets, target } = await start(t, host, [
      "web=tcp:127.0.0.1:0",
      "admin=tcp:127.0.0.1:0",
    ]);
    const admin = { host: "127.0.0.1", port: sockets[1]!.port! };
    const drain = { idleTimeout: 250 };
    // A connection that says nothing is one, too.
    await agent.call("start", "auto", drain);
    await agent.call("startAdmin", drain);
    const idle = await connect(t, admin);
    idle.send("/fast");
    await idle.until(agent, "hello\n");
    agent.process.stdin!.end();
    const started = performance.now();
    let requests = 0;
    while (performance.now() - started < 700) {
      const { status } = await request(target);
      assert.equal(status, 200);
      requests++;
    }
    assert.ok(requests > 1);
    assertListensOnly(agent, sockets);
    const closed = performance.now();
    idle.socket.destroy();
    assert.equal(await agent.exited, 0);
    assert.ok(performance.now() - closed >= 200);

    const waiting = request(target);
    await next.call("start", "auto");
    assert.equal((await waiting).body, "hello\n");
  });

  test(`idle servers on ${host.label} end a process that something else keeps`, async (t) => {
    const { agent } = await start(t, host);
    await agent.call("stay");
    await agent.call("start", "auto", { idleTimeout: 50 });
    assert.equal(await agent.exited, 0);
  });

  test(`idle servers on ${host.label} are not idle with a connection, however short the limit`, async (t) => {
    const { agent, target } = await start(t, host);
    const client = await connect(t, target);
    client.send("/hold");
    await agent.call("start", "auto", { idleTimeout: 0 });
    await untilBegun(agent, 1);
    await aWhile(agent, 200);
    await agent.call("release");
    await client.until(agent, "held\n");
    assert.doesNotMatch(client.received, CLOSE);
  });

  test(`idle servers on ${host.label} without a limit keep the process`, async (t) => {
    const { agent, sockets } = await start(t, host, [
      "web=tcp:127.0.0.1:0",
      "admin=tcp:127.0.0.1:0",
    ]);
    await agent.call("start", "auto", { idleTimeout: 50 });
    await agent.call("startAdmin", {});
    await aWhile(agent, 500);
    assertListensOnly(agent, sockets);
  });

  for (const way of listenWaysOf(host)) {
    test(`idle servers on ${host.label} are kept by a listener, ${way}, while it is open`, async (t) => {
      const { agent, sockets } = await start(t, host, [
        "web=tcp:127.0.0.1:0",
        "admin=tcp:127.0.0.1:0",
      ]);
      await agent.call("start", "auto", { idleTimeout: 50 });
      await agent.call("startStreams", way);
      const admin = { host: "127.0.0.1", port: sockets[1]!.port! };
      const client = await connect(t, admin);
      await aWhile(agent, 500);
      client.socket.write("hello");
      await client.until(agent, "hello");
      assertListensOnly(agent, sockets);
      await agent.call("closeStreams");
      await aWhile(agent, 500);
      // What it has accepted goes on, and keeps the process.
      client.socket.write("again");
      await client.until(agent, "again");
      assertListensOnly(agent, [sockets[0]!]);
      client.socket.destroy();
      agent.process.stdin!.end();
      assert.equal(await agent.exited, 0);
    });
  }
}

// It takes long, and is the same in all versions.
for (const host of SERVING.filter(({ label }) => !/ 2[26]$/.test(label))) {
  test(`idle servers on ${host.label} leave one that is drained the time that it has`, async (t) => {
    const { agent, sockets, target } = await start(t, host, [
      "web=tcp:127.0.0.1:0",
      "admin=tcp:127.0.0.1:0",
    ]);
    await agent.call("start", "auto", { idleTimeout: 50 });
    await agent.call("startAdmin", {});
    const admin = { host: "127.0.0.1", port: sockets[1]!.port! };
    const client = await connect(t, admin);
    client.send("/hold");
    await untilBegun(agent, 1);
    await agent.call("drainLast");
    // Longer than a process has that only something else keeps.
    await aWhile(agent, 6500);
    assert.equal((await request(target)).body, "hello\n");
    await agent.call("release");
    await client.until(agent, "held\n");
    agent.process.stdin!.end();
    assert.equal(await agent.exited, 0);
  });
}
