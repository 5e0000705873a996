/** Names that descriptors of several kinds have. */

import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import path from "node:path";
import type { TestContext } from "node:test";
import { activateAgent, type Agent, startAgent } from "../../harness/agent.ts";
import { exchange, request } from "../../harness/client.ts";
import {
  openFifo,
  openListener,
  openPair,
  openUdp,
} from "../../harness/descriptors.ts";
import { forEachHost, HOSTS, hostsWith } from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import { test } from "../../harness/timed_test.ts";

async function unclaimedOf(agent: Agent): Promise<readonly number[]> {
  return (await agent.call("activation"))!.unclaimed;
}

/** Sends a datagram to an agent that echoes it. */
async function assertEchoes(
  t: TestContext,
  { hostname, port }: { readonly hostname: string; readonly port: number },
): Promise<void> {
  const client = dgram.createSocket("udp4");
  t.after(() => client.close());
  client.send("hello", port, hostname);
  const [data] = await once(client, "message");
  assert.equal(String(data), "hello");
}

forEachHost(hostsWith({ inspects: true }), (host) => {
  test(`serve() and bind() on ${host.label} share a name`, async (t) => {
    const listener = await openListener();
    const { port } = listener;
    const udp = await openUdp(t);
    const agent = startAgent(t, host, [
      { name: "dns", fd: udp.fd },
      { name: "dns", fd: listener.fd },
    ]);
    listener.close();
    udp.close();
    await agent.call("serve", "dns");
    assert.deepEqual(await unclaimedOf(agent), [3]);
    assert.equal((await request({ host: "127.0.0.1", port })).status, 200);
    if (host.runtime === "deno") {
      const error = await agent.fail("bind", "dns");
      assert.equal(error.code, "unsupported");
      assert.deepEqual(await unclaimedOf(agent), [3]);
      return;
    }
    await assertEchoes(t, await agent.call("bind", "dns"));
    assert.deepEqual(await unclaimedOf(agent), []);
    await agent.call("complete");
    const again = await agent.fail("bind", "dns");
    assert.equal(again.code, "already-claimed");
  });

  test(`serve() and connection() on ${host.label} share a name`, async (t) => {
    const listener = await openListener();
    const { port } = listener;
    const pair = await openPair(t, { port: 0, host: "127.0.0.1" });
    const agent = startAgent(t, host, [
      { name: "web", fd: listener.fd },
      { name: "web", fd: pair.fd },
    ]);
    listener.close();
    pair.close();
    await agent.call("connection", "web");
    assert.deepEqual(await unclaimedOf(agent), [3]);
    await agent.call("serve", "web");
    assert.equal(await exchange(pair.client, "hello"), "hello");
    assert.equal((await request({ host: "127.0.0.1", port })).status, 200);
    await agent.call("complete");
  });

  for (const operation of ["serve", "listen", "nodeListen"] as const) {
    test(`${operation}() on ${host.label} leaves a FIFO of the same name claimable`, async (t) => {
      const listener = await openListener();
      const agent = startAgent(t, host, [
        { name: "web", fd: listener.fd },
        { name: "web", fd: (await openFifo(t)).fd },
      ]);
      listener.close();
      if (operation === "nodeListen") {
        await agent.call(operation, "http", "web", {});
      } else await agent.call(operation, "web");
      assert.deepEqual(await unclaimedOf(agent), [4]);
      const error = await agent.fail(
        operation,
        ...(operation === "nodeListen" ? ["http", "web", {}] : ["web"]),
      );
      assert.equal(error.code, "wrong-kind");
      assert.deepEqual(await agent.call("claim", "web"), [4]);
    });
  }

  test(`bind() and connection() on ${host.label} want one of several`, async (t) => {
    const address = { port: 0, host: "127.0.0.1" };
    const agent = startAgent(t, host, [
      { name: "dns", fd: (await openUdp(t)).fd },
      { name: "dns", fd: (await openUdp(t)).fd },
      { name: "peer", fd: (await openPair(t, address)).fd },
      { name: "peer", fd: (await openPair(t, address)).fd },
    ]);
    const failures = [
      await agent.fail("bind", "dns"),
      await agent.fail("connection", "peer"),
    ];
    for (const { code, message } of failures) {
      assert.equal(code, "ambiguous-name");
      assert.match(
        message,
        /found 2 sockets with this name: ask for each as "f/,
      );
    }
    assert.deepEqual(await unclaimedOf(agent), [3, 4, 5, 6]);
    await agent.call("connection", "fd:6");
    assert.deepEqual(await unclaimedOf(agent), [3, 4, 5]);
  });
});

