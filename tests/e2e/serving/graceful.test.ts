/** Graceful shutdown on SIGTERM, with and without listeners of the program. */

import assert from "node:assert/strict";
import os from "node:os";
import {
  openUsedClient,
  type Settings,
  signal,
  startService,
  terminateBusy,
} from "../../harness/graceful.ts";
import { forEachHost, type Host, hostsWith } from "../../harness/hosts.ts";
import { test } from "../../harness/timed_test.ts";

/** The process ends by itself, or is ended at once where something keeps it. */
const ENDED_SOON: Settings = { timeout: 60_000, exitMs: 0 };
/** The process is ended after the timeout of a shutdown. */
const ENDED_AT_TIMEOUT: Settings = { timeout: 1000, exitMs: 0 };
/** Returns the limit of an exit while no request is in flight. */
function idleExitMs(): number {
  const load = os.loadavg()[0]! / os.availableParallelism();
  return 500 * Math.max(1, load);
}

/** What a program does before a signal, and how many of its listeners are left. */
interface Registration {
  readonly steps: readonly string[];
  readonly isOwn: boolean;
  /** How often the program's listener is called. */
  readonly calls: number;
}

const REGISTRATIONS: readonly Registration[] = [
  { steps: ["serve"], isOwn: false, calls: 0 },
  { steps: ["on", "serve"], isOwn: true, calls: 1 },
  { steps: ["serve", "on"], isOwn: true, calls: 1 },
  { steps: ["once", "serve"], isOwn: true, calls: 1 },
  { steps: ["serve", "once"], isOwn: true, calls: 1 },
  { steps: ["on", "serve", "off"], isOwn: false, calls: 0 },
  { steps: ["serve", "on", "off"], isOwn: false, calls: 0 },
  { steps: ["exit-hook", "serve"], isOwn: true, calls: 0 },
  { steps: ["serve", "exit-hook"], isOwn: true, calls: 0 },
  { steps: ["exit-hook", "serve", "exit-unhook"], isOwn: false, calls: 0 },
];

/** Those of `Deno.addSignalListener`. */
function denoRegistrations({ inspects }: Host): readonly Registration[] {
  return [
    // An earlier listener is seen only where /proc/self/status can be read.
    { steps: ["deno-add", "import", "serve"], isOwn: inspects, calls: 1 },
    { steps: ["import", "deno-add", "serve"], isOwn: inspects, calls: 1 },
    { steps: ["import", "serve", "deno-add"], isOwn: true, calls: 1 },
    { steps: ["deno-add", "serve", "deno-remove"], isOwn: false, calls: 0 },
    { steps: ["serve", "deno-add", "deno-remove"], isOwn: false, calls: 0 },
    { steps: ["deno-add", "serve", "on"], isOwn: true, calls: 2 },
  ];
}

forEachHost(hostsWith({ serves: true }), (host) => {
  const registrations = host.runtime === "deno"
    ? [...REGISTRATIONS, ...denoRegistrations(host)]
    : REGISTRATIONS;

  for (const { steps, isOwn, calls } of registrations) {
    const rule = isOwn ? "its timeout" : "the shutdown";
    const settings = isOwn ? ENDED_AT_TIMEOUT : ENDED_SOON;

    test(`SIGTERM after ${steps.join(", ")} on ${host.label} ends the process at the latest after ${rule}`, async (t) => {
      const [free, kept] = await Promise.all([
        startService(t, host, steps),
        startService(t, host, [...steps, "keep"], settings),
      ]);
      const [byItself, ended] = await Promise.all([
        terminateBusy(t, free),
        terminateBusy(t, kept),
      ]);
      assert.equal(byItself.status, 0);
      assert.equal(ended.status, 0);
      const isAtTimeout = ended.ms >= settings.timeout!;
      assert.equal(isAtTimeout, isOwn, `${ended.ms} ms`);
      for (const { program } of [free, kept]) {
        assert.equal(program.stdout.split("signal\n").length - 1, calls);
      }
    });
  }

  test(`SIGTERM on ${host.label} ends an idle server in half a second`, async (t) => {
    // The best of some, because the load is an average.
    const times: number[] = [];
    for (let run = 0; run < 5; run++) {
      const service = await startService(t, host, ["serve"]);
      await openUsedClient(t, service);
      const { status, ms } = await signal(t, service.program);
      assert.equal(status, 0);
      if (ms < idleExitMs()) return;
      times.push(ms);
    }
    assert.fail(`${times} ms`);
  });

  test(`SIGTERM on ${host.label} lets a listener exit at once`, async (t) => {
    for (
      const steps of [["serve", "exit-at-once"], ["exit-at-once", "serve"]]
    ) {
      const { program } = await startService(t, host, steps);
      assert.equal((await signal(t, program)).status, 4);
    }
  });

  test(`SIGTERM on ${host.label} lets the program work after its servers`, async (t) => {
    for (const step of ["finish-in-listener", "finish-by-itself"]) {
      const service = await startService(t, host, ["serve", step, "keep"]);
      assert.equal((await terminateBusy(t, service)).status, 3);
      assert.match(service.program.stdout, /^worked$/m);
    }
  });

  test(`SIGINT on ${host.label} has its usual effect`, async (t) => {
    const { program } = await startService(t, host, ["serve"]);
    assert.equal((await signal(t, program, "SIGINT")).status, "SIGINT");
  });
});
