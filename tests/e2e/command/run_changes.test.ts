/** Changes that `listenfds run --watch` sees, and the restarts after them. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { forEachHost, type Host, hostsWith } from "../../harness/hosts.ts";
import { setPriority } from "../../harness/processor_time.ts";
import { NO_PYTHON, temporaryDirectory } from "../../harness/machine_tools.ts";
import { python, type Run, startRun } from "../../harness/run.ts";
import { test } from "../../harness/timed_test.ts";

const WEB = "--socket=web=127.0.0.1:0";

/** Writes files, and creates their directories. */
function write(cwd: string, files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(cwd, file)), { recursive: true });
    fs.writeFileSync(path.join(cwd, file), text);
  }
}

/** Starts the shell script of a directory. */
function startScript(
  t: TestContext,
  host: Host,
  cwd: string,
  options: readonly string[],
): Run {
  return startRun(t, host, [WEB, ...options], ["sh", "app/main.sh"], { cwd });
}

/** A script that reports its start, and becomes a program that waits. */
const WAITING = `echo '{"pid":'$$'}'; exec sleep 1000\n`;
/** One that ends. */
const ENDING = `echo '{"pid":'$$',"at":'$(date +%s%3N)'}'; exit 3\n`;

/** Waits until a generation is there after a change; there is none too many. */
async function assertRestarts(
  run: Run,
  index: number,
  change: () => void,
): Promise<void> {
  const before = run.generations.length;
  assert.equal(before, index);
  change();
  await run.generation(index);
}

/** Checks that something is no change: the next one is the next generation. */
async function assertIgnores(
  run: Run,
  index: number,
  ignored: () => void,
  change: () => void,
): Promise<void> {
  assert.equal(run.generations.length, index);
  ignored();
  // Longer than a restart takes, which comes a second after a start at the
  // earliest: what comes with the next could not be told from it.
  await run.staysFor(1500);
  assert.equal(run.generations.length, index, run.stderr);
  await assertRestarts(run, index, change);
}

/**
 * Writes 150 files into a directory that wasn't there, with pauses.
 *
 * @returns The longest time between two of them, in milliseconds.
 */
function build(cwd: string, directory: string): number {
  const unchanged = new Int32Array(new SharedArrayBuffer(4));
  let longestMs = 0;
  let last = performance.now();
  for (let index = 0; index < 150; index++) {
    write(cwd, { [`${directory}/${index % 10}/${index}.js`]: "1" });
    if (index % 15 === 14) Atomics.wait(unchanged, 0, 0, 20);
    const now = performance.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
  }
  return longestMs;
}

