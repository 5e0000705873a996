/** Descriptors that are not what is wanted, and those that are rarer. */

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import dgram from "node:dgram";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { test, type TestContext } from "node:test";
import {
  activateAgent,
  Agent,
  agentCommand,
  exchange,
  freePorts,
  type Host,
  HOSTS,
  request,
  startAgent,
  SYSTEMD_ACTIVATE,
  temporaryFolder,
} from "./harness.ts";

/** The descriptor behind a handle of `node:net` or `node:dgram`. */
function fdOf(owner: unknown): number {
  const { _handle } = owner as { _handle: { fd: number } };
  return _handle.fd;
}

/** Something to hand over; closed at the end of the test, or before. */
interface Opened {
  readonly fd: number;
  readonly close: () => void;
}

type Opener = (t: TestContext) => Promise<Opened>;

/** Closes at the end of the test, if that is not done before. */
function opened(t: TestContext, fd: number, close: () => void): Opened {
  let open = true;
  const once = () => {
    if (open) close();
    open = false;
  };
  t.after(once);
  return { fd, close: once };
}

const openUdp: Opener = async (t) => {
  const socket = dgram.createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const state = Object.getOwnPropertySymbols(socket).find(
    ({ description }) => description === "state symbol",
  )!;
  const { handle } =
    (socket as unknown as Record<symbol, { handle: { fd: number } }>)[state]!;
  return opened(t, handle.fd, () => socket.close());
};

const openFile: Opener = (t) => {
  const file = path.join(temporaryFolder(t), "regular file");
  fs.writeFileSync(file, "x");
  return Promise.resolve(open(t, file));
};

const openFifo: Opener = (t) => {
  const file = path.join(temporaryFolder(t), "fifo");
  execFileSync("mkfifo", [file]);
  return Promise.resolve(open(t, file));
};

const openDevice: Opener = (t) => Promise.resolve(open(t, "/dev/null"));

function open(t: TestContext, file: string): Opened {
  const fd = fs.openSync(file, "r+");
  return opened(t, fd, () => fs.closeSync(fd));
}

/** A TCP listener, to be closed here as soon as it is handed over. */
async function openListener(): Promise<
  { fd: number; port: number; close: () => void }
> {
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  return { fd: fdOf(server), port, close: () => server.close() };
}

/** Where a connection can be made: on TCP and on a Unix socket. */
function streamAddresses(t: TestContext): net.ListenOptions[] {
  return [
    { port: 0, host: "127.0.0.1" },
    { path: path.join(temporaryFolder(t), "x.sock") },
  ];
}

/** A connected pair; the first is to be handed over. */
async function openPair(
  t: TestContext,
  address: net.ListenOptions,
): Promise<Opened & { client: net.Socket }> {
  const server = net.createServer({ pauseOnConnect: true });
  server.listen(address);
  await once(server, "listening");
  const bound = server.address();
  const target = typeof bound === "string"
    ? { path: bound }
    : { port: bound!.port, host: "127.0.0.1" };
  const client = net.connect({ ...target, allowHalfOpen: true });
  const [accepted] = await once(server, "connection") as [net.Socket];
  server.close();
  t.after(() => client.destroy());
  return {
    ...opened(t, fdOf(accepted), () => accepted.destroy()),
    client,
  };
}

const WRONG: Record<string, { opener: Opener; found: RegExp }> = {
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
  for (const [op, ...args] of [["listen"], ["serve"], ["nodeListen", "http"]]) {
    const error = await agent.fail(op!, ...args, "wrong", {});
    if (host.inspects) {
      assert.equal(error.code, "wrong-kind", error.message);
      assert.match(error.message, found);
      assert.match(error.message, /set ListenStream= with Accept=no/);
    } else {
      assert.match(error.code!, /^(wrong-kind|failed)$/, error.message);
      assert.match(error.message, /descriptor 4 \("wrong"\)/);
    }
    const { unclaimed } = await agent.call("activation");
    assert.deepEqual(unclaimed, [3, 4]);
    assert.equal(fs.statSync(`/proc/${agent.pid}/fd/4`).ino, ino, "kept open");
  }
  await agent.call("listen", "web");
  assert.equal(await exchange({ host: "127.0.0.1", port }, "x"), "x");
  assert.deepEqual(await agent.call("claim", "wrong"), [4]);
}

