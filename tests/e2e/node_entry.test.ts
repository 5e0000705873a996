/** The entry point `./node`: servers of the `node:` modules on descriptors. */

import assert from "node:assert/strict";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import { test } from "node:test";
import tls from "node:tls";
import {
  activateAgent,
  assertListensOnly,
  HOSTS,
  makeCertificate,
  request,
  temporaryFolder,
  untilListensOnly,
} from "./harness.ts";

const WEB = ["web=tcp:127.0.0.1:0", "web=tcp:[::1]:0"];

type Ask = (host: string, port: number) => Promise<string>;

const ASK: Record<string, Ask> = {
  // Without ending our side first: Deno can lose what a server writes then, on
  // a port of its own, too.
  net: async (host, port) => {
    let text = "";
    const socket = net.connect({ host, port });
    for await (const chunk of socket.setEncoding("utf8")) text += chunk;
    return text;
  },
  http: async (hostname, port) => (await request({ hostname, port })).body,
  http2: (host, port) => askHttp2(`http://${bracket(host)}:${port}`),
  tls: (host, port) =>
    new Promise((resolve, reject) => {
      const socket = tls.connect({ host, port, rejectUnauthorized: false });
      let text = "";
      socket.setEncoding("utf8").on("data", (chunk) => text += chunk);
      socket.on("end", () => resolve(text)).on("error", reject);
    }),
  https: (hostname, port) =>
    new Promise((resolve, reject) => {
      https.get(
        { hostname, port, rejectUnauthorized: false, agent: false },
        async (response) => {
          let text = "";
          for await (const chunk of response.setEncoding("utf8")) text += chunk;
          resolve(text);
        },
      ).on("error", reject);
    }),
  http2s: (host, port) => askHttp2(`https://${bracket(host)}:${port}`),
};

function bracket(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function askHttp2(origin: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const session = http2.connect(origin, { rejectUnauthorized: false });
    session.on("error", reject);
    const stream = session.request({ ":path": "/" });
    let text = "";
    stream.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
    stream.on("error", reject).on("end", () => {
      session.close();
      resolve(text);
    });
  });
}

for (const host of HOSTS) {
  test(`close() of ./node on ${host.label} waits for the connections of all sockets`, async (t) => {
    const { agent, sockets } = await activateAgent(t, host, WEB);
    const { id } = await agent.call("nodeListen", "held", "web", {});
    // On the second socket only: the first is the server's own.
    const answer = request({ hostname: "::1", port: sockets[1]!.port! });
    await agent.until(
      "the request to arrive",
      async () => await agent.call("waiting") === 1 || undefined,
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

  for (const [kind, ask] of Object.entries(ASK)) {
    test(`listen() of ./node on ${host.label} serves ${kind} on both sockets`, async (t) => {
      const certificate = makeCertificate(temporaryFolder(t));
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
      assert.equal(await ask("127.0.0.1", v4!), `${kind}\n`);
      assert.equal(await ask("::1", v6!), `${kind}\n`);
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
}
