/** `Deno.serve`, `Bun.serve` and the like on inherited descriptors. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import dgram from "node:dgram";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import type { TestContext } from "node:test";
import tls from "node:tls";
import type { NativeOperations } from "../../fixtures/operations.ts";
import { activateAgent, NATIVE_AGENT } from "../../harness/agent.ts";
import { getBody, request, requestTls } from "../../harness/client.ts";
import { execute, handOver } from "../../harness/handover.ts";
import { forEachHost, type Host, hostsWith } from "../../harness/hosts.ts";
import {
  createCertificate,
  NO_PYTHON,
  temporaryDirectory,
} from "../../harness/machine_tools.ts";
import type { Environment } from "../../harness/program.ts";
import { assertListensOnly, untilListensOnly } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

/** Starts the agent with sockets such as `web=tcp:127.0.0.1:0`. */
function start(
  t: TestContext,
  host: Host,
  specs: readonly string[],
  env: Environment = {},
): ReturnType<typeof activateAgent<NativeOperations>> {
  return activateAgent(t, host, specs, env, NATIVE_AGENT);
}

/** A WebSocket of Node's, from its first message to the answer. */
function echoed(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.onopen = () => socket.send("hello");
    socket.onerror = () => reject(new Error(`no WebSocket at ${url}`));
    socket.onmessage = ({ data }) => {
      socket.close();
      resolve(data);
    };
  });
}

