/** Services in systemd-nspawn, and of a user's own service manager. */

import assert from "node:assert/strict";
import fs from "node:fs";
import { eventually } from "../../harness/eventually.ts";
import { forEachHost } from "../../harness/hosts.ts";
import { test } from "../../harness/timed_test.ts";
import { NO_MACHINE, useMachine } from "../machine/machine.ts";
import {
  NATIVE_HOSTS,
  SERVICE,
  serviceUnit,
  socketUnit,
} from "../machine/units.ts";
import { CONTAINER_ROOT, prepareContainers, SHOWN } from "./root.ts";

const machine = useMachine();
const PORT = 8080;
/** A user without rights, with a directory of its own. */
const USER = 4711;
const RUNTIME_DIRECTORY = `/run/user/${USER}`;

function addUser(): void {
  const entries = {
    passwd: `app:x:${USER}:${USER}::${RUNTIME_DIRECTORY}:/usr/sbin/nologin\n`,
    group: `app:x:${USER}:\n`,
  };
  for (const [name, entry] of Object.entries(entries)) {
    const file = machine().file(`/etc/${name}`);
    if (fs.readFileSync(file, "utf8").includes(entry)) continue;
    fs.appendFileSync(file, entry);
  }
}

async function names(): Promise<unknown> {
  return JSON.parse((await machine().request({ port: PORT })).body).names;
}

/** Starts `systemd-nspawn` with a program in the root of all containers. */
function nspawn(program: readonly string[], ...options: string[]): string {
  return [
    ..."/usr/bin/systemd-nspawn --quiet --keep-unit --register=no".split(" "),
    `--directory=${CONTAINER_ROOT}`,
    ...SHOWN.map((path) => `--bind-ro=${path}`),
    ...options,
    ...program,
  ].join(" ");
}

const SOCKET = socketUnit({
  FileDescriptorName: "web",
  ListenStream: `127.0.0.1:${PORT}`,
});

test(
  "inspect in systemd-nspawn --as-pid2 names the option",
  { skip: NO_MACHINE },
  async (t) => {
    prepareContainers(machine());
    const node = NATIVE_HOSTS.find(({ runtime }) => runtime === "node")!;
    const inspect = [
      ...node.command,
      "/opt/listenfds/src/cli/bin.ts",
      "inspect",
    ];
    await machine().install(t, {
      "web.socket": SOCKET,
      "web.service": serviceUnit(node, "", {
        ExecStart: nspawn(inspect, "--as-pid2"),
      }),
    });
    await machine().systemctl("start", "web.socket");
    (await machine().connect({ port: PORT })).destroy();
    await eventually(
      "the advice",
      () => machine().journal("web.service"),
      (journal) => /start systemd-nspawn\s+without --as-pid2/.test(journal),
    );
  },
);

forEachHost(NATIVE_HOSTS, (host) => {
  test(
    `${host.label} in systemd-nspawn gets sockets without names`,
    { skip: NO_MACHINE },
    async (t) => {
      prepareContainers(machine());
      const service = [...host.command, SERVICE, `${host.http}=unknown`];
      await machine().install(t, {
        "web.socket": SOCKET,
        "web.service": serviceUnit(host, "", { ExecStart: nspawn(service) }),
      });
      await machine().systemctl("start", "web.socket");
      assert.deepEqual(await names(), ["unknown"]);
    },
  );

  test(
    `${host.label} is a service of a user's own service manager`,
    { skip: NO_MACHINE },
    async (t) => {
      prepareContainers(machine());
      const units = machine().file("/run/systemd/user");
      fs.mkdirSync(units, { recursive: true });
      fs.writeFileSync(
        `${units}/web.socket`,
        socketUnit({
          ListenStream: [`127.0.0.1:${PORT}`, "%t/web.sock"],
        }),
      );
      fs.writeFileSync(
        `${units}/web.service`,
        serviceUnit(host, `${host.http}=web.socket`, {
          Type: "notify",
          // Node 24 runs systemd-notify.
          NotifyAccess: "all",
          Environment: "DENO_DIR=%t/deno",
        }),
      );
      t.after(() => fs.rmSync(units, { recursive: true }));
      fs.mkdirSync(machine().file(RUNTIME_DIRECTORY), { recursive: true });
      fs.chownSync(machine().file(RUNTIME_DIRECTORY), USER, USER);
      addUser();
      await machine().install(t, {
        "user-manager.service": `[Service]
Type=notify
User=${USER}
Group=${USER}
ExecStart=/usr/lib/systemd/systemd --user
Delegate=yes
Environment=XDG_RUNTIME_DIR=${RUNTIME_DIRECTORY} HOME=${RUNTIME_DIRECTORY}
`,
      });
      await machine().systemctl("start", "user-manager.service");
      const systemctl = async (...args: string[]) => {
        const { status, stderr } = await machine().run(
          ...["setpriv", `--reuid=${USER}`, `--regid=${USER}`],
          ...["--clear-groups", "env", `XDG_RUNTIME_DIR=${RUNTIME_DIRECTORY}`],
          ...["systemctl", "--user", ...args],
        );
        assert.equal(status, 0, stderr);
      };
      await systemctl("start", "web.socket");
      assert.deepEqual(await names(), ["web.socket"]);
      await systemctl("restart", "web.service");
      const { status } = await machine().request({
        path: `${RUNTIME_DIRECTORY}/web.sock`,
      });
      assert.equal(status, 200);
    },
  );
});
