/** Each descriptor is inspected once, when it is claimed. */

import assert from "node:assert/strict";
import path from "node:path";
import { text } from "node:stream/consumers";
import { spawnActivated } from "../../../src/cli/activator/activator.ts";
import { forEachHost, hostsWith, ROOT } from "../../harness/hosts.ts";
import { bindSockets } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const SCRIPT = path.join(ROOT, "tests/fixtures/inspections.ts");

forEachHost(hostsWith({ hasOwnServers: true }), (host) => {
  test(`serving and listening on ${host.label} inspects each descriptor once`, async () => {
    const names = ["neutral-serve", "neutral-listen", "node-listen"];
    if (host.adopts) names.push("own-serve", "own-listen");
    const specs = names.map((name) => `${name}=tcp:127.0.0.1:0`);
    const output = await bindSockets(specs, (sockets) => {
      const child = spawnActivated(host.command(SCRIPT), sockets, {
        stdio: ["ignore", "pipe", "inherit"],
      });
      return text(child.stdout!);
    });
    const fds = names.map((_, index) => 3 + index);
    assert.deepEqual(
      JSON.parse(output),
      Object.fromEntries(fds.map((fd) => [fd, 1])),
    );
  });
});
