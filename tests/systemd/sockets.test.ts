/** Sockets of every kind, as the units of a real systemd hand them over. */

import assert from "node:assert/strict";
import { once } from "node:events";
import fs from "node:fs";
import type { TestContext } from "node:test";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import {
  MAIN_HOSTS,
  serviceUnit,
  type Settings,
  socketUnit,
  UNIT_HOSTS,
  type UnitHost,
} from "./machine/units.ts";
import { eventually } from "../harness/eventually.ts";
import { forEachHost } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";

const machine = useMachine();
/** The report of `service.ts` on itself. */
interface About {
  readonly pid: number;
  readonly runtime: string;
  readonly names: readonly string[];
  readonly descriptors: readonly {
    readonly fd: number;
    readonly name: string;
    readonly kind: string;
    readonly address?: unknown;
    readonly nonBlocking?: boolean;
  }[];
  readonly refused?: {
    readonly code: string;
    readonly message: string;
    readonly unclaimed: readonly string[];
  };
  readonly fifo?: string;
}

async function about(port: number, host = "127.0.0.1"): Promise<About> {
  const { status, body } = await machine().request({ port, host });
  assert.equal(status, 200);
  return JSON.parse(body);
}

/** Installs a service with one socket, and starts the socket. */
async function pair(
  t: TestContext,
  host: UnitHost,
  args: string,
  settings: Settings,
): Promise<void> {
  await machine().install(t, {
    "pair.socket": socketUnit(settings),
    "pair.service": serviceUnit(host, args),
  });
  await machine().systemctl("start", "pair.socket");
}

forEachHost(UNIT_HOSTS, (host) => {
  test(
    `a socket unit without FileDescriptorName= on ${host.label} names its descriptor after itself`,
    { skip: NO_MACHINE },
    async (t) => {
      await pair(t, host, `${host.http}=pair.socket`, { ListenStream: 8080 });
      const { names, runtime, pid } = await about(8080);
      assert.deepEqual(names, ["pair.socket"]);
      assert.equal(runtime, host.runtime);
      assert.ok(pid > 1);
    },
  );
});

forEachHost(MAIN_HOSTS.filter(({ inspects }) => !inspects), (host) => {
  test(`one socket unit with Unix paths on ${host.label} is ambiguous`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await pair(t, host, "refused=web", {
      FileDescriptorName: "web",
      ListenStream: ["127.0.0.1:8080", "/run/pair.sock", "@pair"],
    });
    const socket = await machine().connect({ port: 8080 });
    // The connection is reset when the service is stopped.
    socket.on("error", () => {});
    t.after(() => socket.destroy());
    const { refused } = await untilReady("pair.service");
    assert.equal(refused?.code, "ambiguous-name");
    assert.deepEqual(refused.unclaimed, ["web", "web", "web"]);
  });
});

