/** `connection()`: connections that are handed over one by one. */

import assert from "node:assert/strict";
import {
  activateAgent,
  agentCommand,
  startAgent,
  startInactive,
} from "../../harness/agent.ts";
import { exchange, tryConnect } from "../../harness/client.ts";
import { openPair, streamAddresses } from "../../harness/descriptors.ts";
import { forEachHost, HOSTS } from "../../harness/hosts.ts";
import {
  NO_SYSTEMD_ACTIVATE,
  SYSTEMD_ACTIVATE,
} from "../../harness/machine_tools.ts";
import { freePorts } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

forEachHost(HOSTS, (host) => {
  test(`connection() on ${host.label} reads on after it has ended its side`, async (t) => {
    for (const address of streamAddresses(t)) {
      const { fd, client, close } = await openPair(t, address);
      const agent = startAgent(t, host, [{ name: "connection", fd }]);
      close();
      const read = agent.call("readAfterEnd");
      let first = "";
      for await (
        const chunk of client.setEncoding("utf8").iterator({
          destroyOnReturn: false,
        })
      ) first += chunk;
      assert.equal(first, "bye");
      client.end("later");
      assert.equal(await read, "later");
      await agent.terminate();
    }
  });

  test(`connection() on ${host.label} serves a connection`, async (t) => {
    for (const address of streamAddresses(t)) {
      const { fd, client, close } = await openPair(t, address);
      const agent = startAgent(t, host, [{ name: "connection", fd }]);
      close();
      const { remote, local } = await agent.call("connection");
      if ("port" in address) {
        assert.equal(remote?.port, client.localPort);
        assert.equal(local?.port, client.remotePort);
      }
      assert.equal(await exchange(client, "hello"), "hello");
      await agent.terminate();
    }
  });

  test(`connection() on ${host.label} refuses a listener`, async (t) => {
    const { agent } = await activateAgent(t, host, [
      "connection=tcp:127.0.0.1:0",
    ]);
    const error = await agent.fail("connection");
    assert.equal(error.code, "wrong-kind");
    assert.match(error.message, /set ListenStream= with Accept=yes/);
    assert.deepEqual((await agent.call("activation"))?.unclaimed, [3]);
  });

  test(`connection() on ${host.label} finds the connection among others by its name`, async (t) => {
    const pairs = await Promise.all(
      ["stored", "connection"].map(async (name) => ({
        name,
        ...await openPair(t, streamAddresses(t)[0]!),
      })),
    );
    const agent = startAgent(t, host, pairs);
    for (const { close } of pairs) close();
    await agent.call("connection");
    assert.equal(await exchange(pairs[1]!.client, "hello"), "hello");
    assert.deepEqual((await agent.call("activation"))?.unclaimed, [3]);
  });

  test(`connection() on ${host.label} asks for the name of one of several`, async (t) => {
    const pairs = await Promise.all(
      ["first", "second"].map(async (name) => ({
        name,
        ...await openPair(t, streamAddresses(t)[0]!),
      })),
    );
    const agent = startAgent(t, host, pairs);
    for (const { close } of pairs) close();
    const error = await agent.fail("connection");
    assert.equal(error.code, "ambiguous-name");
    assert.match(error.message, /found 2 descriptors \("first", "second"\)/);
    assert.deepEqual((await agent.call("activation"))?.unclaimed, [3, 4]);
    await agent.call("connection", "second");
    assert.equal(await exchange(pairs[1]!.client, "hello"), "hello");
  });

  for (const name of ["connection", "other", undefined]) {
    const title = name === undefined
      ? "without a name"
      : `with the name ${name}`;
    test(
      `connection() on ${host.label} runs under systemd-socket-activate --accept ${title}`,
      { skip: NO_SYSTEMD_ACTIVATE },
      async (t) => {
        const [port] = await freePorts(1);
        const agent = startInactive(t, [
          SYSTEMD_ACTIVATE,
          `--listen=127.0.0.1:${port}`,
          "--accept",
          ...(name === undefined ? [] : [`--fdname=${name}`]),
          "--",
          ...agentCommand(host),
        ]);
        const client = await agent.until(
          "systemd-socket-activate to listen",
          () =>
            tryConnect({
              host: "127.0.0.1",
              port: port!,
              allowHalfOpen: true,
            }),
        );
        const error = await agent.fail("connection", "wrong");
        assert.equal(error.code, "missing-name");
        assert.match(
          error.message,
          new RegExp(`there are "${name ?? "unknown"}":`),
        );
        await agent.call("connection");
        assert.equal(await exchange(client, "hello"), "hello");
        const again = await agent.fail("connection");
        assert.equal(again.code, "already-claimed");
      },
    );
  }
});
