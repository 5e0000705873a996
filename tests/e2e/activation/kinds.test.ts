/** Descriptors of wrong kinds, and those that are rare. */

import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { activateAgent, AGENT, startAgent } from "../../harness/agent.ts";
import { exchange, request } from "../../harness/client.ts";
import {
  openDevice,
  type Opener,
  openFifo,
  openFile,
  openListener,
  openPair,
  openUdp,
  streamAddresses,
} from "../../harness/descriptors.ts";
import { become, handOver } from "../../harness/handover.ts";
import {
  forEachHost,
  type Host,
  HOSTS,
  hostsWith,
} from "../../harness/hosts.ts";
import { NO_PYTHON } from "../../harness/machine_tools.ts";
import { test } from "../../harness/timed_test.ts";

/** Descriptors that are no listeners, and how an error describes each. */
const WRONG: Readonly<Record<string, { opener: Opener; found: RegExp }>> = {
  "a datagram socket": {
    opener: openUdp,
    found: /found a datagram socket at 127\.0\.0\.1:\d+ in descriptor 4/,
  },
  "a regular file": {
    opener: openFile,
    found: /found a file, ".*regular file" in descriptor 4/,
  },
  "a FIFO": { opener: openFifo, found: /found a FIFO or pipe, / },
  "a character device": {
    opener: openDevice,
    found: /found a character device, "\/dev\/null"/,
  },
};

const TCP = { port: 0, host: "127.0.0.1" };

/** Uses a wrong descriptor in each way, between two that are right. */
async function assertRefused(
  t: TestContext,
  host: Host,
  opener: Opener,
  found: RegExp,
): Promise<void> {
  const right = await openListener();
  const { port } = right;
  const wrong = await opener(t);
  const { ino } = fs.fstatSync(wrong.fd);
  const agent = startAgent(t, host, [
    { name: "web", fd: right.fd },
    { name: "wrong", fd: wrong.fd },
  ]);
  right.close();
  const calls = [["listen"], ["serve"], ["nodeListen", "http"]] as const;
  for (const [operation, ...args] of calls) {
    const error = await agent.fail(operation, ...args, "wrong", {});
    if (host.inspects) {
      assert.equal(error.code, "wrong-kind", error.message);
      assert.match(error.message, found);
      assert.match(error.message, /set ListenStream= with Accept=no/);
    } else {
      assert.match(error.code!, /^(wrong-kind|system)$/, error.message);
      assert.match(error.message, /descriptor 4 \("wrong"\)/);
    }
    assert.deepEqual((await agent.call("activation"))?.unclaimed, [3, 4]);
    assert.equal(fs.statSync(`/proc/${agent.pid}/fd/4`).ino, ino, "kept open");
  }
  await agent.call("listen", "web");
  assert.equal(await exchange({ host: "127.0.0.1", port }, "x"), "x");
  assert.deepEqual(await agent.call("claim", "wrong"), [4]);
}

