/** Services that share a socket, with and without `NonBlocking=yes`. */

import assert from "node:assert/strict";
import { once } from "node:events";
import type net from "node:net";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Group } from "./load/load.ts";
import { lost, startLoad } from "./load/under_load.ts";
import { NO_MACHINE, type Units, useMachine } from "./machine/machine.ts";
import {
  AUTO_HOSTS,
  serviceUnit,
  type Settings,
  socketUnit,
  type UnitHost,
} from "./machine/units.ts";
import { eventually } from "../harness/eventually.ts";
import { forEachHost } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";

const machine = useMachine();
const TARGET: net.NetConnectOpts = { port: 8080 };
const INSTANCES = ["shared@1.service", "shared@2.service"];
const SHARED: Settings = { Sockets: "shared.socket" };
const NON_BLOCKING: Settings = { ...SHARED, NonBlocking: "yes" };

const SOCKET = socketUnit({
  FileDescriptorName: "web",
  ListenStream: "127.0.0.1:8080",
  Service: "shared@1.service",
});

/** Clients with new connections, and with those that are kept. */
const GROUPS: readonly Group[] = [false, true].map((keepAlive) => ({
  name: keepAlive ? "keep-alive" : "new connections",
  clients: 8,
  keepAlive,
  handlerMs: 0,
  pauseMs: 20,
}));

/** Returns the units of two instances on one socket, and of another service. */
function units(host: UnitHost, instances: Settings, other: Settings): Units {
  const unit = { StartLimitIntervalSec: 0 };
  return {
    "shared.socket": SOCKET,
    "shared@.service": serviceUnit(host, `${host.http}=web`, {
      ...instances,
      TimeoutStopSec: 60,
    }, unit),
    // As an instance that has not adopted the socket yet, or was killed before.
    "other.service": serviceUnit(host, "", {
      ...other,
      ExecStart: "/bin/sleep infinity",
    }, unit),
  };
}

/** Asks on a connection that is kept which process answers. */
async function askPid(socket: net.Socket): Promise<number> {
  socket.write("GET /pid HTTP/1.1\r\nHost: shared\r\n\r\n");
  let received = "";
  for (;;) {
    const [chunk] = await once(socket, "data");
    received += chunk;
    const pid = /\r\n\r\n(?:\w+\r\n)?(\d+)/.exec(received)?.[1];
    if (pid !== undefined) return Number(pid);
  }
}

async function open(t: TestContext): Promise<net.Socket> {
  const socket = await machine().connect(TARGET);
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  return socket;
}

/** Starts two instances; returns a connection to each, by its process. */
async function startInstances(
  t: TestContext,
): Promise<ReadonlyMap<number, net.Socket>> {
  await machine().systemctl("start", "shared.socket", ...INSTANCES);
  const connections = new Map<number, net.Socket>();
  await eventually("both instances to answer", async () => {
    const socket = await open(t);
    // Not awaited: an instance may wait in accept(2) before it answers, until
    // another connection comes.
    askPid(socket).then((pid) => {
      if (!connections.has(pid)) connections.set(pid, socket);
    }, () => {});
    return connections.size === INSTANCES.length;
  });
  return connections;
}

/** Returns the processes whose event loop waits in `accept(2)`. */
async function hangingPids(pids: Iterable<number>): Promise<number[]> {
  const hanging = [];
  for (const pid of pids) {
    const { stdout } = await machine().run("cat", `/proc/${pid}/wchan`);
    if (stdout === "inet_csk_accept") hanging.push(pid);
  }
  return hanging;
}

forEachHost(AUTO_HOSTS, (host) => {
  const { label } = host;
  for (
    const [which, instances, other] of [
      ["no service has", SHARED, SHARED],
      ["another service lacks", NON_BLOCKING, SHARED],
    ] as const
  ) {
    test(`instances on ${label} hang where ${which} NonBlocking=yes`, {
      skip: NO_MACHINE,
    }, async (t) => {
      await machine().install(t, units(host, instances, other));
      const connections = await startInstances(t);
      await machine().systemctl("start", "other.service");
      const pid = await eventually(
        "an event loop to wait in accept(2)",
        async () => {
          await open(t);
          return (await hangingPids(connections.keys()))[0];
        },
      );
      // No state shows that nothing comes.
      const answer = await Promise.race([
        askPid(connections.get(pid)!),
        sleep(1000, "none"),
      ]);
      assert.equal(answer, "none");
    });
  }

  test(`instances on ${label} answer where all services have NonBlocking=yes`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await machine().install(t, units(host, NON_BLOCKING, NON_BLOCKING));
    const connections = await startInstances(t);
    for (let round = 0; round < 10; round++) {
      await machine().systemctl("restart", "other.service");
      assert.equal((await machine().request(TARGET)).status, 200);
      assert.deepEqual(await hangingPids(connections.keys()), []);
    }
    for (const [pid, socket] of connections) {
      assert.equal(await askPid(socket), pid);
    }
  });

  test(
    `restarts of two instances on ${label} lose nothing on a shared socket`,
    {
      skip: NO_MACHINE,
    },
    async (t) => {
      await machine().install(t, units(host, NON_BLOCKING, NON_BLOCKING));
      await machine().systemctl("start", "shared.socket", ...INSTANCES);
      const load = startLoad(t, machine(), GROUPS);
      for (let round = 0; round < 6; round++) {
        await load.progress(8);
        await machine().systemctl("restart", INSTANCES[round % 2]!);
      }
      await load.progress(8);
      const report = await load.stop();
      assert.deepEqual(lost(report), [0, 0], JSON.stringify(report));
    },
  );
});
