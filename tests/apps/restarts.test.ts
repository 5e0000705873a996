/**
 * Programs of frameworks, unmodified, on a real inherited socket: restarts under
 * load lose no request.
 *
 * The long form, `deno task test:apps`, restarts each more often, and measures
 * beside it what the program's own shutdown loses on a port of its own.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { after } from "node:test";
import { EVERYDAY_APPS } from "../../scripts/apps.ts";
import { forEachHost } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";
import { ALL_APPS, titleOf } from "./apps.ts";
import { restartAlone, restartPreloaded } from "./restarts.ts";
import { formatResults, recordResult } from "./results.ts";

const LONG = process.env["LISTENFDS_APP_RESTARTS"];
const RESTARTS = Number(LONG ?? 2);
/** Fewer: each takes as long as the program's own shutdown. */
const OWN_RESTARTS = Math.ceil(RESTARTS / 4);

const APPS = ALL_APPS
  .filter(({ directory }) =>
    LONG !== undefined || EVERYDAY_APPS.includes(directory)
  )
  .map((app) => ({ ...app, label: titleOf(app) }));

if (LONG !== undefined) after(() => console.log(`\n${formatResults()}\n`));

forEachHost(APPS, (app) => {
  test(
    `${RESTARTS} restarts of ${app.label} with the preload lose nothing`,
    { timeout: 120_000 + RESTARTS * 20_000 },
    async (t) => {
      const preloaded = await restartPreloaded(t, app, RESTARTS);
      t.diagnostic(JSON.stringify(preloaded));
      if (LONG !== undefined) {
        const alone = await restartAlone(t, app, OWN_RESTARTS);
        t.diagnostic(JSON.stringify(alone));
        recordResult(app, preloaded, alone);
      }
      const { lost, refused, killed, messages } = preloaded;
      const others = app.listensEarly
        ? messages.filter((message) => !message.includes(": 404, "))
        : messages;
      assert.deepEqual(others, []);
      assert.deepEqual(
        { lost: app.listensEarly ? 0 : lost, refused, killed },
        { lost: 0, refused: 0, killed: 0 },
      );
    },
  );
});
