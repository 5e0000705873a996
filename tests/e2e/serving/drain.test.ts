/** Servers that end without losing a request, on each runtime, in each way. */

import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerKind } from "../../fixtures/operations.ts";
import { request } from "../../harness/client.ts";
import {
  beginDrain,
  type Client,
  CLOSE,
  END_IDLE,
  KEEP_IDLE,
  openClient,
  pageOf500,
  startGenerations,
  untilBegun,
} from "../../harness/draining.ts";
import { SLOWNESS } from "../../harness/eventually.ts";
import { forEachHost, type Host, hostsWith } from "../../harness/hosts.ts";
import { assertListensOnly, untilListensOnly } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

/** Returns the kinds of servers that a host can have. */
function serversOf({ runtime, adopts, isPortable }: Host): ServerKind[] {
  if (runtime === "node") return ["auto", "node"];
  if (!adopts) return ["auto"];
  return ["auto", ...(isPortable ? ["portable" as const] : []), runtime];
}

forEachHost(hostsWith({ serves: true }), (host) => {
  for (const kind of serversOf(host)) {
    const label = `${kind} on ${host.label}`;

    test(`draining, ${label}, answers all that was accepted, and leaves the rest to the next`, async (t) => {
      const { agent, next, sockets, web } = await startGenerations(t, host);
      await agent.call("setTimes", KEEP_IDLE);
      const { backend, backendReason } = await agent.call("start", kind);
      if (kind === "auto") {
        const isNative = host.adopts || host.runtime === "node";
        assert.equal(backend, isNative ? host.runtime : "node");
        assert.match(
          backendReason!,
          host.runtime === "node"
            ? /^Node's own servers take descriptors$/
            : isNative
            ? /own listener was put onto the inherited socket$/
            : /--allow-ffi/,
        );
      }
      assertListensOnly(agent, sockets);
      const [held, streaming, uploading, used] = await Promise.all(
        Array.from({ length: 4 }, () => openClient(t, web)),
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

      const { drained } = await beginDrain(agent);
      // Idle when draining begins, and the request is on its way.
      await used.ask(agent, "/fast", "hello\n");
      assert.match(used.received, CLOSE);
      uploading.socket.write("67890");
      await uploading.until(agent, "10\n");
      assert.match(uploading.received, CLOSE);
      await streaming.until(agent, "\n9\n");
      await agent.call("release");
      await held.until(agent, "held\n");
      assert.match(held.received, CLOSE);
      await agent.call("setTimes", END_IDLE);
      await drained;
      await untilListensOnly(agent, []);

      const waiting = request(web);
      await next.call("start", kind);
      assert.equal((await waiting).body, "hello\n");
      assert.equal(await agent.endInput(), 0);
    });

    test(`unref(), ${label}, lets the process end, and ref() keeps it`, async (t) => {
      const { agent, next, web } = await startGenerations(t, host);
      for (const server of [agent, next]) await server.call("start", kind);
      await agent.call("unref");
      await next.call("unref");
      await next.call("ref");
      for (const server of [agent, next]) server.process.stdin!.end();
      assert.equal(await agent.exited, 0);
      assert.equal((await request(web)).body, "hello\n");
    });

    test(`draining, ${label}, cuts off what takes longer than its limit`, async (t) => {
      const { agent, web } = await startGenerations(t, host);
      await agent.call("start", kind, {
        gracefulShutdown: { timeout: 400 },
      });
      const [held, silent] = await Promise.all([
        openClient(t, web),
        openClient(t, web),
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
      assert.equal(await agent.endInput(), 0);
    });

    test(`draining, ${label}, is not held by a client that goes on sending`, async (t) => {
      const { agent, web } = await startGenerations(t, host);
      await agent.call("start", kind);
      const client = await openClient(t, web);
      client.socket.on("error", () => {});
      // Pipelined, and whatever is answered, but not more than the service can do.
      const sending = setInterval(() => client.send("/fast"), 5 * SLOWNESS);
      t.after(() => clearInterval(sending));
      await client.until(agent, "hello\n");
      await agent.call("drain");
      await untilListensOnly(agent, []);
    });

    if (kind !== "node") {
      test(`draining, ${label}, announces the end with a handler that throws, too`, async (t) => {
        const { agent, web } = await startGenerations(t, host);
        await agent.call("setTimes", KEEP_IDLE);
        await agent.call("start", kind);
        const client = await openClient(t, web);
        client.send("/throw");
        await client.until(agent, pageOf500(kind));
        assert.doesNotMatch(client.received, CLOSE);
        const { drained } = await beginDrain(agent);
        await client.ask(agent, "/throw", pageOf500(kind));
        assert.match(client.received, CLOSE);
        await agent.call("setTimes", END_IDLE);
        await drained;
      });
    }

    test(`draining, ${label}, begins with a signal, and the program has it, too`, async (t) => {
      const { agent, web } = await startGenerations(t, host);
      await agent.call("handle", "SIGTERM");
      await agent.call("start", kind);
      const held = await openClient(t, web);
      held.send("/hold");
      await untilBegun(agent, 1);
      agent.process.kill("SIGTERM");
      await agent.until(
        "the signal",
        () => agent.call("signals"),
        (signals) => signals.length === 1,
      );
      await agent.call("release");
      await held.until(agent, "held\n");
      assert.match(held.received, CLOSE);
      assert.equal(await agent.endInput(), 0);
    });
  }
  test(`serve() on ${host.label} checks the options of shutting down`, async (t) => {
    const { agent, sockets } = await startGenerations(t, host);
    for (
      const [gracefulShutdown, name, part] of [
        [[], "TypeError", "the option gracefulShutdown to be a boolean or an"],
        ["yes", "TypeError", 'a boolean or an object, found "yes"'],
        [
          { signals: "SIGTERM" },
          "TypeError",
          "gracefulShutdown.signals to be an array",
        ],
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
        [
          { timeout: "5s" },
          "TypeError",
          "gracefulShutdown.timeout to be a number",
        ],
        [{ timeout: -1 }, "RangeError", "gracefulShutdown.timeout to be 0"],
        [
          { webSockets: 5 },
          "TypeError",
          "gracefulShutdown.webSockets to be a Set",
        ],
      ] as const
    ) {
      const error = await agent.fail("start", "auto", { gracefulShutdown });
      assert.equal(error.name, name, error.message);
      assert.ok(error.message.includes(part), error.message);
    }
    for (
      const [exitWhenIdle, name] of [[-1, "RangeError"], ["5s", "TypeError"]]
    ) {
      const error = await agent.fail("start", "auto", { exitWhenIdle });
      assert.equal(error.name, name, error.message);
      assert.match(error.message, /: expected exitWhenIdle to be /);
    }
    await agent.call("start", "auto");
    assertListensOnly(agent, sockets);
  });
});