forEachHost(HOSTS, (host) => {
  for (const [what, { opener, found }] of Object.entries(WRONG)) {
    test(`listen() and serve() on ${host.label} refuse ${what}`, (t) =>
      assertRefused(t, host, opener, found));
  }

  test(`listen() and serve() on ${host.label} refuse a connection`, async (t) => {
    for (const address of streamAddresses(t)) {
      await assertRefused(
        t,
        host,
        (t) => openPair(t, address),
        /found a connected stream socket/,
      );
    }
  });

  test(`listen() on ${host.label} starts all sockets of a name or none`, async (t) => {
    const right = await openListener();
    const { port } = right;
    // Known to be not open, or of unknown kind.
    const wrong = host.inspects ? 200 : 4;
    const names = Array.from(
      { length: wrong - 2 },
      (_, index) => index === 0 || index === wrong - 3 ? "web" : "gap",
    );
    const agent = startAgent(
      t,
      host,
      [
        { name: "web", fd: right.fd },
        ...(host.inspects ? [] : [{ name: "web", fd: (await openUdp(t)).fd }]),
      ],
      { LISTEN_FDS: String(names.length), LISTEN_FDNAMES: names.join(":") },
    );
    right.close();
    for (const operation of ["listen", "serve"] as const) {
      const error = await agent.fail(operation, "web");
      assert.equal(error.code, host.inspects ? "not-open" : "ambiguous-name");
      assert.ok(error.message.includes(`descriptor ${wrong} ("web")`));
      const { unclaimed } = (await agent.call("activation"))!;
      assert.equal(unclaimed.length, names.length);
    }
    // The one that is right can still be used, and nothing was lost meanwhile.
    const answer = exchange({ host: "127.0.0.1", port }, "kept");
    await agent.call("listen", "fd:3");
    assert.equal(await answer, "kept");
  });

  test(`listen() on ${host.label} reports descriptors that are not open`, async (t) => {
    const { agent, sockets } = await activateAgent(
      t,
      host,
      ["web=tcp:127.0.0.1:0"],
      { LISTEN_FDS: "3", LISTEN_FDNAMES: "web:gone:high" },
    );
    for (const name of ["gone", "high"]) {
      const error = await agent.fail("listen", name);
      // The runtime may use the number itself by now: then that is found.
      assert.match(
        error.code!,
        /^(not-open|wrong-kind|system)$/,
        error.message,
      );
      assert.match(error.message, new RegExp(`descriptor \\d \\("${name}"\\)`));
    }
    await agent.call("listen", "web");
    const { port } = sockets[0]!;
    assert.equal(await exchange({ host: "127.0.0.1", port: port! }, "x"), "x");
  });

  test(`bind() on ${host.label} answers datagrams, or says who can`, async (t) => {
    const { fd, close } = await openUdp(t);
    const agent = startAgent(t, host, [{ name: "dns", fd }]);
    // Or this process could receive what is meant for the agent.
    close();
    if (host.runtime === "deno") {
      const error = await agent.fail("bind", "dns");
      assert.equal(error.code, "unsupported");
      assert.deepEqual((await agent.call("activation"))?.unclaimed, [3]);
      return;
    }
    const { hostname, port } = await agent.call("bind", "dns");
    const client = dgram.createSocket("udp4");
    t.after(() => client.close());
    client.send("hello", port, hostname);
    const [data] = await once(client, "message");
    assert.equal(String(data), "hello");
  });
});

forEachHost(hostsWith({ inspects: false }), (host) => {
  test(`serve() on ${host.label} uses a socket that was held after a failure`, async (t) => {
    for (const operation of ["serve", "nodeListen", "dispose"] as const) {
      const right = await openListener();
      const { port } = right;
      const agent = startAgent(t, host, [
        { name: "web", fd: right.fd },
        // Deno without permissions can't tell a connection from a listener: the
        // first socket listens already when this one turns out to be wrong.
        { name: "web", fd: (await openPair(t, TCP)).fd },
      ]);
      right.close();
      const error = await agent.fail("listen", "web");
      assert.equal(error.code, "system", error.message);
      assert.equal(error.errno, os.constants.errno.EINVAL);
      const target = { host: "127.0.0.1", port };
      if (operation === "dispose") {
        await agent.call("dispose");
        assert.deepEqual(await agent.call("tryClaim", "fd:3"), []);
        await assert.rejects(request(target), /ECONNREFUSED/);
      } else {
        const answer = request(target);
        const { addresses } = operation === "serve"
          ? await agent.call("serve", "fd:3", {})
          : await agent.call("nodeListen", "http", "fd:3", {});
        assert.equal(addresses[0]?.port, port);
        assert.equal((await answer).status, 200);
      }
      await agent.terminate();
    }
  });
});

forEachHost(hostsWith({ inspects: true }), (host) => {
  test(
    `claimFd() on ${host.label} returns a file and a FIFO that /dev/fd opens`,
    {
      skip: NO_PYTHON,
    },
    async (t) => {
      const handover = await handOver(t, ["file", "fifo"]);
      const agent = await become(handover, host, AGENT);
      for (const name of ["file", "fifo"]) {
        const text = `the content of a ${name}`;
        fs.writeFileSync(path.join(handover.directory, name), text);
        assert.equal(await agent.call("readFile", handover.fd(name)), text);
      }
      assert.deepEqual((await agent.call("activation"))?.unclaimed, []);
    },
  );
});
