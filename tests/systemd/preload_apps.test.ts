/**
 * Programs of frameworks, unmodified, as services: they sleep when nobody asks, and
 * restarts lose nothing, as users of their own and hardened, too.
 */

import assert from "node:assert/strict";
import path from "node:path";
import type { TestContext } from "node:test";
import { ALL_APPS, type App, APPS, titleOf } from "../apps/apps.ts";
import { forEachHost, ROOT } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";
import { ALL_GROUPS, lost, measureRestarts } from "./load/under_load.ts";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import { assertSleeps, installPreloaded } from "./machine/preloaded.ts";
import { NATIVE_HOSTS, type UnitHost } from "./machine/units.ts";
import { installWritten } from "./machine/written.ts";

const machine = useMachine();
const RESTARTS = 2;
const LIBRARY = "/opt/listenfds";

/** A program, and what runs it in the machine. */
interface Service {
  readonly label: string;
  readonly app: App;
  readonly host: UnitHost;
  /** The path in the machine. */
  readonly program: string;
}

const SERVICES: readonly Service[] = ALL_APPS
  .filter(({ directory }) => ["sveltekit", "nitro"].includes(directory))
  .map((app) => {
    const { runtime, directory, program } = app;
    return {
      label: titleOf(app),
      app,
      host: NATIVE_HOSTS.find((host) => host.runtime === runtime)!,
      program: path.join(
        LIBRARY,
        path.relative(ROOT, APPS),
        directory,
        program,
      ),
    };
  });

async function assertLosesNothing(t: TestContext): Promise<void> {
  const report = await measureRestarts(t, machine(), ALL_GROUPS, RESTARTS);
  const message = JSON.stringify(report);
  t.diagnostic(message);
  assert.deepEqual(lost(report), ALL_GROUPS.map(() => 0), message);
}

forEachHost(SERVICES, ({ label, host, program }) => {
  test(
    `${label} sleeps when nobody asks, and starts on demand`,
    { skip: NO_MACHINE },
    async (t) => {
      await installPreloaded(t, machine(), host, program, {
        Environment: "LISTENFDS_IDLE_TIMEOUT=200ms",
      });
      await assertSleeps(machine(), "/work");
    },
  );

  test(
    `${RESTARTS} restarts of ${label} with DynamicUser= lose nothing`,
    { skip: NO_MACHINE },
    async (t) => {
      await installPreloaded(t, machine(), host, program, {
        DynamicUser: "yes",
        ...host.runtime === "deno" && {
          CacheDirectory: "loaded",
          Environment: "DENO_DIR=%C/loaded",
        },
      });
      await assertLosesNothing(t);
    },
  );

  test(
    `${RESTARTS} restarts of ${label} in the unit that the command writes lose nothing`,
    { skip: NO_MACHINE },
    async (t) => {
      const flags = host.runtime === "deno"
        ? ["run", "--allow-env", "--allow-read", "--allow-sys"]
        : [];
      await installWritten(t, machine(), [
        "loaded",
        ...["--socket=web=127.0.0.1:8080", "--preload=web=3000", "--"],
        ...[host.command[0]!, ...flags, program],
      ]);
      await assertLosesNothing(t);
    },
  );
});
