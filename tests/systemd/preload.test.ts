/**
 * Programs that know nothing of the library, as services under load: restarts lose
 * no request, and an idle one ends and is started again.
 */

import assert from "node:assert/strict";
import process from "node:process";
import type { TestContext } from "node:test";
import { forEachHost } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";
import { ALL_GROUPS, lost, measureRestarts } from "./load/under_load.ts";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import { assertSleeps, installPreloaded } from "./machine/preloaded.ts";
import { NATIVE_HOSTS, type Settings, type UnitHost } from "./machine/units.ts";

const machine = useMachine();
const LONG = process.env["LISTENFDS_RESTARTS"];
const RESTARTS = Number(LONG ?? 2);

const PROGRAM = "/opt/listenfds/tests/systemd/programs/unmodified.ts";

const WAYS: Readonly<Record<UnitHost["runtime"], readonly string[]>> = {
  deno: ["deno", "hono", "http", "express"],
  bun: ["bun", "hono", "elysia", "http", "express"],
  node: ["http", "express", "fastify", "cluster"],
};

/** Installs a program as `loaded.service`, and starts its socket. */
function install(
  t: TestContext,
  host: UnitHost,
  way: string,
  settings: Settings = {},
): Promise<void> {
  return installPreloaded(t, machine(), host, `${PROGRAM} ${way}`, settings);
}

forEachHost(NATIVE_HOSTS, (host) => {
  for (const way of WAYS[host.runtime]) {
    test(
      `${RESTARTS} restarts of an unmodified program (${way}) on ${host.label} lose nothing`,
      { skip: NO_MACHINE, timeout: 240_000 + RESTARTS * 10_000 },
      async (t) => {
        await install(t, host, way);
        const report = await measureRestarts(
          t,
          machine(),
          ALL_GROUPS,
          RESTARTS,
        );
        const message = JSON.stringify(report);
        t.diagnostic(message);
        assert.deepEqual(lost(report), ALL_GROUPS.map(() => 0), message);
      },
    );
  }

  test(
    `an unmodified program on ${host.label} sleeps when nobody asks`,
    { skip: NO_MACHINE },
    async (t) => {
      await install(t, host, WAYS[host.runtime].at(-1)!, {
        Environment: "LISTENFDS_IDLE_TIMEOUT=200ms",
      });
      await assertSleeps(machine(), "/");
    },
  );
});
