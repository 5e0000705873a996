/** Services that get their socket as standard input, too, as under inetd. */

import assert from "node:assert/strict";
import { forEachHost } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import { NATIVE_HOSTS, serviceUnit, socketUnit } from "./machine/units.ts";

const machine = useMachine();
const PORT = 8080;

forEachHost(NATIVE_HOSTS, (host) => {
  test(
    `StandardInput=socket of ${host.label} leaves the socket its name`,
    { skip: NO_MACHINE },
    async (t) => {
      await machine().install(t, {
        "input.socket": socketUnit({
          FileDescriptorName: "web",
          ListenStream: `127.0.0.1:${PORT}`,
        }),
        "input.service": serviceUnit(host, `${host.http}=web`, {
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
