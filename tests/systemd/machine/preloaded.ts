/** Unmodified programs as services of a machine. */

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { eventually } from "../../harness/eventually.ts";
import type { Machine } from "./machine.ts";
import {
  serviceUnit,
  type Settings,
  socketUnit,
  type UnitHost,
} from "./units.ts";

const PRELOAD = "/opt/listenfds/src/preload/mod.ts";
const SERVICE_NAME = "loaded.service";

/**
 * Installs a program that asks for port 3000 as `loaded.service`, and starts its
 * socket.
 *
 * @param program The program with its arguments.
 */
export async function installPreloaded(
  t: TestContext,
  machine: Machine,
  host: UnitHost,
  program: string,
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
  await machine.install(t, {
    "loaded.socket": socketUnit({
      FileDescriptorName: "web",
      ListenStream: "127.0.0.1:8080",
    }),
    [SERVICE_NAME]: serviceUnit(host, "", {
      ExecStart: [...host.command, `${option}=${PRELOAD}`, program].join(" "),
      TimeoutStopSec: 60,
      ...settings,
      Environment: environment,
    }, { StartLimitIntervalSec: 0 }),
  });
  await machine.systemctl("start", "loaded.socket");
}

/**
 * Checks that the service starts with a request, ends when nobody asks, and starts
 * again with the next request.
 */
export async function assertSleeps(
  machine: Machine,
  path: string,
): Promise<void> {
  const ask = async () => {
    const { status, body } = await machine.request({ port: 8080 }, { path });
    assert.equal(status, 200, body);
    return body.split(":")[0];
  };
  const first = await ask();
  await eventually(
    "the end of the idle process",
    async () =>
      (await machine.run("systemctl", "is-active", SERVICE_NAME)).stdout,
    (found) => found === "inactive\n",
  );
  assert.notEqual(await ask(), first);
  assert.doesNotMatch(
    await machine.journal(SERVICE_NAME),
    /Failed with result/,
  );
}
