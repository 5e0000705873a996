/**
 * Services that end when they are idle, with a client that comes just then: each
 * of its requests is answered, by the old process or by the next one.
 */

import assert from "node:assert/strict";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestContext } from "node:test";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import {
  NATIVE_HOSTS,
  serviceUnit,
  socketUnit,
  type UnitHost,
} from "./machine/units.ts";
import { eventually } from "../harness/eventually.ts";
import { test } from "../harness/timed_test.ts";

const machine = useMachine();
const EXITS = 50;
const IDLE_MS = 50;

/** Returns whether a process of the machine is still there. */
function isRunning(pid: number): boolean {
  return fs.existsSync(machine().file(`/proc/${pid}`));
}

/** Sends requests to a service around its exits, until it has had all. */
async function askAroundExits(
  t: TestContext,
  host: UnitHost,
  port: number,
): Promise<{ requests: number }> {
  const end = JSON.stringify({ exitWhenIdle: IDLE_MS });
  await machine().install(t, {
    [`idle${port}.socket`]: socketUnit({
      FileDescriptorName: "web",
      ListenStream: `127.0.0.1:${port}`,
    }),
    [`idle${port}.service`]: serviceUnit(
      host,
      `'--end=${end}' ${host.http}=web`,
      {},
      { StartLimitIntervalSec: 0 },
    ),
  });
  await machine().systemctl("start", `idle${port}.socket`);
  const ask = async () => {
    const socket = await machine().connect({ port });
    // A connection is to keep the process, also before it asks for anything.
    await sleep(Math.random() * 20);
    const { status, body } = await machine().request(socket, { path: "/pid" });
    assert.equal(status, 200);
    return Number(body);
  };
  let pid = await ask();
  const start = performance.now();
  await eventually("the first exit", () => !isRunning(pid));
  // How long it takes to end, kept at what half of the exits take.
  let expected = performance.now() - start;
  // Grows while the time is far from that, which the load of the machine changes.
  let step = 5;
  let wasRunning = false;
  let requests = 1;
  let exits = 1;
  pid = await ask();
  while (exits < EXITS) {
    const delay = Math.max(0, expected + (Math.random() - 0.5) * 60);
    await sleep(delay);
    const next = await ask();
    requests++;
    const isSame = next === pid;
    step = isSame === wasRunning ? step * 1.5 : Math.max(5, step / 2);
    expected = Math.max(0, expected + (isSame ? step : -step));
    wasRunning = isSame;
    if (!isSame) exits++;
    pid = next;
  }
  const shown = await machine().journal(`idle${port}.service`);
  assert.match(shown, /Deactivated successfully/);
  assert.doesNotMatch(shown, /Failed with result/);
  return { requests };
}

test(
  `${EXITS} exits on idle lose no request of a client that comes just then`,
  { skip: NO_MACHINE },
  async (t) => {
    // Beside each other: they mostly wait.
    await Promise.all(NATIVE_HOSTS.map(async (host, index) => {
      try {
        const { requests } = await askAroundExits(t, host, 8080 + index);
        t.diagnostic(`${host.label}: ${requests} requests, ${EXITS} exits`);
        // As many came before the end as after, more or less.
        assert.ok(requests > EXITS * 1.2);
      } catch (error) {
        throw new Error(host.label, { cause: error });
      }
    }));
  },
);