for (const host of HOSTS) {
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
    const agent = startAgent(t, host, [
      { name: "web", fd: right.fd },
      { name: "web", fd: (await openUdp(t)).fd },
    ]);
    right.close();
    for (const op of ["listen", "serve"]) {
      const error = await agent.fail(op, "web");
      assert.match(error.message, /descriptor 4 \("web"\)/);
      assert.deepEqual((await agent.call("activation")).unclaimed, [3, 4]);
    }
    // The one that is right can still be used, and nothing was lost meanwhile.
    const answer = exchange({ host: "127.0.0.1", port }, "kept");
    await agent.call("listen", "fd:3");
    assert.equal(await answer, "kept");
  });

  test(`serve() on ${host.label} uses a socket that was held after a failure`, async (t) => {
    for (
      const [op, ...args] of [["serve"], ["nodeListen", "http"], ["dispose"]]
    ) {
      const right = await openListener();
      const { port } = right;
      const agent = startAgent(t, host, [
        { name: "web", fd: right.fd },
        // Deno without /proc can't tell a FIFO from a Unix socket: the first
        // socket listens already when this one turns out to be wrong.
        { name: "web", fd: (await openFifo(t)).fd },
      ]);
      right.close();
      await agent.fail("listen", "web");
      const target = { hostname: "127.0.0.1", port };
      if (op === "dispose") {
        await agent.call("dispose");
        assert.deepEqual(await agent.call("claim", "fd:3"), []);
        await assert.rejects(request(target), /ECONNREFUSED/);
      } else {
        const answer = request(target);
        const { addresses } = await agent.call(op!, ...args, "fd:3", {});
        assert.equal(addresses[0].port, port);
        assert.equal((await answer).status, 200);
      }
      await agent.terminate();
    }
  });

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
      assert.match(error.code!, /^(closed|wrong-kind|failed)$/, error.message);
      assert.match(error.message, new RegExp(`descriptor \\d \\("${name}"\\)`));
    }
    await agent.call("listen", "web");
    const { port } = sockets[0]!;
    assert.equal(await exchange({ host: "127.0.0.1", port: port! }, "x"), "x");
  });

  test(`connection() on ${host.label} serves a connection`, async (t) => {
    for (const address of streamAddresses(t)) {
      const { fd, client, close } = await openPair(t, address);
      const agent = startAgent(t, host, [{ name: "connection", fd }]);
      close();
      const { remote, local } = await agent.call("connection");
      if ("port" in address) {
        assert.equal(remote.port, client.localPort);
        assert.equal(local.port, client.remotePort);
      }
      client.end("hello");
      let text = "";
      for await (const chunk of client.setEncoding("utf8")) text += chunk;
      assert.equal(text, "hello");
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
    assert.deepEqual((await agent.call("activation")).unclaimed, [3]);
  });

  test(`bind() on ${host.label} answers datagrams, or says who can`, async (t) => {
    const { fd, close } = await openUdp(t);
    const agent = startAgent(t, host, [{ name: "dns", fd }]);
    // Or this process could receive what is meant for the agent.
    close();
    if (host.runtime === "deno") {
      const error = await agent.fail("bind", "dns");
      assert.equal(error.code, "unsupported");
      assert.deepEqual((await agent.call("activation")).unclaimed, [3]);
      return;
    }
    const { hostname, port } = await agent.call("bind", "dns");
    const client = dgram.createSocket("udp4");
    t.after(() => client.close());
    client.send("hello", port, hostname);
    const [data] = await once(client, "message");
    assert.equal(String(data), "hello");
  });

  const skip = SYSTEMD_ACTIVATE === undefined &&
    "systemd-socket-activate is not installed";
  test(
    `connection() on ${host.label} runs under systemd-socket-activate --accept`,
    {
      skip,
    },
    async (t) => {
      const [port] = await freePorts(1);
      const agent = new Agent(
        t,
        spawn(SYSTEMD_ACTIVATE!, [
          `--listen=127.0.0.1:${port}`,
          "--accept",
          "--fdname=connection",
          "--",
          ...agentCommand(host),
        ], { stdio: ["pipe", "pipe", "pipe"] }),
      );
      const client = await agent.until(
        "systemd-socket-activate to listen",
        () => connect(port!),
      );
      await agent.call("connection");
      client.end("hello");
      let text = "";
      for await (const chunk of client.setEncoding("utf8")) text += chunk;
      assert.equal(text, "hello");
    },
  );
}

function connect(port: number): Promise<net.Socket | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect({
      port,
      host: "127.0.0.1",
      allowHalfOpen: true,
    });
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => resolve(undefined));
  });
}