forEachHost(hostsWith({ adopts: true }), (host) => {
  const isDeno = host.runtime === "deno";

  if (isDeno) {
    test(`native serve on ${host.label} is not moved by DENO_SERVE_ADDRESS`, async (t) => {
      const { agent, sockets } = await start(t, host, ["web=tcp:127.0.0.1:0"], {
        DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0",
      });
      await agent.call("serve", "web");
      assertListensOnly(agent, sockets);
    });
  }

  test(`native serve on ${host.label} answers on all sockets of a name`, async (t) => {
    const { agent, sockets } = await start(t, host, [
      "web=tcp:127.0.0.1:0",
      "web=tcp:[::1]:0",
    ]);
    const [four, six] = sockets.map(({ port }) => port!) as [number, number];
    const report = await agent.call("serve", "web");
    if (isDeno) {
      const addr = { transport: "tcp", hostname: "127.0.0.1", port: four };
      assert.deepEqual(report.addr, addr);
      assert.deepEqual(report.heard, [addr, {
        transport: "tcp",
        hostname: "::1",
        port: six,
      }]);
    } else {
      assert.deepEqual(report, {
        port: four,
        hostname: "127.0.0.1",
        url: `http://127.0.0.1:${four}/`,
        address: { address: "127.0.0.1", family: "IPv4", port: four },
      });
      assert.equal(await getBody(four, "/route"), "routed");
    }
    assert.equal(await getBody(four, "/x"), "GET /x\n");
    const other = await request({ hostname: "::1", port: six, path: "/y" });
    assert.equal(other.body, "GET /y\n");
    const client = JSON.parse(await getBody(four, "/client"));
    assert.equal(client.hostname ?? client.address, "127.0.0.1");
    for (const origin of [`127.0.0.1:${four}`, `[::1]:${six}`]) {
      assert.equal(await echoed(`ws://${origin}/`), "echo hello");
    }
    assertListensOnly(agent, sockets);
    if (!isDeno) {
      await agent.call("reload");
      assert.equal(await getBody(four, "/x"), "reloaded");
      const again = await request({ hostname: "::1", port: six });
      assert.equal(again.body, "reloaded");
    }
    await agent.call("stop");
    await untilListensOnly(agent, []);
    assert.equal(await agent.endInput(), 0);
  });

  test(`native serve on ${host.label} answers on Unix sockets, and leaves the path`, async (t) => {
    const file = path.join(temporaryDirectory(t), "web.sock");
    const { agent, sockets } = await start(t, host, [`web=unix:${file}`]);
    const report = await agent.call("serve", "web");
    if (isDeno) {
      assert.deepEqual(report.addr, { transport: "unix", path: file });
    } else {
      assert.deepEqual([report.url, report.address], [
        `unix://${file}`,
        file,
      ]);
    }
    const { body } = await request({ socketPath: file }, { path: "/client" });
    assert.deepEqual(
      JSON.parse(body),
      isDeno ? { transport: "unix", path: file } : null,
    );
    assertListensOnly(agent, sockets);
    assert.deepEqual(await agent.call("placeholders"), []);
    await agent.call("stop");
    assert.ok(fs.statSync(file).isSocket());
  });

  test(`native serve on ${host.label} answers on abstract sockets`, async (t) => {
    const name = `listenfds-${crypto.randomUUID()}`;
    const { agent, sockets } = await start(t, host, [`web=unix:@${name}`]);
    const report = await agent.call("serve", "web");
    if (isDeno) {
      assert.deepEqual(report.addr, { transport: "unix", path: `\0${name}` });
    } else assert.equal(report.address, `@${name}`);
    const { body } = await request({ socketPath: `\0${name}`, path: "/x" });
    assert.equal(body, "GET /x\n");
    assertListensOnly(agent, sockets);
  });

  test(`native serve on ${host.label} speaks TLS, and HTTP/2 where the runtime does`, async (t) => {
    const certificate = createCertificate(temporaryDirectory(t));
    if (certificate === undefined) return t.skip("openssl is not installed");
    const { agent, sockets } = await start(t, host, ["web=tcp:127.0.0.1:0"]);
    await agent.call("serve", "web", certificate);
    const port = sockets[0]!.port!;
    const { body } = await requestTls({ host: "127.0.0.1", port, path: "/x" });
    assert.equal(body, "GET /x\n");
    const curl = spawnSync("curl", [
      ..."-sk --http2 -w %{http_version}".split(" "),
      `https://127.0.0.1:${port}/y`,
    ], { encoding: "utf8", timeout: 60_000 });
    if (curl.status === null) return t.diagnostic("curl is not installed");
    assert.equal(curl.stdout, `GET /y\n${isDeno ? "2" : "1.1"}`);
    assertListensOnly(agent, sockets);
  });

  test(`native serve on ${host.label} loses nothing of 10,000 requests and 100 MiB`, async (t) => {
    const { agent, sockets } = await start(t, host, ["web=tcp:127.0.0.1:0"]);
    await agent.call("worker");
    await agent.call("serve", "web");
    const port = sockets[0]!.port!;
    const keepAlive = new http.Agent({ keepAlive: true, maxSockets: 64 });
    t.after(() => keepAlive.destroy());
    let next = 0;
    await Promise.all(Array.from({ length: 64 }, async () => {
      while (next < 10_000) {
        const pathname = `/${next++}`;
        assert.equal(
          await getBody(port, pathname, keepAlive),
          `GET ${pathname}\n`,
        );
      }
    }));
    const down = await getBody(port, "/bytes");
    assert.equal(down.length, 100 << 20);
    const upload = Buffer.alloc(100 << 20, "y");
    const up = await request(
      { hostname: "127.0.0.1", port },
      { path: "/length", method: "POST" },
      upload,
    );
    assert.equal(up.body, String(100 << 20));
  });

  test(`native listeners on ${host.label} take connections, TLS and datagrams`, async (t) => {
    const certificate = createCertificate(temporaryDirectory(t));
    const { agent, sockets } = await start(t, host, [
      "echo=tcp:127.0.0.1:0",
      "echo=tcp:[::1]:0",
      "tls=tcp:127.0.0.1:0",
    ]);
    const [four, six, secure] = sockets.map(({ port }) => port!);
    const report = await agent.call("listen", "echo");
    assert.deepEqual([report.hostname, report.port], ["127.0.0.1", four]);
    for (const target of [{ port: four! }, { host: "::1", port: six! }]) {
      // Without ending our side: Bun ends its own then, on a port of its own,
      // too.
      const socket = net.connect({ host: "127.0.0.1", ...target });
      socket.write("hello");
      const [data] = await once(socket, "data");
      assert.equal(String(data), "hello");
      socket.destroy();
    }
    if (certificate !== undefined) {
      await agent.call("listen", "tls", certificate);
      const socket = tls.connect({ port: secure!, rejectUnauthorized: false });
      socket.write("hello");
      const [data] = await once(socket, "data");
      assert.equal(String(data), "hello");
      socket.destroy();
    }
    assertListensOnly(agent, certificate ? sockets : sockets.slice(0, 2));
  });

  test(`native listeners on ${host.label} end together`, async (t) => {
    const file = path.join(temporaryDirectory(t), "echo.sock");
    const { agent, sockets } = await start(t, host, [
      `echo=unix:${file}`,
      "echo=tcp:[::1]:0",
    ]);
    await agent.call("listen", "echo");
    const { port } = sockets[1]!;
    for (const target of [{ path: file }, { host: "::1", port: port! }]) {
      for (let round = 0; round < 3; round++) {
        const socket = net.connect(target);
        socket.write("hello");
        const [data] = await once(socket, "data");
        assert.equal(String(data), "hello");
        socket.destroy();
      }
    }
    if (isDeno) {
      const [first] = await agent.call("heard");
      assert.deepEqual(first, { transport: "unix", path: file });
    }
    await agent.call("dispose");
    await untilListensOnly(agent, []);
    assert.ok(fs.statSync(file).isSocket());
    assert.equal(await agent.endInput(), 0);
  });

  test(`native sockets on ${host.label} take datagrams`, {
    skip: NO_PYTHON,
  }, async (t) => {
    const { maker, ports } = await handOver(t, ["udp4"]);
    const command = host.command(NATIVE_AGENT);
    if (isDeno) command.splice(2, 0, "--unstable-net");
    const agent = await execute<NativeOperations>(maker, command);
    const report = await agent.call("datagrams", "udp4");
    assert.deepEqual([report.hostname, report.port], ["127.0.0.1", ports.udp4]);
    const client = dgram.createSocket("udp4");
    t.after(() => client.close());
    client.send("hello", ports["udp4"]!, "127.0.0.1");
    const [data] = await once(client, "message");
    assert.equal(String(data), "hello");
  });
});