forEachHost(hostsWith({ inspects: false, isPortable: true }), (host) => {
  test(`listen() on ${host.label} refuses a name with a descriptor of unknown kind`, async (t) => {
    const file = path.join(temporaryDirectory(t), "web.sock");
    const { agent, sockets } = await activateAgent(t, host, [
      "web=tcp:127.0.0.1:0",
      `web=unix:${file}`,
    ]);
    for (const operation of ["listen", "serve", "connection"] as const) {
      const { code, message } = await agent.fail(operation, "web");
      assert.equal(code, "ambiguous-name");
      assert.match(message, /the kinds of descriptor 4 \("web"\) are unknown/);
      assert.match(message, /set FileDescriptorName= .* as "fd:NUMBER"$/);
      assert.deepEqual(await unclaimedOf(agent), [3, 4]);
    }
    await agent.call("listen", "fd:3");
    // The only one that is left is taken by its name.
    await agent.call("listen", "web");
    const { port } = sockets[0]!;
    for (const target of [{ port: port!, host: "127.0.0.1" }, { path: file }]) {
      assert.equal(await exchange(target, "hello"), "hello");
    }
  });

  test(`listen() on ${host.label} refuses several descriptors where no kind is known`, async (t) => {
    const directory = temporaryDirectory(t);
    const files = ["1", "2"].map((name) => path.join(directory, name));
    const { agent } = await activateAgent(
      t,
      host,
      files.map((file) => `web=unix:${file}`),
    );
    for (const operation of ["listen", "serve", "connection"] as const) {
      const { code, message } = await agent.fail(operation, "web");
      assert.equal(code, "ambiguous-name");
      assert.match(
        message,
        /descriptor 3 \("web"\) and descriptor 4 \("web"\)/,
      );
      assert.deepEqual(await unclaimedOf(agent), [3, 4]);
    }
    await agent.call("listen", "fd:3");
    await agent.call("listen", "fd:4");
    for (const path of files) {
      assert.equal(await exchange({ path }, "hello"), "hello");
    }
  });
});

forEachHost(HOSTS, (host) => {
  for (const form of ["fd:3", "systemd:own"]) {
    test(`connection() on ${host.label} takes ${form}`, async (t) => {
      const address = { port: 0, host: "127.0.0.1" };
      const { fd, client, close } = await openPair(t, address);
      const agent = startAgent(t, host, [{ name: "own", fd }]);
      close();
      await agent.call("connection", form);
      assert.equal(await exchange(client, "hello"), "hello");
      const again = await agent.fail("connection", form);
      assert.equal(again.code, "already-claimed");
    });

    test(`bind() on ${host.label} takes ${form}`, async (t) => {
      const { fd, close } = await openUdp(t);
      const agent = startAgent(t, host, [{ name: "own", fd }]);
      close();
      if (host.runtime === "deno") {
        const error = await agent.fail("bind", form);
        assert.equal(error.code, "unsupported");
        assert.deepEqual(await unclaimedOf(agent), [3]);
        return;
      }
      await assertEchoes(t, await agent.call("bind", form));
      assert.deepEqual(await unclaimedOf(agent), []);
    });
  }

  test(`bind() and connection() on ${host.label} refuse addresses to bind`, async (t) => {
    const agent = startAgent(t, host, [{
      name: "own",
      fd: (await openUdp(t)).fd,
    }]);
    for (const operation of ["bind", "connection"] as const) {
      const error = await agent.fail(operation, "tcp:127.0.0.1:0");
      assert.equal(error.name, "TypeError");
      assert.match(error.message, /uses inherited descriptors only/);
      const missing = await agent.fail(operation, "fd:9");
      assert.equal(missing.code, "missing-name");
      assert.deepEqual(await unclaimedOf(agent), [3]);
    }
  });
});
