/** Adoption: what happens to descriptors when a step fails, or when they are many. */

import assert from "node:assert/strict";
import type { AdoptionFailure } from "../../fixtures/operations.ts";
import { activateAgent, NATIVE_AGENT } from "../../harness/agent.ts";
import { getBody } from "../../harness/client.ts";
import { become, handOver } from "../../harness/handover.ts";
import { forEachHost, hostsWith } from "../../harness/hosts.ts";
import { NO_PYTHON } from "../../harness/machine_tools.ts";
import { assertListensOnly, listeningInodes } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const FAILURES: readonly AdoptionFailure[] = [
  "dup3 is refused",
  "epoll_ctl is refused",
  "epoll_ctl does nothing",
  "the epoll entry is not found",
  "/proc can't be read",
  "the placeholder is not found",
  "the placeholder can't be bound",
];

forEachHost(hostsWith({ adopts: true }), (host) => {
  for (const failure of FAILURES) {
    test(`adopting on ${host.label} leaves nothing behind if ${failure}`, {
      skip: NO_PYTHON,
    }, async (t) => {
      const handover = await handOver(t, ["tcp4", "unix"]);
      const { ports } = handover;
      const agent = await become(handover, host, NATIVE_AGENT);
      const before = await agent.call("infos");
      for (const { nonBlocking } of before) assert.equal(nonBlocking, false);
      const listening = listeningInodes(agent.pid);
      assert.equal(listening.length, 2);
      // What comes meanwhile waits for whoever listens in the end.
      const waiting = getBody(ports.tcp4!, "/kept");
      const message = await agent.call("failing", failure);
      assert.match(message!, /^Testing: /);
      assert.deepEqual(listeningInodes(agent.pid), listening);
      assert.deepEqual(await agent.call("placeholders"), []);
      assert.deepEqual(await agent.call("infos"), before);
      await agent.call("serve", "tcp4");
      assert.equal(await waiting, "GET /kept\n");
      assert.deepEqual(listeningInodes(agent.pid), listening);
    });
  }

  test(`native serve on ${host.label} adopts a hundred sockets`, async (t) => {
    const specs = Array.from(
      { length: 100 },
      (_, index) => `web${index}=tcp:127.0.0.1:0`,
    );
    const { agent, sockets } = await activateAgent(
      t,
      host,
      specs,
      {},
      NATIVE_AGENT,
    );
    await agent.call("many", sockets.map(({ name }) => name));
    await Promise.all(
      sockets.map(async ({ port }) =>
        assert.equal(await getBody(port!, "/x"), "GET /x\n")
      ),
    );
    assertListensOnly(agent, sockets);
  });

  test(`native serve on ${host.label} takes sockets that don't block already`, {
    skip: NO_PYTHON,
  }, async (t) => {
    const handover = await handOver(t, ["tcp4"]);
    const { maker, ports } = handover;
    await maker.call("set_blocking", false);
    const agent = await become(handover, host, NATIVE_AGENT);
    await agent.call("serve", "tcp4");
    assert.equal(await getBody(ports.tcp4!, "/x"), "GET /x\n");
  });
});
