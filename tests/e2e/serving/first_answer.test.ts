/** What a service loads before its first answer. */

import assert from "node:assert/strict";
import path from "node:path";
import { getBody } from "../../harness/client.ts";
import { forEachHost, hostsWith, ROOT } from "../../harness/hosts.ts";
import { startActivated } from "../../harness/program.ts";
import { bindSockets } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const SCRIPT = path.join(ROOT, "tests/fixtures/loads.ts");

forEachHost(hostsWith({ adopts: true }), (host) => {
  for (const way of ["neutral", "own"]) {
    test(`${way} serve on ${host.label} loads no module of the runtime that can wait`, async (t) => {
      const answer = await bindSockets(["web=tcp:127.0.0.1:0"], (sockets) => {
        startActivated(t, host.command(SCRIPT, way), sockets);
        return getBody(sockets[0]!.port!, "/");
      });
      const expected = host.runtime === "bun" ? ["bun:ffi"] : [];
      assert.deepEqual(JSON.parse(answer), expected);
    });
  }
});
