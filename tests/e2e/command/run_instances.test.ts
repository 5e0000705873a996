/** `listenfds run --instances`: several processes on the same sockets. */

import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { request } from "../../harness/client.ts";
import {
  forEachHost,
  type Host,
  hostsWith,
  NODE_HOST,
  ROOT,
} from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import { type Run, startRun } from "../../harness/run.ts";
import { test } from "../../harness/timed_test.ts";
import { failed } from "../../systemd/load/load.ts";
import { HELLO_GROUPS, RunningLoad } from "../../systemd/load/under_load.ts";

const SERVICE = path.join(ROOT, "tests/fixtures/instance_service.ts");

/** A run of instances; a change to the file restarts them with `--watch`. */
interface Instances {
  readonly run: Run;
  readonly file: string;
  readonly port: number;
  /** The process of each line `serving`, with its instance. */
  serving(): [instance: number, pid: number][];
  get(path: string): Promise<string>;
}

async function start(
  t: TestContext,
  command: Host,
  program: Host,
  ...options: readonly string[]
): Promise<Instances> {
  const file = path.join(temporaryDirectory(t), "version");
  fs.writeFileSync(file, "0");
  const run = startRun(
    t,
    command,
    [
      "--socket=web=127.0.0.1:0",
      ...options.map((option) =>
        option === "--watch" ? `--watch=${file}` : option
      ),
    ],
    program.command(SERVICE, file),
  );
  const port = await run.port("web");
  const target = { host: "127.0.0.1", port };
  return {
    run,
    port,
    file,
    serving: () =>
      [...run.stdout.matchAll(/^(\d+) \| serving (\d+)$/gm)]
        .map(([, instance, pid]) => [Number(instance), Number(pid)]),
    get: async (path) => (await request({ ...target, path })).body,
  };
}

/** Waits until so many processes have served. */
function untilServed(
  { run, serving }: Instances,
  count: number,
): Promise<[number, number][]> {
  return run.until(
    `${count} processes to serve`,
    serving,
    (all) => all.length >= count,
  );
}

/** Starts two instances, which a change of the file restarts. */
function startWatched(t: TestContext, program: Host): Promise<Instances> {
  return start(t, NODE_HOST, program, "--instances=2", "--watch");
}

/** Waits until two instances have served, and returns the process of the second. */
async function untilSecond(instances: Instances): Promise<number> {
  const all = await untilServed(instances, 2);
  return all.find(([instance]) => instance === 2)![1];
}

/** Returns whether a process is there. */
function isRunning(pid: number): boolean {
  return fs.existsSync(`/proc/${pid}/cwd`);
}

/** Changes of a version under load. */
const ROUNDS = 2;
/** No answer may take longer. */
const LIMIT_MS = 2000;

/** Node 24 runs the command in the other tests. */
const COMMANDS = hostsWith({ runsCommand: true }).filter(({ label }) =>
  label !== "node 24"
);

forEachHost(COMMANDS, (host) => {
  test(`run --instances marks the output of each, on ${host.label}`, async (t) => {
    const instances = await start(t, host, host, "--instances=2");
    const { run, get } = instances;
    const all = await untilServed(instances, 2);
    assert.deepEqual(all.map(([instance]) => instance).sort(), [1, 2]);
    const pids = new Set<string>();
    await run.until("both to answer", async () => {
      pids.add(await get("/pid"));
      return pids.size === 2;
    });
    assert.deepEqual(
      [...pids].sort(),
      all.map(([, pid]) => String(pid)).sort(),
    );
    assert.equal(await run.terminate(), 0, run.output);
    for (const number of [1, 2]) {
      assert.ok(
        run.stdout.includes(`${number} | without an end\n`),
        run.stdout,
      );
      assert.ok(run.stderr.includes(`${number} | version 0\n`), run.stderr);
    }
    const others = run.stdout.split("\n").filter((line) =>
      !/^[12] \| (?:serving \d+|without an end)$/.test(line)
    );
    assert.deepEqual(others, [""]);
  });
});

/** Each runtime once. */
const PROGRAMS = hostsWith({ hasOwnServers: true }).filter(({ label }) =>
  label !== "node 22" && label !== "node 26"
);

