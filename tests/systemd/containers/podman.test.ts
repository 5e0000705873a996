/**
 * Services in containers of Podman, activated by sockets of systemd: what
 * arrives, readiness through conmon, and restarts under load.
 */

import assert from "node:assert/strict";
import fs from "node:fs";
import type { TestContext } from "node:test";
import { forEachHost } from "../../harness/hosts.ts";
import { test } from "../../harness/timed_test.ts";
import { ALL_GROUPS, answered, lost, startLoad } from "../load/under_load.ts";
import { NO_MACHINE, useMachine } from "../machine/machine.ts";
import {
  NATIVE_HOSTS,
  SERVICE,
  type Settings,
  socketUnit,
  type UnitHost,
} from "../machine/units.ts";
import {
  CONTAINER_ROOT,
  PODMAN_OPTIONS,
  prepareContainers,
  SHOWN,
} from "./root.ts";

const machine = useMachine();
const PORT = 8080;
const RESTARTS = 5;
const SOCKET = socketUnit({
  FileDescriptorName: "web",
  ListenStream: `127.0.0.1:${PORT}`,
});

/** What a service tells of itself. */
interface About {
  readonly pid: number;
  readonly names: readonly string[];
  readonly descriptors: readonly { readonly kind: string }[];
}

async function about(): Promise<About> {
  return JSON.parse((await machine().request({ port: PORT })).body);
}

function section(name: string, settings: Settings): string {
  const lines = Object.entries(settings).flatMap(([key, value]) =>
    [value].flat().map((each) => `${key}=${each}\n`)
  );
  return `[${name}]\n${lines.join("")}`;
}

/** A name for each: a killed one of an earlier test may still be known. */
let containers = 0;

/** A service that runs `podman run`. */
function podmanService(
  host: UnitHost,
  args: string,
  ...more: string[]
): string {
  return section("Unit", { StartLimitIntervalSec: 0 }) + section("Service", {
    Type: "notify",
    NotifyAccess: "all",
    NonBlocking: "yes",
    // Podman stops the container; no other process sends signals into it.
    KillMode: "mixed",
    ExecStop: "/usr/bin/podman stop --time=50 --cidfile=%t/%N.cid",
    ExecStopPost: "-/usr/bin/podman rm -f -i --cidfile=%t/%N.cid",
    TimeoutStopSec: 60,
    ExecStart: [
      ..."/usr/bin/podman run -d --cidfile=%t/%N.cid --replace".split(" "),
      ...`--name=web-${containers++} --rm`.split(" "),
      ..."--sdnotify=container --env=DENO_DIR=/tmp/deno".split(" "),
      ...[...PODMAN_OPTIONS, ...more],
      ...["--rootfs", CONTAINER_ROOT, ...host.command, SERVICE, args],
    ].join(" "),
  });
}

/** Restarts a service under load. */
async function restart(t: TestContext, service: string) {
  const load = startLoad(t, machine(), ALL_GROUPS);
  for (let round = 0; round < RESTARTS; round++) {
    await load.answers(4);
    await machine().systemctl("restart", service);
  }
  await load.answers(4);
  return await load.stop();
}

forEachHost(NATIVE_HOSTS, (host) => {
  for (const network of ["host", "none"]) {
    test(
      `${host.label} in a container with --network=${network} is activated and ready`,
      { skip: NO_MACHINE },
      async (t) => {
        prepareContainers(machine());
        await machine().install(t, {
          "web.socket": SOCKET,
          "web.service": podmanService(
            host,
            `${host.http}=web`,
            `--network=${network}`,
          ),
        });
        await machine().systemctl("start", "web.socket");
        // Through conmon, and so the start of a unit waits for it.
        await machine().systemctl("start", "web.service");
        const { pid, names, descriptors } = await about();
        assert.deepEqual([pid, names], [1, ["web"]]);
        // Sockets of another network are in no file of /proc.
        const isUnknown = network === "none" && host.runtime === "node";
        const kind = isUnknown ? "socket" : "stream-listener";
        assert.equal(descriptors[0]!.kind, kind);
      },
    );
  }

  test(
    `${RESTARTS} restarts of ${host.label} in a container lose nothing`,
    { skip: NO_MACHINE },
    async (t) => {
      prepareContainers(machine());
      await machine().install(t, {
        "web.socket": SOCKET,
        "web.service": podmanService(
          host,
          `${host.http}=web`,
          "--network=none",
        ),
      });
      await machine().systemctl("start", "web.socket");
      const report = await restart(t, "web.service");
      const message = JSON.stringify(report);
      t.diagnostic(`${answered(report)} requests`);
      assert.deepEqual(lost(report), ALL_GROUPS.map(() => 0), message);
    },
  );

  test(
    `${RESTARTS} restarts of ${host.label} from a Quadlet lose nothing`,
    { skip: NO_MACHINE },
    async (t) => {
      prepareContainers(machine());
      const file = machine().file("/etc/containers/systemd/web.container");
      fs.writeFileSync(
        file,
        section("Unit", {
          Requires: "web.socket",
          After: "web.socket",
          StartLimitIntervalSec: 0,
        }) +
          section("Container", {
            ContainerName: `quadlet-${containers++}`,
            Rootfs: CONTAINER_ROOT,
            Exec: [...host.command, SERVICE, `${host.http}=web`].join(" "),
            Network: "none",
            Notify: "true",
            Environment: "DENO_DIR=/tmp/deno",
            Volume: SHOWN.map((path) => `${path}:${path}:ro`),
            PodmanArgs: "--cgroups=disabled --ulimit=nofile=1024:1024",
          }) +
          section("Service", { NonBlocking: "yes" }),
      );
      t.after(() => fs.rmSync(file));
      const quadlet = "/usr/libexec/podman/quadlet";
      const { status, stderr } = await machine().run(quadlet, "/run/quadlet");
      assert.equal(status, 0, stderr);
      const unit = machine().file("/run/quadlet/web.service");
      await machine().install(t, {
        "web.socket": SOCKET,
        "web.service": fs.readFileSync(unit, "utf8"),
      });
      await machine().systemctl("start", "web.socket", "web.service");
      const { pid, names } = await about();
      assert.deepEqual([pid, names], [1, ["web"]]);
      const report = await restart(t, "web.service");
      const message = JSON.stringify(report);
      t.diagnostic(`${answered(report)} requests`);
      assert.deepEqual(lost(report), ALL_GROUPS.map(() => 0), message);
    },
  );
});

test(
  "two sockets of a name whose kind is unknown are asked for one by one",
  { skip: NO_MACHINE },
  async (t) => {
    prepareContainers(machine());
    const node = NATIVE_HOSTS.find(({ runtime }) => runtime === "node")!;
    await machine().install(t, {
      "web.socket": socketUnit({
        FileDescriptorName: "web",
        ListenStream: [`127.0.0.1:${PORT}`, "/run/web.sock"],
      }),
      "web.service": podmanService(
        node,
        "refused=web serve=fd:3 serve=fd:4",
        "--network=none",
      ),
    });
    await machine().systemctl("start", "web.socket");
    const reported = await about() as About & {
      readonly refused: { readonly code: string; readonly message: string };
    };
    assert.equal(reported.refused.code, "ambiguous-name");
    t.diagnostic(reported.refused.message);
    const { status } = await machine().request({ path: "/run/web.sock" });
    assert.equal(status, 200);
  },
);
