/** A program that is evaluated again in the same process. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { eventually, isPresent } from "../../harness/eventually.ts";
import {
  DENO_PERMISSIONS,
  forEachHost,
  hostsWith,
  ROOT,
  TOOLS,
} from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import { startActivated } from "../../harness/program.ts";
import { bindSockets, freePorts } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const DENOS = TOOLS.filter(({ runtime }) => runtime === "deno");

forEachHost(DENOS, ({ label, path: deno }) => {
  for (const flags of [["-A"], DENO_PERMISSIONS]) {
    const name = `${label} ${flags.length > 1 ? "" : flags[0]}`.trim();
    test(`deno run --watch on ${name} never binds the fallback of an activated process`, async (t) => {
      const script = path.join(temporaryDirectory(t), "service.ts");
      const [port] = await freePorts(1);
      const source = `
        import { inactiveReason, serve } from "${ROOT}/mod.ts";
        try {
          const fallback = { hostname: "127.0.0.1", port: ${port} };
          await serve("web", { fallback }, () => new Response());
          console.log("served");
        } catch (error) {
          console.log(error.code, inactiveReason()?.kind, error.message);
        }
        setInterval(() => {}, 1000);
      `;
      fs.writeFileSync(script, source);
      const config = `--config=${ROOT}/deno.json`;
      const command = [deno, "run", "--watch", config, ...flags, script];
      const program = await bindSockets(
        ["web=tcp:127.0.0.1:0"],
        (sockets) => startActivated(t, command, sockets),
      );
      await program.until("a server", () => program.stdout.includes("served"));
      // Again and again, because nothing says when the watcher begins to watch.
      const message = await eventually(
        "the second evaluation",
        () => {
          fs.appendFileSync(script, "\n");
          return /not-activated (.*)/.exec(program.stdout)?.[1];
        },
        isPresent,
        { intervalMs: 2000, details: () => program.output },
      );
      assert.match(message, /^activated-before Serving HTTP on "web": /);
      assert.match(message, /activated before.*listenfds run --watch/);
    });
  }
});

forEachHost(hostsWith({ hasOwnServers: true }), (host) => {
  test(`a worker thread on ${host.label} never binds the fallback of an activated process`, async (t) => {
    const [port] = await freePorts(1);
    const command = host.command(
      `${ROOT}/tests/fixtures/worker_after.ts`,
      String(port),
    );
    await bindSockets(["web=tcp:127.0.0.1:0"], async (sockets) => {
      const program = startActivated(t, command, sockets);
      await program.until("an answer", () => program.stdout.includes("\n"));
      assert.match(
        program.stdout,
        /^not-activated worker Serving HTTP on "web": .*worker thread.*main thread/,
      );
    });
  });
});
