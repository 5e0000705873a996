/** The entry point `./node`: servers of the `node:` modules on descriptors. */

import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { text } from "node:stream/consumers";
import tls from "node:tls";
import type { NodeServerKind } from "../../fixtures/operations.ts";
import { activateAgent } from "../../harness/agent.ts";
import { request, requestTls } from "../../harness/client.ts";
import { forEachHost, HOSTS } from "../../harness/hosts.ts";
import {
  createCertificate,
  temporaryDirectory,
} from "../../harness/machine_tools.ts";
import { assertListensOnly, untilListensOnly } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const WEB = ["web=tcp:127.0.0.1:0", "web=tcp:[::1]:0"];

type Ask = (host: string, port: number) => Promise<string>;

const ASK: Readonly<Record<Exclude<NodeServerKind, "held">, Ask>> = {
  // Without ending our side first: Deno can lose what a server writes then, on
  // a port of its own, too.
  net: (host, port) => text(net.connect({ host, port })),
  http: async (hostname, port) => (await request({ hostname, port })).body,
  http2: (host, port) => askHttp2(`http://${bracket(host)}:${port}`),
  tls: (host, port) =>
    text(tls.connect({ host, port, rejectUnauthorized: false })),
  https: async (hostname, port) => (await requestTls({ hostname, port })).body,
  http2s: (host, port) => askHttp2(`https://${bracket(host)}:${port}`),
};

const KINDS = Object.keys(ASK) as (keyof typeof ASK)[];

function bracket(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

async function askHttp2(origin: string): Promise<string> {
  const session = http2.connect(origin, { rejectUnauthorized: false });
  const failed = once(session, "error").then(([error]) => {
    throw error;
  });
  try {
    const stream = session.request({ ":path": "/" });
    return await Promise.race([text(stream), failed]);
  } finally {
    session.close();
  }
}

forEachHost(HOSTS, (host) => {
  test(`close() of ./node on ${host.label} waits for the connections of all sockets`, async (t) => {
    const { agent, sockets } = await activateAgent(t, host, WEB);
    const { id } = await agent.call("nodeListen", "held", "web", {});
    // On the second socket only: the first is the server's own.
    const answer = request({ hostname: "::1", port: sockets[1]!.port! });
    await agent.until(
      "the request to arrive",
      () => agent.call("waiting"),
      (waiting) => waiting === 1,
    );
    let closed = false;
    const done = agent.call("closeServer", id).then(() => closed = true);
    await untilListensOnly(agent, []);
    assert.equal(await agent.call("waiting"), 1);
    assert.equal(closed, false);
    await agent.call("unhold");
    const { status, body } = await answer;
    assert.deepEqual([status, body], [200, "held\n"]);
    await done;
  });

  for (const kind of KINDS) {
    test(`listen() of ./node on ${host.label} serves ${kind} on both sockets`, async (t) => {
      const certificate = createCertificate(temporaryDirectory(t));
      if (certificate === undefined) return t.skip("openssl is not installed");
      const { agent, sockets } = await activateAgent(t, host, WEB);
      if (host.runtime === "bun" && kind === "https") {
        const error = await agent.fail(
          "nodeListen",
          kind,
          "web",
          {},
          certificate,
        );
        assert.equal(error.code, "unsupported");
        assertListensOnly(agent, sockets);
        return;
      }
      const { id, addresses } = await agent.call(
        "nodeListen",
        kind,
        "web",
        {},
        certificate,
      );
      const [v4, v6] = sockets.map(({ port }) => port);
      assert.deepEqual(addresses, [
        { kind: "ipv4", hostname: "127.0.0.1", port: v4 },
        { kind: "ipv6", hostname: "::1", port: v6 },
      ]);
      assert.equal(await ASK[kind]("127.0.0.1", v4!), `${kind}\n`);
      assert.equal(await ASK[kind]("::1", v6!), `${kind}\n`);
      assertListensOnly(agent, sockets);
      assert.deepEqual(await agent.call("serverState", id), {
        listening: true,
        address: {
          address: "127.0.0.1",
          family: "IPv4",
          port: v4,
        },
      });
      // Closing the server closes both.
      await agent.call("closeServer", id);
      await untilListensOnly(agent, []);
    });
  }
});