forEachHost(hostsWith({ runsCommand: true }), (host) => {
  test(`run sees every kind of change, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    write(cwd, {
      "app/main.sh": WAITING,
      "app/deep/er/file.ts": "1",
      "other/file.ts": "1",
      "app/node_modules/x/y.ts": "1",
      "app/.git/index": "1",
    });
    // Without a glob: source files beside and below the script.
    const run = startScript(t, host, cwd, ["--watch"]);
    await run.generation(0);
    const file = (name: string) => path.join(cwd, "app", name);
    const changes: (() => void)[] = [
      () => fs.writeFileSync(file("main.sh"), `${WAITING}#\n`),
      () => fs.writeFileSync(file("deep/er/file.ts"), "2"),
      // As editors do it.
      () => {
        fs.writeFileSync(file("deep/er/file.ts.tmp"), "3");
        fs.renameSync(file("deep/er/file.ts.tmp"), file("deep/er/file.ts"));
      },
      () => fs.writeFileSync(file("deep/new.html"), "1"),
      () => write(cwd, { "app/fresh/directory/file.json": "1" }),
      () => fs.writeFileSync(file("fresh/directory/file.json"), "2"),
      () => fs.renameSync(file("fresh"), file("renamed")),
      () => fs.writeFileSync(file("renamed/directory/file.json"), "3"),
      () => fs.rmSync(file("renamed"), { recursive: true }),
      // The ending of a file that the command names.
      () => fs.writeFileSync(file("deep/helper.sh"), ""),
      () => fs.writeFileSync(file(".env.local"), "A=1"),
    ];
    for (const [index, change] of changes.entries()) {
      await assertRestarts(run, index + 1, change);
    }
    await assertIgnores(
      run,
      changes.length + 1,
      () => {
        write(cwd, {
          "other/file.ts": "2",
          "app/node_modules/x/y.ts": "2",
          "app/node_modules/z/y.ts": "2",
          "app/.git/index": "2",
          "app/.cache/file.ts": "1",
          "app/.hidden.ts": "1",
          "app/coverage/file.js": "1",
          "app/server.log": "1",
          "app/data.sqlite": "1",
          "app/data.sqlite-wal": "1",
          "app/deep/server.pid": "1",
          "app/Makefile": "1",
          "file.ts": "1",
        });
        fs.readFileSync(file("main.sh"));
        fs.mkdirSync(file("empty"));
        fs.renameSync(file("server.log"), file("server.log.1"));
      },
      () => fs.writeFileSync(file("deep/new.html"), "2"),
    );
    assert.match(
      run.stderr,
      /^listenfds: app\/deep\/new\.html changed: restart/m,
    );
    assert.equal(await run.terminate(), 143, run.stderr);
  });

  test(`run watches what globs match, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    write(cwd, {
      "app/main.sh": WAITING,
      "src/a.ts": "1",
      "src/b/c.ts": "1",
      "src/b/c.txt": "1",
      "env": "A=1\n",
      "single": "1",
    });
    const run = startScript(t, host, cwd, [
      "--watch=src/**/*.{ts,js}",
      "single",
      "--env-file=env",
    ]);
    await run.generation(0);
    const file = (name: string) => path.join(cwd, name);
    await assertRestarts(run, 1, () => fs.writeFileSync(file("src/a.ts"), "2"));
    await assertRestarts(
      run,
      2,
      () => fs.writeFileSync(file("src/b/d.js"), ""),
    );
    await assertRestarts(run, 3, () => fs.writeFileSync(file("single"), "2"));
    await assertRestarts(run, 4, () => fs.writeFileSync(file("env"), "A=2\n"));
    // One that is gone for a while ends nothing: it comes back.
    fs.rmSync(file("env"));
    await run.until(
      "the report of the missing file",
      () => /variables in ".*env": ENOENT/.test(run.stderr),
    );
    await assertRestarts(run, 5, () => fs.writeFileSync(file("env"), "A=3\n"));
    await assertIgnores(
      run,
      6,
      () => write(cwd, { "src/b/c.txt": "2", "app/main.sh": `${WAITING}#` }),
      () => fs.writeFileSync(file("src/b/c.ts"), "2"),
    );
  });

  test(`run leaves out what is ignored, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    write(cwd, {
      "app/main.sh": WAITING,
      "app/a.test.ts": "1",
      "app/gen/b.ts": "1",
      "app/deep/gen/b.ts": "1",
      "app/c.ts": "1",
    });
    const run = startScript(t, host, cwd, [
      "--watch",
      "--ignore=*.test.ts",
      "--ignore",
      "app/gen/",
    ]);
    await run.generation(0);
    await assertIgnores(
      run,
      1,
      () =>
        write(cwd, {
          "app/a.test.ts": "2",
          "app/deep/new.test.ts": "2",
          "app/gen/b.ts": "2",
          "app/gen/more/b.ts": "2",
        }),
      () => write(cwd, { "app/deep/gen/b.ts": "2" }),
    );
    assert.equal(await run.terminate(), 143, run.stderr);
  });

  test(`run restarts once for many files, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    write(cwd, { "app/main.sh": WAITING, "app/a.ts": "1" });
    // So that pauses stay shorter than the quiet period where the machine has other
    // work: in this thread, which does nothing else meanwhile, and as the program
    // sees them, which inherits the priority.
    setPriority("PRIORITY_HIGHEST");
    t.after(() => setPriority("PRIORITY_NORMAL"));
    const run = startScript(t, host, cwd, ["--watch"]);
    await run.generation(0);
    // A machine that stood still in a build proves nothing.
    for (let round = 1, longestMs = Infinity; longestMs > 100; round++) {
      assert.ok(round <= 5, `a pause of ${longestMs} ms in each build`);
      const before = run.generations.length;
      longestMs = build(cwd, `app/out${round}`);
      await run.generation(before);
      await run.staysFor(1500);
      if (longestMs > 100) continue;
      assert.equal(run.generations.length, before + 1, run.stderr);
      assert.equal(
        run.stderr.match(/^.* changed: restarting$/gm)!.at(-1),
        `listenfds: app/out${round}/0/0.js and 149 more changed: restarting`,
      );
    }
    assert.equal(await run.terminate(), 143, run.stderr);
  });

  test(`run isn't restarted by a log of the program, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    const logging = "while :; do date >>app/app.log; sleep 0.05; done";
    write(cwd, {
      "app/main.sh": `echo '{"pid":'$$'}'; ${logging}\n`,
    });
    const run = startScript(t, host, cwd, ["--watch"]);
    await run.generation(0);
    // The log, which changes all the time, delays no restart.
    await assertIgnores(run, 1, () => {}, () => {
      write(cwd, { "app/a.ts": "1" });
    });
    assert.equal(await run.terminate(), 143, run.stderr);
  });

  test(`run refuses a glob that matches nothing, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    write(cwd, { "app/main.sh": WAITING, "app/a.ts": "1" });
    for (const glob of ["nothing", "app/*.tsx", "lib/**"]) {
      const run = startScript(t, host, cwd, ["--watch=app/*.ts", glob]);
      assert.equal(await run.exited, 2, run.stderr);
      assert.ok(
        run.stderr.startsWith(
          `listenfds run: Watching "${glob}": nothing matches in "`,
        ),
        run.stderr,
      );
      assert.deepEqual(run.generations, []);
    }
  });

  test(`run starts what crashed when it changes, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    write(cwd, { "app/main.sh": ENDING });
    const run = startScript(t, host, cwd, ["--watch"]);
    const script = path.join(cwd, "app/main.sh");
    const crashes = () =>
      run.stderr.match(/^listenfds: the command ended with exit status 3: /gm)
        ?.length ?? 0;
    for (let index = 0; index < 4; index++) {
      await run.generation(index);
      await run.until(
        "the report of the crash",
        crashes,
        (count) => count > index,
      );
      assert.equal(run.generations.length, index + 1);
      fs.writeFileSync(script, index < 3 ? `${ENDING}#${index}` : WAITING);
    }
    // Later and later, by the clock of the command: 100, 200 and 400 ms.
    const times = run.lines.map(({ at }) => Number(at));
    assert.ok(times[3]! - times[2]! >= 400, `${times}`);
    await run.generation(4);
    assert.equal(await run.terminate(), 143, run.stderr);
  });

  test(`run ends while it waits for a change, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    write(cwd, { "app/main.sh": ENDING });
    for (
      const [signal, status] of [
        ["SIGTERM", 143],
        ["SIGINT", 130],
        ["SIGHUP", 129],
      ] as const
    ) {
      const run = startScript(t, host, cwd, ["--watch"]);
      await run.until(
        "the report of the end",
        () => /it is started again when/.test(run.stderr),
      );
      run.process.kill(signal);
      assert.equal(await run.exited, status, run.stderr);
    }
  });

  test(
    `run kills what doesn't end in time, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      const cwd = temporaryDirectory(t);
      write(cwd, { "watched": "1" });
      const run = startRun(
        t,
        host,
        [WEB, "--watch=watched", "--stop-timeout=2"],
        python("--ignore-end"),
        { cwd },
      );
      for (let index = 0; index < 2; index++) {
        await run.generation(index);
        write(cwd, { "watched": `again ${index}` });
      }
      await run.generation(2);
      assert.equal(
        run.lines.filter(({ signal }) => signal === "SIGTERM").length,
        2,
      );
    },
  );

  test(`run ends what a command left running, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    // A shell that ends by itself, and leaves something that would go on.
    write(cwd, {
      "app/main.sh": `sleep 1000 & echo '{"pid":'$!'}'; wait\n`,
    });
    const run = startScript(t, host, cwd, ["--watch"]);
    const { pid } = await run.generation(0);
    fs.writeFileSync(path.join(cwd, "app/main.sh"), WAITING);
    await run.generation(1);
    assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
    assert.equal(await run.terminate(), 143, run.stderr);
  });
});
