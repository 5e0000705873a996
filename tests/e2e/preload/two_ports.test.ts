/**
 * Programs of frameworks that ask for two ports, one of them for their
 * administration, in either order: each gets its socket, or an error.
 */

import assert from "node:assert/strict";
import path from "node:path";
import type { TestContext } from "node:test";
import { getBody } from "../../harness/client.ts";
import {
  forEachHost,
  hostsWith,
  ROOT,
  withPreload,
} from "../../harness/hosts.ts";
import { type Program, startActivated } from "../../harness/program.ts";
import {
  bindSockets,
  type HandedSocket,
  untilListensOnly,
} from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const PROGRAM = path.join(ROOT, "tests/fixtures/two_ports.ts");
const PRELOADED = hostsWith({ hasOwnServers: true })
  .filter(({ runtime, isPortable }) => runtime !== "deno" || isPortable)
  .map(withPreload);
const ORDERS = [["web", "admin"], ["admin", "web"]] as const;

forEachHost(PRELOADED, (host) => {
  /** Starts the program, and waits until it has made both calls. */
  const start = async (
    t: TestContext,
    order: readonly string[],
    names: readonly string[],
    map: string,
  ): Promise<{ program: Program; sockets: readonly HandedSocket[] }> => {
    const specs = names.map((name) => `${name}=tcp:127.0.0.1:0`);
    const started = await bindSockets(specs, (sockets) => ({
      program: startActivated(t, host.command(PROGRAM, ...order), sockets, {
        LISTENFDS_MAP: map,
      }),
      sockets,
    }));
    const { program } = started;
    await program.until(
      "both calls",
      () => program.stdout,
      (stdout) => stdout.match(/ listens$| failed: /gm)?.length === 2,
    );
    return started;
  };

  for (const order of ORDERS) {
    const title = `${order.join(" before ")} on ${host.label}`;

    test(`a program that listens for ${title} gets the right sockets`, async (t) => {
      const names = ["admin", "web"];
      const map = "web=3000,admin=127.0.0.1:9090";
      const { program, sockets } = await start(t, order, names, map);
      await untilListensOnly(program, sockets);
      for (const { name, port } of sockets) {
        assert.equal(await getBody(port!, "/"), name, program.output);
      }
    });

    for (const missing of order) {
      const name = missing === "web" ? "admin" : "web";
      test(`a program that listens for ${title} gets an error without a socket for ${missing}`, async (t) => {
        const map = name === "web" ? "web=3000" : "admin=9090";
        const { program, sockets } = await start(t, order, [name], map);
        await untilListensOnly(program, sockets);
        const [socket] = sockets as [HandedSocket];
        assert.equal(await getBody(socket.port!, "/"), name, program.output);
        assert.match(
          program.stdout,
          new RegExp(
            `^${missing} failed: .*: no socket handed over has this port`,
            "m",
          ),
        );
        if (host.runtime !== "node" && missing === "web") return;
        // A program may pass over the errors of its servers.
        await program.until(
          "the reason on the standard error",
          () => program.stderr,
          (stderr) =>
            /^listenfds: .*: no socket handed over has this port/m.test(stderr),
        );
      });
    }
  }
});
