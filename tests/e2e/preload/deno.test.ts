/** `Deno.serve` of programs that know nothing of the library, under the preload. */

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { activateAgent, PRELOAD_AGENT } from "../../harness/agent.ts";
import { getBody } from "../../harness/client.ts";
import { forEachHost, hostsWith, withPreload } from "../../harness/hosts.ts";
import {
  createCertificate,
  missingProgram,
  temporaryDirectory,
} from "../../harness/machine_tools.ts";
import { assertListensOnly } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const PRELOADED = hostsWith({ runtime: "deno", adopts: true, isPortable: true })
  .map(withPreload);
const WEB = "web=tcp:127.0.0.1:0";
const ADMIN = "admin=tcp:127.0.0.1:0";

forEachHost(PRELOADED, (host) => {
  const start = (
    t: TestContext,
    specs: readonly string[],
    env: Record<string, string>,
  ) => activateAgent(t, host, specs, env, PRELOAD_AGENT);

  test(`Deno.serve on ${host.label} prints the inherited address`, async (t) => {
    const { agent, sockets } = await start(t, [WEB], {
      LISTENFDS_MAP: "web=8000",
    });
    const port = sockets[0]!.port!;
    const { id, address, lines } = await agent.call("serveDeno", "deno", {});
    assert.deepEqual(lines, [`Listening on http://127.0.0.1:${port}/`]);
    assert.deepEqual(address, {
      transport: "tcp",
      hostname: "127.0.0.1",
      port,
    } as object);
    assert.equal(await getBody(port, "/"), "deno");
    const again = await agent.fail("serveDeno", "deno", { port: 8000 });
    assert.equal(again.name, "AddrInUse");
    await agent.call("close", id);
    await agent.call("serveDeno", "again", { port: 8000 });
    assert.equal(await getBody(port, "/"), "again");
  });

  test(`DENO_SERVE_ADDRESS on ${host.label} is what the first server asks for`, async (t) => {
    for (const host of ["127.0.0.1", "0.0.0.0", "[::]"]) {
      const { agent, sockets } = await start(t, [WEB, ADMIN], {
        DENO_SERVE_ADDRESS: `tcp:${host}:3456`,
        LISTENFDS_MAP: "web=3456,admin=8000",
      });
      const [web, admin] = sockets.map(({ port }) => port!);
      await agent.call("serveDeno", "web", { port: 8000 });
      assert.equal(await getBody(web!, "/"), "web");
      // The second server is where the program says.
      await agent.call("serveDeno", "admin", { port: 8000 });
      assert.equal(await getBody(admin!, "/"), "admin");
      assertListensOnly(agent, sockets);
    }
  });

  test(`DENO_SERVE_ADDRESS on ${host.label} is bound where no socket is meant`, async (t) => {
    const { agent, sockets } = await start(t, [WEB], {
      DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0",
      LISTENFDS_MAP: "web=8000",
    });
    const { address } = await agent.call("serveDeno", "own", { port: 8000 });
    assert.notEqual(address.port, sockets[0]!.port);
    assert.equal(await getBody(address.port!, "/"), "own");
    await agent.call("serveDeno", "web", { port: 8000 });
    assert.equal(await getBody(sockets[0]!.port!, "/"), "web");
  });

  test(`DENO_SERVE_ADDRESS on ${host.label} with other forms moves nothing`, async (t) => {
    for (
      const form of ["3456", "tcp/127.0.0.1:3456", "duplicate,tcp:[::1]:1"]
    ) {
      const { agent, sockets } = await start(t, [WEB], {
        DENO_SERVE_ADDRESS: form,
        LISTENFDS_MAP: "web=8000",
      });
      await agent.call("serveDeno", "web", { port: 8000 });
      assert.equal(await getBody(sockets[0]!.port!, "/"), "web");
      assertListensOnly(agent, sockets);
    }
  });

  test(`Deno.serve on ${host.label} tells one address of a name with two sockets`, async (t) => {
    const { agent, sockets } = await start(
      t,
      ["web=tcp:0.0.0.0:0", "web=tcp:[::1]:0"],
      { LISTENFDS_MAP: "web=8000" },
    );
    const port = sockets[0]!.port!;
    const { lines } = await agent.call("serveDeno", "deno", {});
    assert.deepEqual(lines, [
      `Listening on http://0.0.0.0:${port}/ (http://localhost:${port}/)`,
    ]);
  });

  test(
    `Deno.serve on ${host.label} with a certificate tells an address of https`,
    {
      skip: missingProgram("openssl"),
    },
    async (t) => {
      const certificate = createCertificate(temporaryDirectory(t))!;
      const { agent, sockets } = await start(t, [WEB], {
        LISTENFDS_MAP: "web=8000",
      });
      const { lines } = await agent.call("serveDeno", "deno", certificate);
      assert.deepEqual(lines, [
        `Listening on https://127.0.0.1:${sockets[0]!.port}/`,
      ]);
    },
  );
});