forEachHost(PROGRAMS, (program) => {
  test(`run --instances --watch replaces one after another and loses nothing, on ${program.label}`, async (t) => {
    const instances = await startWatched(t, program);
    const { run, file, port } = instances;
    const old = await untilServed(instances, 2);
    const load = RunningLoad.start(t, { groups: HELLO_GROUPS, port });
    for (let round = 1; round <= ROUNDS; round++) {
      fs.writeFileSync(file, String(round));
      const all = await untilServed(instances, 2 + 2 * round);
      assert.deepEqual(
        all.slice(-2).map(([instance]) => instance),
        [1, 2],
        "one after another",
      );
    }
    const report = await load.stop();
    const message = JSON.stringify(report);
    assert.deepEqual(Object.values(report).map(failed), [0, 0], message);
    for (const { answered, slowestMs } of Object.values(report)) {
      assert.ok(answered > 0 && slowestMs < LIMIT_MS, message);
    }
    assert.ok(!old.some(([, pid]) => isRunning(pid)));
    assert.equal(await run.terminate(), 0, run.output);
  });
});

const [BUN] = hostsWith({ runtime: "bun" }) as [Host];

forEachHost([BUN], (host) => {
  test("run --instances keeps the old version where a new one fails", async (t) => {
    const instances = await startWatched(t, host);
    const { run, file, get } = instances;
    const second = await untilSecond(instances);
    fs.writeFileSync(file, "broken");
    await run.until(
      "the failure",
      () => run.stderr.includes("instance 1 ended with exit status 3: it is"),
    );
    assert.equal(await get("/pid"), String(second));
    fs.writeFileSync(file, "mended");
    assert.equal((await untilServed(instances, 4)).length, 4);
    // An instance that ends later is started with the next change, too.
    await get("/exit/4").catch(() => {});
    await run.until(
      "its end",
      () => / ended with exit status 4: it is started again/.test(run.stderr),
    );
    fs.writeFileSync(file, "again");
    assert.equal((await untilServed(instances, 6)).length, 6);
    assert.equal(await run.terminate(), 0, run.output);
  });

  test("run --instances keeps the old version where a new one never serves", async (t) => {
    const instances = await startWatched(t, host);
    const { run, file, get } = instances;
    const second = await untilSecond(instances);
    fs.writeFileSync(file, "deaf");
    await run.until(
      "the note",
      () => run.stderr.includes("instance 1 doesn't serve yet: the others run"),
    );
    assert.equal(await get("/pid"), String(second));
    assert.ok(isRunning(second));
    // The next change replaces both.
    fs.writeFileSync(file, "mended");
    assert.equal((await untilServed(instances, 4)).length, 4);
    assert.ok(!isRunning(second));
    assert.equal(await run.terminate(), 0, run.output);
  });

  test("run --instances ends with the first that fails, and with its status", async (t) => {
    const instances = await start(t, NODE_HOST, host, "--instances=3");
    const { run, get } = instances;
    const all = await untilServed(instances, 3);
    // One that ends without a failure leaves the others.
    await get("/exit/0").catch(() => {});
    await run.until(
      "its end",
      () => / ended with exit status 0\n/.test(run.stderr),
    );
    assert.match(await get("/pid"), /^\d+$/);
    await get("/exit/5").catch(() => {});
    assert.equal(await run.exited, 5);
    assert.match(run.stderr, /ended with exit status 5: ending the others/);
    assert.ok(!all.some(([, pid]) => isRunning(pid)));
  });

  test("run --instances auto starts one for each CPU, with the first client", async (t) => {
    const instances = await start(
      t,
      NODE_HOST,
      host,
      ...["--instances=auto", "--lazy"],
    );
    const { run, get, serving } = instances;
    await run.until("the wait", () => run.stderr.includes("waiting for the"));
    assert.deepEqual(serving(), []);
    await get("/pid");
    const count = os.availableParallelism();
    assert.equal((await untilServed(instances, count)).length, count);
    assert.equal(await run.terminate(), 0, run.output);
  });
});
