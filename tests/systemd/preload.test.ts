/**
 * Programs that know nothing of the library, as services under load: restarts lose
 * no request, and an idle one ends and is started again.
 */

import assert from "node:assert/strict";
import process from "node:process";
import type { TestContext } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { forEachHost } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";
import { ALL_GROUPS, lost, measureRestarts } from "./load/under_load.ts";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import {
  NATIVE_HOSTS,
  serviceUnit,
  type Settings,
  socketUnit,
  type UnitHost,
} from "./machine/units.ts";

const machine = useMachine();
const LONG = process.env["LISTENFDS_RESTARTS"];
const RESTARTS = Number(LONG ?? 2);

const DIRECTORY = "/opt/listenfds";
const PROGRAM = `${DIRECTORY}/tests/systemd/programs/unmodified.ts`;
const PRELOAD = `${DIRECTORY}/src/preload/mod.ts`;

const WAYS: Readonly<Record<UnitHost["runtime"], readonly string[]>> = {
  deno: ["deno", "hono", "http", "express"],
  bun: ["bun", "hono", "elysia", "http", "express"],
  node: ["http", "express", "fastify", "cluster"],
};

/** Installs a program as `loaded.service`, and starts its socket. */
async function install(
  t: TestContext,
  host: UnitHost,
  way: string,
  settings: Settings = {},
): Promise<void> {
  const option = host.runtime === "node" ? "--import" : "--preload";
  const environment = [
    "LISTENFDS_MAP=web=3000",
    "LISTENFDS_SHUTDOWN_TIMEOUT=50s",
    ...settings["Environment"] === undefined
      ? []
      : [settings["Environment"]].flat(),
    ...host.runtime === "deno" ? ["DENO_DIR=/run/deno"] : [],
  ];
  await machine().install(t, {
    "loaded.socket": socketUnit({
      FileDescriptorName: "web",
      ListenStream: "127.0.0.1:8080",
    }),
    "loaded.service": serviceUnit(host, way, {
      ExecStart: [...host.command, `${option}=${PRELOAD}`, PROGRAM, way]
        .join(" "),
      TimeoutStopSec: 60,
      ...settings,
      Environment: environment,
    }, { StartLimitIntervalSec: 0 }),
  });
  await machine().systemctl("start", "loaded.socket");
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
      const ask = async () =>
        (await machine().request({ port: 8080 })).body.split(":")[0];
      const first = await ask();
      const state = async () =>
        (await machine().run("systemctl", "is-active", "loaded.service"))
          .stdout;
      await eventually(
        "the end of the idle process",
        state,
        (found) => found === "inactive\n",
      );
      const next = await ask();
      assert.notEqual(next, first);
      assert.doesNotMatch(
        await machine().journal("loaded.service"),
        /Failed with result/,
      );
    },
  );
});
