/**
 * Services that get their socket as standard input, as under inetd: systemd sets
 * no variables then.
 */

import assert from "node:assert/strict";
import { forEachHost } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import {
  NATIVE_HOSTS,
  SERVICE,
  serviceUnit,
  socketUnit,
} from "./machine/units.ts";

const machine = useMachine();
const PORT = 8080;
const HANDOVER = "/bin/sh /opt/listenfds/tests/managers/handover.sh";

forEachHost(NATIVE_HOSTS, (host) => {
  test(
    `StandardInput=socket of ${host.label} is served with four lines of shell`,
    { skip: NO_MACHINE },
    async (t) => {
      await machine().install(t, {
        "input.socket": socketUnit({
          FileDescriptorName: "web",
          ListenStream: `127.0.0.1:${PORT}`,
        }),
        "input.service": serviceUnit(host, "", {
          ExecStart: [
            ...[HANDOVER, ...host.command, SERVICE, `${host.http}=web`],
          ].join(" "),
          StandardInput: "socket",
          StandardOutput: "journal",
        }),
      });
      await machine().systemctl("start", "input.socket");
      const { body } = await machine().request({ port: PORT });
      const { names, descriptors } = JSON.parse(body);
      assert.deepEqual(names, ["web"]);
      assert.deepEqual(
        descriptors.map(({ fd }: { readonly fd: number }) => fd),
        [3],
      );
    },
  );
});
