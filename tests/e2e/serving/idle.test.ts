/** Servers that end the process when they are idle, on each runtime. */

import assert from "node:assert/strict";
import type { Times } from "../../fixtures/operations.ts";
import { request } from "../../harness/client.ts";
import {
  CLOSE,
  openClient,
  startGenerations,
  untilBegun,
} from "../../harness/draining.ts";
import { forEachHost, type Host, hostsWith } from "../../harness/hosts.ts";
import { assertListensOnly } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

type StreamsKind = "auto" | "deno" | "bun";

/** Returns the entry points that can listen on a host. */
function listenersOf({ runtime, adopts }: Host): StreamsKind[] {
  return runtime !== "node" && adopts ? ["auto", runtime] : ["auto"];
}

/** So that nothing takes seconds to happen, or not to happen. */
const SHORT: Times = { firstConnectionMs: 20, exitMs: 100 };

/** The option of servers that end soon. */
const IDLE_SOON = { exitWhenIdle: 50 };
/** Long enough for a process that would end to have ended. */
const LONGER_MS = 500;

forEachHost(hostsWith({ serves: true }), (host) => {
  test(`idle servers on ${host.label} end the process, all together`, async (t) => {
    const { agent, next, sockets, web, admin } = await startGenerations(
      t,
      host,
      ["web", "admin"],
    );
    // It keeps the process until both serve, however long that takes.
    const first = await openClient(t, web);
    const options = { exitWhenIdle: 250 };
    await agent.call("start", "auto", options);
    await agent.call("startAdmin", options);
    // A connection that says nothing is one, too.
    const idle = await openClient(t, admin);
    await idle.ask(agent, "/fast", "hello\n");
    first.socket.destroy();
    agent.process.stdin!.end();
    const started = performance.now();
    let requests = 0;
    while (requests < 2 || performance.now() - started < 700) {
      const { status } = await request(web);
      assert.equal(status, 200);
      requests++;
    }
    assertListensOnly(agent, sockets);
    const closed = performance.now();
    idle.socket.destroy();
    assert.equal(await agent.exited, 0);
    assert.ok(performance.now() - closed >= 200);

    const waiting = request(web);
    await next.call("start", "auto");
    assert.equal((await waiting).body, "hello\n");
  });

  test(`idle servers on ${host.label} end a process that something else keeps`, async (t) => {
    const { agent } = await startGenerations(t, host);
    await agent.call("setTimes", SHORT);
    await agent.call("stay");
    await agent.call("start", "auto", IDLE_SOON);
    assert.equal(await agent.exited, 0);
  });

  test(`idle servers on ${host.label} are not idle with a connection, however short the limit`, async (t) => {
    const { agent, web } = await startGenerations(t, host);
    const client = await openClient(t, web);
    client.send("/hold");
    await agent.call("start", "auto", { exitWhenIdle: 0 });
    await untilBegun(agent, 1);
    await agent.staysFor(200);
    await agent.call("release");
    await client.until(agent, "held\n");
    assert.doesNotMatch(client.received, CLOSE);
  });

  test(`idle servers on ${host.label} without a limit keep the process`, async (t) => {
    const { agent, sockets } = await startGenerations(t, host, [
      "web",
      "admin",
    ]);
    await agent.call("setTimes", SHORT);
    // First: the other one could end the process before it.
    await agent.call("startAdmin", {});
    await agent.call("start", "auto", IDLE_SOON);
    await agent.staysFor(LONGER_MS);
    assertListensOnly(agent, sockets);
  });

  for (const kind of listenersOf(host)) {
    test(`idle servers on ${host.label} are kept by a listener, ${kind}, while it is open`, async (t) => {
      const { agent, sockets, admin } = await startGenerations(t, host, [
        "web",
        "admin",
      ]);
      await agent.call("setTimes", SHORT);
      // First: the server could end the process before it.
      await agent.call("startStreams", kind);
      await agent.call("start", "auto", IDLE_SOON);
      const client = await openClient(t, admin);
      await agent.staysFor(LONGER_MS);
      client.socket.write("hello");
      await client.until(agent, "hello");
      assertListensOnly(agent, sockets);
      await agent.call("closeStreams");
      await agent.staysFor(LONGER_MS);
      // What it has accepted goes on, and keeps the process.
      client.socket.write("again");
      await client.until(agent, "again");
      assertListensOnly(agent, [sockets[0]!]);
      client.socket.destroy();
      assert.equal(await agent.endInput(), 0);
    });
  }

  test(`idle servers on ${host.label} leave one that is drained the time that it has`, async (t) => {
    const { agent, web, admin } = await startGenerations(t, host, [
      "web",
      "admin",
    ]);
    await agent.call("setTimes", SHORT);
    // First: without a limit, it keeps the process until it is drained.
    await agent.call("startAdmin", {});
    const client = await openClient(t, admin);
    client.send("/hold");
    await untilBegun(agent, 1);
    await agent.call("start", "auto", IDLE_SOON);
    await agent.call("drainAdmin");
    // Longer than a process has that only something else keeps.
    await agent.staysFor(LONGER_MS);
    assert.equal((await request(web)).body, "hello\n");
    await agent.call("release");
    await client.until(agent, "held\n");
    assert.equal(await agent.endInput(), 0);
  });
});

test("idle servers end a process that something else keeps after 5 seconds by default", async (t) => {
  const { agent } = await startGenerations(
    t,
    hostsWith({ serves: true }).at(-1)!,
  );
  await agent.call("stay");
  const started = performance.now();
  await agent.call("start", "auto", IDLE_SOON);
  assert.equal(await agent.exited, 0);
  assert.ok(performance.now() - started >= 5000);
});
