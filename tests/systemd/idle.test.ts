/**
 * Services that end when they are idle, with a client that comes just then: each
 * of its requests is answered, by the old process or by the next one.
 */

import assert from "node:assert/strict";
import fs from "node:fs";
import { test, type TestContext } from "node:test";
import { NO_MACHINE, until, useMachine } from "./machine.ts";
import {
  NATIVE_HOSTS,
  serviceUnit,
  socketUnit,
  type UnitHost,
} from "./units.ts";

const machine = useMachine();
const skip = NO_MACHINE;

const EXITS = 50;
const IDLE_MS = 50;

/** Whether a process of the machine is still there. */
function isRunning(pid: number): boolean {
  return fs.existsSync(machine().file(`/proc/${pid}`));
}

function pause(milliseconds: number): Promise<unknown> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Has a service end as often as is to be seen, and asks it around that. */
async function around(
  t: TestContext,
  host: UnitHost,
  port: number,
): Promise<{ requests: number }> {
  const drain = JSON.stringify({ idleTimeout: IDLE_MS });
  await machine().install(t, {
    [`idle${port}.socket`]: socketUnit({
      FileDescriptorName: "web",
      ListenStream: `127.0.0.1:${port}`,
    }),
    [`idle${port}.service`]: serviceUnit(
      host,
      `'--drain=${drain}' ${host.http}=web`,
      {},
      { StartLimitIntervalSec: 0 },
    ),
  });
  await machine().systemctl("start", `idle${port}.socket`);
  const ask = async () => {
    const socket = await machine().connect({ port });
    // A connection is to keep the process, also before it asks for anything.
    await pause(Math.random() * 20);
    const { status, body } = await machine().request(socket, { path: "/pid" });
    assert.equal(status, 200);
    return Number(body);
  };
  let pid = await ask();
  const start = performance.now();
  await until("the first exit", () => isRunning(pid) ? undefined : true);
  // How long it takes to end, kept at what half of the exits take.
  let expected = performance.now() - start;
  let requests = 1;
  let exits = 1;
  pid = await ask();
  while (exits < EXITS) {
    const delay = Math.max(0, expected + (Math.random() - 0.5) * 60);
    await pause(delay);
    const next = await ask();
    requests++;
    expected += next === pid ? 5 : -5;
    if (next !== pid) exits++;
    pid = next;
  }
  const shown = await machine().journal(`idle${port}.service`);
  assert.match(shown, /Deactivated successfully/);
  assert.doesNotMatch(shown, /Failed with result/);
  return { requests };
}

test(
  `${EXITS} exits on idle lose no request of a client that comes just then`,
  {
    skip,
  },
  async (t) => {
    // Beside each other: they mostly wait.
    await Promise.all(NATIVE_HOSTS.map(async (host, at) => {
      try {
        const { requests } = await around(t, host, 8080 + at);
        t.diagnostic(`${host.label}: ${requests} requests, ${EXITS} exits`);
        // As many came before the end as after, more or less.
        assert.ok(requests > EXITS * 1.2);
      } catch (error) {
        throw new Error(host.label, { cause: error });
      }
    }));
  },
);