forEachHost(hostsWith({ runtime: "bun", adopts: true }), (host) => {
  test(`native serve on ${host.label} gives handlers a server that stands for all`, async (t) => {
    const { agent, sockets } = await start(t, host, [
      "web=tcp:127.0.0.1:0",
      "web=tcp:[::1]:0",
    ]);
    await agent.call("serve", "web");
    const [four, six] = sockets.map(({ port }) => port!) as [number, number];
    const webSocket = new WebSocket(`ws://127.0.0.1:${four}/`);
    t.after(() => webSocket.close());
    await once(webSocket, "open");
    const other = { hostname: "::1", port: six };
    const { body } = await request(other, { path: "/subscribers" });
    assert.equal(body, "1");
    const closed = once(webSocket, "close");
    await request(other, { path: "/stop" }).catch(() => {});
    await closed;
    await untilListensOnly(agent, []);
  });
});

const [DENO] = hostsWith({ runtime: "deno", adopts: true }) as [Host];
/** Another platform may have no Deno. */
const onDeno = { skip: DENO === undefined && "needs Deno" };

test(
  "Deno's serve ends if the program fails when it listens",
  onDeno,
  async (t) => {
    const { agent } = await start(t, DENO, ["web=tcp:127.0.0.1:0"]);
    assert.equal(await agent.call("failingOnListen", "web"), "on purpose");
    await untilListensOnly(agent, []);
  },
);

test("Deno's serve stops with its signal", onDeno, async (t) => {
  const { agent } = await start(t, DENO, ["web=tcp:127.0.0.1:0"]);
  await agent.call("abort", "web");
  await untilListensOnly(agent, []);
});

test(
  "Deno's serve stops with its signal, also while it starts",
  onDeno,
  async (t) => {
    const { agent } = await start(t, DENO, ["web=tcp:127.0.0.1:0"]);
    await agent.call("abort", "web", "early");
    await untilListensOnly(agent, []);
  },
);
