/** What SIGTERM does to a process that serves, by default and with settings. */

import assert from "node:assert/strict";
import path from "node:path";
import type { TestContext } from "node:test";
import type { DrainOperations } from "../../fixtures/operations.ts";
import {
  type Agent,
  agentCommand,
  startInactive,
} from "../../harness/agent.ts";
import { request, type TcpTarget } from "../../harness/client.ts";
import {
  type Client,
  CLOSE,
  openClient,
  startGenerations,
  untilBegun,
} from "../../harness/draining.ts";
import { forEachHost, hostsWith, ROOT } from "../../harness/hosts.ts";
import { startProgram } from "../../harness/program.ts";
import { test } from "../../harness/timed_test.ts";

const MANY_SERVERS = path.join(ROOT, "tests/fixtures/many_servers.ts");

/** So that a process that something keeps ends soon. */
const SHORT = { exitMs: 100 };

async function untilShutdown(agent: Agent<DrainOperations>): Promise<void> {
  await agent.until(
    "the server to shut down",
    () => agent.call("isShuttingDown"),
    (isShuttingDown) => isShuttingDown,
  );
}

/** Starts a server, and sends SIGTERM while a request is in progress. */
async function terminateHeld(
  t: TestContext,
  agent: Agent<DrainOperations>,
  web: TcpTarget,
): Promise<Client> {
  await agent.call("start", "auto");
  const held = await openClient(t, web);
  held.send("/hold");
  await untilBegun(agent, 1);
  agent.process.kill("SIGTERM");
  await untilShutdown(agent);
  return held;
}

forEachHost(hostsWith({ serves: true }), (host) => {
  test(`SIGTERM on ${host.label} ends a process that something keeps, after its requests`, async (t) => {
    const { agent, web } = await startGenerations(t, host);
    await agent.call("setTimes", SHORT);
    await agent.call("stay");
    const held = await terminateHeld(t, agent, web);
    await agent.call("release");
    await held.until(agent, "held\n");
    assert.match(held.received, CLOSE);
    assert.equal(await agent.exited, 0);
  });

  test(`SIGTERM on ${host.label} ends a process at once the second time`, async (t) => {
    const { agent, web } = await startGenerations(t, host);
    await terminateHeld(t, agent, web);
    agent.process.kill("SIGTERM");
    assert.equal(await agent.exited, null);
    assert.equal(agent.process.signalCode, "SIGTERM");
  });

  test(`SIGTERM on ${host.label} leaves the end to listeners of the program, until the timeout`, async (t) => {
    const { agent, web } = await startGenerations(t, host);
    await agent.call("setTimes", SHORT);
    await agent.call("start", "auto", { gracefulShutdown: { timeout: 4000 } });
    // After the server: the order doesn't matter.
    await agent.call("handle", "SIGTERM");
    assert.equal((await request(web)).status, 200);
    agent.process.kill("SIGTERM");
    const sent = performance.now();
    await untilShutdown(agent);
    assert.deepEqual(await agent.call("signals"), ["SIGTERM"]);
    assert.equal(await agent.exited, 0);
    assert.ok(performance.now() - sent >= 3900);
  });

  test(`SIGTERM on ${host.label} has its usual effect with gracefulShutdown: false`, async (t) => {
    const { agent, web } = await startGenerations(t, host);
    await agent.call("start", "auto", { gracefulShutdown: false });
    const held = await openClient(t, web);
    held.send("/hold");
    await untilBegun(agent, 1);
    assert.equal(await agent.terminate(), null);
    assert.equal(agent.process.signalCode, "SIGTERM");
  });
});

forEachHost(hostsWith({ inspects: true }), (host) => {
  test(`SIGTERM on ${host.label} has its usual effect on a server at a fallback address`, async (t) => {
    const agent = startInactive(t, agentCommand(host));
    const fallback = { port: 0, hostname: "127.0.0.1" };
    const { addresses: [web] } = await agent.call("serve", "web", { fallback });
    const { port } = web!;
    assert.equal((await request({ host: "127.0.0.1", port })).status, 200);
    assert.equal(await agent.terminate(), null);
    assert.equal(agent.process.signalCode, "SIGTERM");
  });
});

forEachHost(hostsWith({ hasOwnServers: true, isPortable: true }), (host) => {
  test(`150 servers on ${host.label} share one listener for each signal`, async (t) => {
    const program = startProgram(t, host.command(MANY_SERVERS));
    assert.equal(await program.exited, 0, program.output);
    assert.equal(program.stdout, "1 1 1 1\n0 0 0 0\n");
    assert.doesNotMatch(program.stderr, /MaxListeners/);
  });
});
