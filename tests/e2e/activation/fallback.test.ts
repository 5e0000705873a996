/** Fallbacks: they bind when, and only when, there is no activation. */

import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import {
  activateAgent,
  agentCommand,
  startInactive,
} from "../../harness/agent.ts";
import { exchange, request } from "../../harness/client.ts";
import { forEachHost, HOSTS, hostsWith } from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import { assertListensOnly } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

forEachHost(hostsWith({ inspects: true }), (host) => {
  test(`fallback on ${host.label} binds a port and a path`, async (t) => {
    const file = path.join(temporaryDirectory(t), "fallback.sock");
    const agent = startInactive(t, agentCommand(host));

    const { addresses: [web] } = await agent.call("serve", "web", {
      fallback: { port: 0, hostname: "127.0.0.1" },
    });
    assert.equal(web!.hostname, "127.0.0.1");
    const { status } = await request({ host: "127.0.0.1", port: web!.port });
    assert.equal(status, 200);
    const { addresses: [local] } = await agent.call("serve", "web", {
      fallback: { port: 0, hostname: "localhost" },
    });
    const { hostname = "" } = local!;
    assert.ok(["127.0.0.1", "::1"].includes(hostname), hostname);

    for (const operation of ["listen", "serve"] as const) {
      const { id, addresses } = await agent.call(operation, "admin", {
        fallback: { path: file },
      });
      assert.deepEqual(addresses, [{ kind: "unix", path: file }]);
      if (operation === "listen") {
        assert.equal(await exchange({ path: file }, "hi"), "hi");
      } else {
        assert.equal((await request({ socketPath: file })).status, 200);
      }
      await agent.call("close", id);
      assert.ok(!fs.existsSync(file), operation);
    }
  });

  test(`fallback on ${host.label} binds a path again at once after its end`, async (t) => {
    const file = path.join(temporaryDirectory(t), "fallback.sock");
    const agent = startInactive(t, agentCommand(host));
    for (const backend of ["auto", "node"] as const) {
      const options = { backend, fallback: { path: file } };
      for (
        const [operation, end] of [
          ["serve", "close"],
          ["serve", "shutdown"],
          ["listen", "close"],
        ] as const
      ) {
        const left = await agent.call("reopen", operation, end, options, 4);
        assert.equal(left, 0, `${operation} ${backend} ${end}`);
      }
    }
  });

  test(`fallback on ${host.label} takes addresses as text`, async (t) => {
    const name = `listenfds-${process.pid}-${host.label}`;
    const agent = startInactive(t, agentCommand(host));
    const { addresses: [tcp] } = await agent.call("listen", "tcp:[::1]:0");
    assert.equal(tcp!.hostname, "::1");
    assert.equal(await exchange({ host: "::1", port: tcp!.port! }, "x"), "x");
    await agent.call("listen", `unix:@${name}`);
    assert.equal(await exchange({ path: `\0${name}` }, "y"), "y");
  });

  test(`fallback on ${host.label} reports what it can't bind`, async (t) => {
    const file = path.join(temporaryDirectory(t), "a file");
    fs.writeFileSync(file, "precious");
    const agent = startInactive(t, agentCommand(host));
    const taken = await agent.fail("listen", "x", { fallback: { path: file } });
    assert.equal(taken.code, "system");
    assert.equal(taken.errno, os.constants.errno.EADDRINUSE);
    assert.match(taken.message, /binding ".*a file": .*EADDRINUSE/);
    assert.equal(fs.readFileSync(file, "utf8"), "precious");

    const range = await agent.fail("listen", "x", {
      fallback: { port: 65536 },
    });
    assert.equal(range.name, "RangeError");
    const shape = await agent.fail("listen", "x", { fallback: {} });
    assert.equal(shape.name, "TypeError");
  });
});

forEachHost(HOSTS, (host) => {
  test(`fallback on ${host.label} is not used when activated`, async (t) => {
    const { agent, sockets } = await activateAgent(t, host, [
      "web=tcp:127.0.0.1:0",
    ]);
    const { addresses } = await agent.call("serve", "web", {
      fallback: { port: 0 },
    });
    assert.equal(addresses[0]?.port, sockets[0]!.port);
    assertListensOnly(agent, sockets);
  });

  test(`listen() on ${host.label} without activation and fallback says why`, async (t) => {
    const agent = startInactive(t, agentCommand(host));
    for (
      const operation of ["listen", "serve", "connection", "bind"] as const
    ) {
      const error = await agent.fail(operation, "web");
      assert.equal(error.code, "not-activated");
      assert.match(error.message, /LISTEN_PID is not set/);
    }
  });
});
