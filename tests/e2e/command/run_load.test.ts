/**
 * `listenfds run --watch` under load, while files change faster than programs
 * start: no request is lost, programs are restarted meanwhile, and the last
 * version is served in the end.
 */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { request } from "../../harness/client.ts";
import {
  forEachHost,
  hostsWith,
  NODE_HOST,
  ROOT,
} from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import { startRun } from "../../harness/run.ts";
import { test } from "../../harness/timed_test.ts";
import { failed } from "../../systemd/load/load.ts";
import { HELLO_GROUPS, RunningLoad } from "../../systemd/load/under_load.ts";

const SERVICE = path.join(ROOT, "tests/fixtures/versioned_service.ts");
/** The number of changes; 50 in `deno task test:long`, as a long build makes. */
const CHANGES = Number(process.env["LISTENFDS_CHANGES"] ?? 15);

/** Times between changes. */
const PATTERNS: readonly [string, () => number][] = [
  ["at 200 ms", () => 200],
  ["at random times", () => Math.random() * 400],
];

forEachHost(hostsWith({ hasOwnServers: true }), (host) => {
  for (const [label, nextDelayMs] of PATTERNS) {
    test(`run loses no request over changes ${label}, on ${host.label}`, async (t) => {
      const cwd = temporaryDirectory(t);
      const file = path.join(cwd, "version");
      fs.writeFileSync(file, "0");
      const run = startRun(
        t,
        NODE_HOST,
        ["--socket=web=0", `--watch=${file}`],
        host.command(SERVICE, file),
      );
      const target = { host: "127.0.0.1", port: await run.port("web") };
      await run.generation(0);
      const load = RunningLoad.start(t, {
        groups: HELLO_GROUPS,
        port: target.port,
      });
      for (let index = 1; index <= CHANGES; index++) {
        await run.staysFor(nextDelayMs());
        fs.writeFileSync(file, String(index));
      }
      const restarts = run.stderr.match(/ changed: restarting$/gm)?.length ?? 0;
      await run.until(
        "the last version",
        async () => (await request(target, { path: "/version" })).body,
        (version) => version === String(CHANGES),
      );
      const report = await load.stop();
      const counts = Object.values(report);
      const answered = counts.reduce((sum, each) => sum + each.answered, 0);
      t.diagnostic(`${answered} answers, ${restarts} restarts meanwhile`);
      assert.deepEqual(
        counts.map(failed),
        counts.map(() => 0),
        JSON.stringify(report),
      );
      assert.ok(restarts >= CHANGES / 25, `${restarts} restarts`);
      assert.ok(restarts <= CHANGES, `${restarts} restarts`);
      assert.equal(await run.terminate(), 0, run.stderr);
    });
  }
});
