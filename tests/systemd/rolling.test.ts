/**
 * Restarts of one instance after another, under load: nothing is lost, and no client
 * waits. With `LISTENFDS_ROLLING`, the number of such restarts, it takes longer,
 * and writes its results into `bench/results`.
 */

import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import type { Group, Report } from "./load/load.ts";
import { answered, lost, startLoad } from "./load/under_load.ts";
import {
  installInstances,
  rollingRestart,
  shell,
  untilActive,
} from "./machine/instances.ts";
import { NO_MACHINE, SYSTEMD_VERSION, useMachine } from "./machine/machine.ts";
import { NATIVE_HOSTS, type UnitHost } from "./machine/units.ts";
import { forEachHost, ROOT, toolOf } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";

const machine = useMachine();
const LONG = process.env["LISTENFDS_ROLLING"];
const RESTARTS = Number(LONG ?? 3);
/** Restarts of one test, so that a failed part can be repeated. */
const PART = 10;
/** No answer may take longer. */
const LIMIT_MS = 2000;
const FILE = path.join(ROOT, "bench/results/rolling.json");

/** Clients with new connections, and with those that are kept. */
const GROUPS: readonly Group[] = [false, true].map((keepAlive) => ({
  name: keepAlive ? "keep-alive" : "new connections",
  clients: 8,
  keepAlive,
  handlerMs: 0,
  pauseMs: 20,
}));

/** The results of restarts of one host. */
interface Rolled {
  readonly host: string;
  readonly version: string;
  readonly systemd: number;
  readonly instances: number;
  /** The number of the first restart, and how many there were. */
  readonly first: number;
  readonly restarts: number;
  readonly answered: number;
  readonly lost: number;
  readonly slowestMs: number;
  readonly date: string;
  readonly machine: string;
}

/** Puts results into the file, in place of earlier ones. */
function record(rolled: Rolled): void {
  const key = ({ host, instances, first }: Rolled) =>
    `${host} ${instances} ${String(first).padStart(4, "0")}`;
  const results: Rolled[] = fs.existsSync(FILE)
    ? JSON.parse(fs.readFileSync(FILE, "utf8"))
    : [];
  const others = results.filter((each) => key(each) !== key(rolled));
  const sorted = [...others, rolled].sort((a, b) => key(a) < key(b) ? -1 : 1);
  fs.writeFileSync(FILE, `${JSON.stringify(sorted, null, 2)}\n`);
}

function describeResults(
  host: UnitHost,
  instances: number,
  first: number,
  restarts: number,
  report: Report,
): Rolled {
  return {
    host: host.label,
    version: toolOf(host.label.replace(" -A", "")).version,
    systemd: SYSTEMD_VERSION,
    instances,
    first,
    restarts,
    answered: answered(report),
    lost: lost(report).reduce((a, b) => a + b),
    slowestMs: Math.max(
      ...Object.values(report).map(({ slowestMs }) => slowestMs),
    ),
    date: new Date().toISOString().slice(0, 10),
    machine: `${os.availableParallelism()} × ${os.cpus()[0]!.model}`,
  };
}

forEachHost(NATIVE_HOSTS, (host) => {
  for (const instances of LONG === undefined ? [2] : [2, 4]) {
    for (let first = 1; first <= RESTARTS; first += PART) {
      const restarts = Math.min(PART, RESTARTS - first + 1);
      test(
        `rolling restarts ${first} to ${
          first + restarts - 1
        } of ${instances} ` +
          `instances on ${host.label} lose nothing, and no client waits`,
        { skip: NO_MACHINE, timeout: 280_000 },
        async (t) => {
          await installInstances(t, machine(), host, instances);
          const command = rollingRestart(instances);
          await machine().request({ port: 8080 });
          await untilActive(
            machine(),
            Array.from({ length: instances }, (_, index) => index + 1),
          );
          const load = startLoad(t, machine(), GROUPS);
          for (let round = 0; round < restarts; round++) {
            await load.progress(8);
            const { status, output } = await shell(machine(), command);
            assert.equal(status, 0, output);
            if (round === 0) await machine().systemctl("daemon-reload");
          }
          await load.progress(8);
          const report = await load.stop();
          const rolled = describeResults(
            host,
            instances,
            first,
            restarts,
            report,
          );
          const message = JSON.stringify(report);
          t.diagnostic(`${rolled.answered} answers, ${message}`);
          if (LONG !== undefined) record(rolled);
          assert.equal(rolled.lost, 0, message);
          assert.ok(rolled.slowestMs <= LIMIT_MS, message);
        },
      );
    }
  }
});
