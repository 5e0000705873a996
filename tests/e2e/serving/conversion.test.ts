/** What a fetch handler gets, and its response, by the portable path. */

import path from "node:path";
import type { TestContext } from "node:test";
import type { TcpTarget } from "../../harness/client.ts";
import { BEHAVIOURS } from "../../harness/conversion.ts";
import {
  forEachHost,
  type Host,
  hostsWith,
  ROOT,
} from "../../harness/hosts.ts";
import { startProgram } from "../../harness/program.ts";
import { test } from "../../harness/timed_test.ts";

const SERVER = path.join(ROOT, "tests/fixtures/conversion/server.ts");

async function startServer(t: TestContext, host: Host): Promise<TcpTarget> {
  const program = startProgram(t, host.command(SERVER));
  const port = await program.until(
    "the port",
    () => /port (\d+)/.exec(program.stdout)?.[1],
    (text) => text !== undefined,
  );
  return { host: "127.0.0.1", port: Number(port) };
}

// `node:http` of Bun encodes the head on connections that it is passed.
const FAILS_ON_BUN = "headers of bytes beside text";

// Those with all permissions, because the handler sends requests itself.
forEachHost(hostsWith({ isPortable: true, runsCommand: true }), (host) => {
  for (const [name, behaviour] of Object.entries(BEHAVIOURS)) {
    if (host.runtime === "bun" && name === FAILS_ON_BUN) continue;
    test(`serve() by the portable path on ${host.label}: ${name}`, async (t) => {
      await behaviour(await startServer(t, host));
    });
  }
});
