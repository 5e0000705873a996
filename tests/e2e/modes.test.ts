/** Which way `serve` and `listen` go, and what they say of it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  activateAgent,
  agentCommand,
  assertListensOnly,
  DENO_PERMISSIONS,
  exchange,
  type Host,
  HOSTS,
  request,
  tryConnect,
} from "./harness.ts";

const SOCKETS = ["web=tcp:127.0.0.1:0"];

/** Checks that a server or a listener works. */
async function assertWorks(op: string, port: number): Promise<void> {
  const target = { host: "127.0.0.1", port };
  if (op === "listen") assert.equal(await exchange(target, "hello"), "hello");
  else assert.equal((await request(target)).status, 200);
}

for (const host of HOSTS) {
  const isNode = host.runtime === "node";
  const title = { deno: "Deno", bun: "Bun", node: "Node" }[host.runtime];

  for (const op of ["serve", "listen"]) {
    test(`${op}() on ${host.label} goes natively if it can`, async (t) => {
      const { agent, sockets } = await activateAgent(t, host, SOCKETS);
      if (!host.adopts && !isNode) {
        const error = await agent.fail(op, "web", { mode: "native" });
        assert.equal(error.code, "permission");
        assert.match(
          error.message,
          /missing permission .*: run with --allow-ffi/,
        );
        assert.deepEqual((await agent.call("activation")).unclaimed, [3]);
        if (!host.isPortable) {
          // The error of the better way is the one that can be mended.
          const { message } = await agent.fail(op, "web");
          assert.equal(message, error.message);
          return;
        }
        const { mode, modeReason } = await agent.call(op, "web");
        assert.deepEqual([mode, modeReason], ["portable", error.message]);
      } else {
        const { mode, modeReason } = await agent.call(op, "web", {
          mode: "native",
        });
        assert.deepEqual([mode, modeReason], [
          "native",
          isNode
            ? "Node's own servers take descriptors"
            : `${title}'s own listener was put onto the inherited socket`,
        ]);
      }
      await assertWorks(op, sockets[0]!.port!);
      assertListensOnly(agent, sockets);
    });

    test(`${op}() on ${host.label} goes the portable way if it is told to`, async (t) => {
      const { agent, sockets } = await activateAgent(t, host, SOCKETS);
      const options = { mode: "portable" };
      if (!host.isPortable) {
        const error = await agent.fail(op, "web", options);
        assert.equal(error.code, "unsupported");
        assert.match(error.message, /can't listen on an inherited descriptor/);
        assert.deepEqual((await agent.call("activation")).unclaimed, [3]);
        return;
      }
      const { mode } = await agent.call(op, "web", options);
      assert.equal(mode, "portable");
      await assertWorks(op, sockets[0]!.port!);
      assertListensOnly(agent, sockets);
    });

    test(`${op}() on ${host.label} refuses a mode that there isn't`, async (t) => {
      const { agent } = await activateAgent(t, host, SOCKETS);
      const error = await agent.fail(op, "web", { mode: "fast" });
      assert.equal(error.name, "TypeError");
      assert.match(
        error.message,
        /expected the option mode to be "auto", "native" or "portable", found "fast"$/,
      );
      assert.deepEqual((await agent.call("activation")).unclaimed, [3]);
    });
  }
}

for (
  const host of HOSTS.filter(({ adopts, isPortable }) => adopts || isPortable)
) {
  for (const how of ["end", "close"]) {
    test(`listen() on ${host.label} sends more than fits at once before ${how}`, async (t) => {
      const { agent, sockets } = await activateAgent(t, host, SOCKETS);
      const length = 16 * 1024 * 1024;
      await agent.call("listenAndSend", "web", length, how);
      const port = sockets[0]!.port!;
      const socket = (await tryConnect({ host: "127.0.0.1", port }))!;
      t.after(() => socket.destroy());
      let received = 0;
      for await (const chunk of socket) received += chunk.length;
      assert.equal(received, length);
    });
  }
}

const isDeno = ({ runtime, adopts, isPortable }: Host) =>
  runtime === "deno" && adopts && isPortable;

for (const host of HOSTS.filter(isDeno)) {
  test(`serve() on ${host.label} names the permission that it misses`, async (t) => {
    const [program, ...args] = agentCommand(
      host,
      ...DENO_PERMISSIONS,
      "--allow-ffi",
    );
    const limited: Host = { ...host, command: () => [program!, ...args] };
    const { agent, sockets } = await activateAgent(t, limited, SOCKETS);
    const { mode, modeReason } = await agent.call("serve", "web");
    assert.equal(mode, "portable");
    assert.match(modeReason, /missing permission: run with --allow-net$/);
    await assertWorks("serve", sockets[0]!.port!);
    assertListensOnly(agent, sockets);
  });
}
