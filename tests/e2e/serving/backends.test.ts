/** The backend of `serve` and `listen`, and the reason that they report. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { activateAgent, agentCommand } from "../../harness/agent.ts";
import { connect, exchange, request } from "../../harness/client.ts";
import {
  DENO_PERMISSIONS,
  forEachHost,
  type Host,
  HOSTS,
  hostsWith,
} from "../../harness/hosts.ts";
import { assertListensOnly } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const SOCKETS = ["web=tcp:127.0.0.1:0"];

/** Checks that a server or a listener works. */
async function assertWorks(
  operation: "serve" | "listen",
  port: number,
): Promise<void> {
  const target = { host: "127.0.0.1", port };
  if (operation === "listen") {
    assert.equal(await exchange(target, "hello"), "hello");
  } else assert.equal((await request(target)).status, 200);
}

forEachHost(HOSTS, (host) => {
  const isNode = host.runtime === "node";
  const title = { deno: "Deno", bun: "Bun", node: "Node" }[host.runtime];

  for (const operation of ["serve", "listen"] as const) {
    test(`${operation}() on ${host.label} goes natively if it can`, async (t) => {
      const { agent, sockets } = await activateAgent(t, host, SOCKETS);
      if (!host.adopts && !isNode) {
        const error = await agent.fail(operation, "web", { backend: "native" });
        assert.equal(error.code, "permission");
        assert.match(
          error.message,
          /missing permission .*: run with --allow-ffi/,
        );
        assert.deepEqual((await agent.call("activation"))?.unclaimed, [3]);
        if (!host.isPortable) {
          // The error of the better way is the one that can be mended.
          const { message } = await agent.fail(operation, "web");
          assert.equal(message, error.message);
          return;
        }
        const { backend, backendReason } = await agent.call(operation, "web");
        assert.deepEqual([backend, backendReason], ["node", error.message]);
      } else {
        const { backend, backendReason } = await agent.call(operation, "web", {
          backend: "native",
        });
        assert.deepEqual([backend, backendReason], [
          host.runtime,
          isNode
            ? "Node's own servers take descriptors"
            : `${title}'s own listener was put onto the inherited socket`,
        ]);
      }
      await assertWorks(operation, sockets[0]!.port!);
      assertListensOnly(agent, sockets);
    });

    test(`${operation}() on ${host.label} goes the portable way if that is asked for`, async (t) => {
      const { agent, sockets } = await activateAgent(t, host, SOCKETS);
      const options = { backend: "node" } as const;
      if (!host.isPortable) {
        const error = await agent.fail(operation, "web", options);
        assert.equal(error.code, "unsupported");
        assert.match(error.message, /can't listen on an inherited descriptor/);
        assert.deepEqual((await agent.call("activation"))?.unclaimed, [3]);
        return;
      }
      const { backend } = await agent.call(operation, "web", options);
      assert.equal(backend, "node");
      await assertWorks(operation, sockets[0]!.port!);
      assertListensOnly(agent, sockets);
    });

    test(`${operation}() on ${host.label} refuses an unknown backend`, async (t) => {
      const { agent } = await activateAgent(t, host, SOCKETS);
      const error = await agent.fail(operation, "web", { backend: "fast" });
      assert.equal(error.name, "TypeError");
      assert.match(
        error.message,
        /expected the option backend to be "auto", "native" or "node", found "fast"$/,
      );
      assert.deepEqual((await agent.call("activation"))?.unclaimed, [3]);
    });
  }
});

forEachHost(
  HOSTS.filter(({ adopts, isPortable }) => adopts || isPortable),
  (host) => {
    for (const last of ["end", "close"] as const) {
      test(`listen() on ${host.label} sends more than fits at once before ${last}`, async (t) => {
        const { agent, sockets } = await activateAgent(t, host, SOCKETS);
        const length = 16 * 1024 * 1024;
        await agent.call("listenAndSend", "web", length, last);
        const port = sockets[0]!.port!;
        const socket = await connect({ host: "127.0.0.1", port });
        t.after(() => socket.destroy());
        let received = 0;
        for await (const chunk of socket) received += chunk.length;
        assert.equal(received, length);
      });
    }
    const backends = host.isPortable
      ? ["auto", "node"] as const
      : ["auto"] as const;
    for (const backend of backends) {
      // The streams of Deno itself, and of Bun before 1.4, wait for the write.
      const isOwnStream = backend === "auto" && host.adopts &&
        host.runtime === "deno";
      for (const end of ["reset", "close", "abort"] as const) {
        if (end !== "reset" && isOwnStream) continue;
        if (end === "abort" && !host.isPortable) continue;
        test(`listen() on ${host.label}, backend ${backend}, ends a write with an error after ${end}`, async (t) => {
          const { agent, sockets } = await activateAgent(t, host, SOCKETS);
          const written = agent.call("writeTooMuch", "web", { backend }, end);
          const port = sockets[0]!.port!;
          const socket = await connect({ host: "127.0.0.1", port });
          t.after(() => socket.destroy());
          // Then the service writes, and waits.
          await once(socket, "readable");
          if (end === "reset") socket.resetAndDestroy();
          const error = await written;
          assert.match(error, /^\w*Error\b|^\w+: /);
          // That says what has happened to the stream, not to the connection.
          assert.doesNotMatch(error, /STREAM_DESTROYED/);
        });
      }
      test(`listen() on ${host.label}, backend ${backend}, reports that a short write has failed`, async (t) => {
        const { agent, sockets } = await activateAgent(t, host, SOCKETS);
        const accepted = agent.call("accept", "web", { backend });
        const port = sockets[0]!.port!;
        const socket = await connect({ host: "127.0.0.1", port });
        t.after(() => socket.destroy());
        // More than the service reads, which sees nothing of the reset so.
        socket.write(new Uint8Array(1 << 20));
        await accepted;
        socket.resetAndDestroy();
        const written = await agent.call("writeLittle");
        assert.match(written, /^\w*Error\b|^\w+: /);
      });
    }
  },
);

const permitted = { runtime: "deno", adopts: true, isPortable: true } as const;

forEachHost(hostsWith(permitted), (host) => {
  test(`serve() on ${host.label} names the permission that it misses`, async (t) => {
    const [program, ...args] = agentCommand(
      host,
      ...DENO_PERMISSIONS,
      "--allow-ffi",
    );
    const limited: Host = { ...host, command: () => [program!, ...args] };
    const { agent, sockets } = await activateAgent(t, limited, SOCKETS);
    const { backend, backendReason } = await agent.call("serve", "web");
    assert.equal(backend, "node");
    assert.match(backendReason, /missing permission: run with --allow-net$/);
    await assertWorks("serve", sockets[0]!.port!);
    assertListensOnly(agent, sockets);
  });
});