forEachHost(MAIN_HOSTS, (host) => {
  const { label, http } = host;

  test(`one service with three socket units on ${label} gets all three names`, {
    skip: NO_MACHINE,
  }, async (t) => {
    const service = { Service: "three.service" };
    await machine().install(t, {
      "web.socket": socketUnit({
        ...service,
        FileDescriptorName: "web",
        ListenStream: [8080, 8081],
      }),
      "admin.socket": socketUnit({
        ...service,
        FileDescriptorName: "admin",
        ListenStream: "/run/three/admin.sock",
      }),
      "echo.socket": socketUnit({ ...service, ListenStream: 7777 }),
      "three.service": serviceUnit(
        host,
        `${http}=web ${http}=admin listen=echo.socket`,
        { Sockets: "web.socket admin.socket echo.socket" },
      ),
    });
    await machine().systemctl("start", "echo.socket");
    assert.equal(await machine().exchange({ port: 7777 }, "hello"), "hello");
    const first = await about(8080);
    assert.deepEqual(
      [...first.names].sort(),
      ["admin", "echo.socket", "web"],
    );
    assert.equal(first.descriptors.length, 4);
    assert.equal((await about(8081)).pid, first.pid);
    const { body } = await machine().request({ path: "/run/three/admin.sock" });
    assert.equal(JSON.parse(body).pid, first.pid);
  });

  test(`one socket unit with several addresses on ${label} is one server`, {
    skip: NO_MACHINE,
  }, async (t) => {
    // Without inspection, only TCP sockets are known to be stream sockets.
    const paths = host.inspects ? ["/run/pair.sock", "@pair"] : [];
    await pair(t, host, `${http}=web`, {
      FileDescriptorName: "web",
      ListenStream: ["127.0.0.1:8080", "[::1]:8080", 8081, ...paths],
      BindIPv6Only: "both",
    });
    const { names, descriptors, pid } = await about(8080);
    assert.deepEqual(names, ["web"]);
    assert.deepEqual(descriptors.map(({ fd }) => fd), [
      ...[3, 4, 5],
      ...paths.map((_, index) => 6 + index),
    ]);
    if (host.inspects) {
      assert.deepEqual(
        descriptors.map(({ kind, address }) => [kind, address]),
        [
          ["stream-listener", {
            kind: "ipv4",
            hostname: "127.0.0.1",
            port: 8080,
          }],
          ["stream-listener", { kind: "ipv6", hostname: "::1", port: 8080 }],
          ["stream-listener", { kind: "ipv6", hostname: "::", port: 8081 }],
          ["stream-listener", { kind: "unix", path: "/run/pair.sock" }],
          ["stream-listener", { kind: "unix-abstract", name: "pair" }],
        ],
      );
    }
    for (
      const [port, address] of [
        [8080, "::1"],
        [8081, "::1"],
        [8081, "127.0.0.1"],
      ] as const
    ) {
      assert.equal((await about(port, address)).pid, pid);
    }
    for (const path of paths.map((path) => path.replace("@", "\0"))) {
      const { body } = await machine().request({ path });
      assert.equal(JSON.parse(body).pid, pid);
    }
    await machine().systemctl("stop", "pair.service");
    for (const path of paths.slice(0, 1)) {
      assert.ok(fs.statSync(machine().file(path)).isSocket());
    }
  });

  test(`ListenDatagram= on ${label} is answered, or the error says who can`, {
    skip: NO_MACHINE,
  }, async (t) => {
    const native = http === "native";
    const way = host.runtime === "bun" && native ? "bunUdp" : "udp";
    const takes = host.runtime !== "deno" || native;
    await pair(t, host, `${takes ? way : "refused"}=dns`, {
      FileDescriptorName: "dns",
      ListenDatagram: "127.0.0.1:5353",
    });
    const socket = await machine().datagramSocket(t);
    socket.send("hello", 5353, "127.0.0.1");
    if (takes) {
      const [data] = await once(socket, "message");
      assert.equal(String(data), "hello");
      return;
    }
    const { refused } = await untilReady("pair.service");
    assert.equal(refused?.code, "wrong-kind");
  });

  test(
    `ListenSequentialPacket= and ListenFIFO= on ${label} are passed through`,
    { skip: NO_MACHINE },
    async (t) => {
      const service = { Service: "other.service" };
      await machine().install(t, {
        "packets.socket": socketUnit({
          ...service,
          ListenSequentialPacket: "/run/packets",
        }),
        "fifo.socket": socketUnit({ ...service, ListenFIFO: "/run/fifo" }),
        "web.socket": socketUnit({ ...service, ListenStream: 8080 }),
        "other.service": serviceUnit(
          host,
          `refused=packets.socket fifo=fifo.socket ${http}=web.socket`,
          { Sockets: "packets.socket fifo.socket web.socket" },
        ),
      });
      await machine().systemctl("start", "fifo.socket");
      fs.writeFileSync(machine().file("/run/fifo"), "hello");
      const { pid } = await untilReady("other.service");
      const { refused, ...found } = await about(8080);
      assert.equal(found.pid, pid);
      // Deno opens nothing in /proc without all permissions.
      assert.equal(found.fifo, host.inspects ? "hello" : "NotCapable");
      const kinds = Object.fromEntries(
        found.descriptors.map(({ name, kind }) => [name, kind]),
      );
      assert.equal(refused?.code, "wrong-kind");
      assert.ok(refused.unclaimed.includes("packets.socket"));
      assert.match(refused.message, /ListenStream=/);
      if (!host.inspects) return;
      assert.deepEqual(kinds, {
        "packets.socket": "seqpacket-listener",
        "fifo.socket": "fifo",
        "web.socket": "stream-listener",
      });
    },
  );

  test(
    `Accept=yes on ${label} starts a service for each connection`,
    { skip: NO_MACHINE },
    async (t) => {
      await machine().install(t, {
        "each.socket": socketUnit({ ListenStream: 7777, Accept: "yes" }),
        "each@.service": serviceUnit(host, "connection=connection"),
      });
      await machine().systemctl("start", "each.socket");
      const answers = await Promise.all(
        ["one", "two"].map((text) => machine().exchange({ port: 7777 }, text)),
      );
      assert.deepEqual(answers, ["one", "two"]);
      const shown = await eventually(
        "both services to end",
        () => machine().systemctl("show", "each.socket"),
        (text) => /^NConnections=0$/m.test(text),
      );
      assert.match(shown, /^NAccepted=2$/m);
      assert.match(shown, /^NRefused=0$/m);
    },
  );

  test(`a connection on ${label} that can't be served is still there`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await machine().install(t, {
      "each.socket": socketUnit({ ListenStream: 7777, Accept: "yes" }),
      // Node before 26 can't tell what the descriptor is, and tries to listen.
      "each@.service": serviceUnit(
        host,
        "refused=connection connection=connection",
        { PrivateNetwork: "yes" },
      ),
    });
    await machine().systemctl("start", "each.socket");
    const answer = await machine().exchange({ port: 7777 }, "hello");
    assert.equal(answer, "hello");
  });

  test(`Backlog= on ${label} is kept, or becomes what README says`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await pair(t, host, `${http}=web`, {
      FileDescriptorName: "web",
      ListenStream: "127.0.0.1:8080",
      Backlog: 37,
    });
    assert.equal(await backlog(8080), 37);
    await about(8080);
    assert.equal(await backlog(8080), BACKLOGS[`${host.runtime} ${http}`]);
  });

  for (const nonBlocking of [true, false]) {
    const setting = `NonBlocking=${nonBlocking ? "yes" : "no"}`;
    test(
      `${setting} on ${label} makes no difference to clients`,
      { skip: NO_MACHINE },
      async (t) => {
        await machine().install(t, {
          "pair.socket": socketUnit({
            FileDescriptorName: "web",
            ListenStream: ["127.0.0.1:8080", "127.0.0.1:8081"],
          }),
          "pair.service": serviceUnit(host, `${http}=web`, {
            NonBlocking: nonBlocking ? "yes" : "no",
          }),
        });
        await machine().systemctl("start", "pair.socket");
        const { descriptors } = await about(8080);
        if (host.inspects) {
          assert.deepEqual(
            descriptors.map((descriptor) => descriptor.nonBlocking),
            [nonBlocking, nonBlocking],
          );
        }
        // A descriptor that blocks would stop the service at its second accept.
        for (let round = 0; round < 3; round++) {
          for (const port of [8081, 8080]) await about(port);
        }
      },
    );
  }
});

/** The backlogs that `Backlog=37` leads to. */
const BACKLOGS: Record<string, number> = {
  "deno serve": 37,
  "deno native": 37,
  "bun native": 37,
  // `node:net` calls listen(2) again.
  "bun portable": 511,
  "node http": 4096,
};

/** Returns the number of connections that may wait at a port. */
async function backlog(port: number): Promise<number> {
  const { stdout } = await machine().run("ss", "-Hltn", `sport = :${port}`);
  return Number(stdout.split(/\s+/)[2]);
}

/** Waits until a service has done all that its arguments say. */
async function untilReady(service: string): Promise<About> {
  const line = await eventually(
    `${service} to be ready`,
    async () => /^ready (.*)$/m.exec(await machine().journal(service))?.[1],
  );
  return JSON.parse(line);
}
