/** `listenfds run --watch`: restarts, with the sockets open. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { request } from "../../harness/client.ts";
import {
  forEachHost,
  type Host,
  HOSTS,
  hostsWith,
  NODE_HOST,
  ROOT,
} from "../../harness/hosts.ts";
import { NO_PYTHON, temporaryDirectory } from "../../harness/machine_tools.ts";
import { python, type Run, startRun } from "../../harness/run.ts";
import { test } from "../../harness/timed_test.ts";

const WEB = "--socket=web=127.0.0.1:0";

/** Starts the program in Python, watching a directory. */
function watch(
  t: TestContext,
  host: Host,
  cwd: string,
  options: readonly string[] = ["--watch=src"],
  ...flags: string[]
): Run {
  fs.mkdirSync(path.join(cwd, "src"), { recursive: true });
  return startRun(t, host, [WEB, ...options], python(...flags), { cwd });
}

/** Sends requests all the time, each on a connection of its own. */
class RequestLoad {
  answered = 0;
  readonly failures: string[] = [];
  readonly bodies = new Set<string>();
  readonly #workers: Promise<void>[];
  #isOver = false;

  constructor(port: number, clients: number) {
    this.#workers = Array.from({ length: clients }, () => this.#work(port));
  }

  async #work(port: number): Promise<void> {
    while (!this.#isOver) {
      try {
        const { status, body } = await request({ host: "127.0.0.1", port });
        if (status !== 200) throw new Error(`status ${status}`);
        this.bodies.add(body);
        this.answered++;
      } catch (error) {
        this.failures.push(String(error));
      }
    }
  }

  /** Returns whether a process has answered. */
  isAnsweredBy(pid: number): boolean {
    return [...this.bodies].some((body) => body.endsWith(` ${pid}\n`));
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#workers);
  }
}

/** Restarts a command under load, and counts what was lost. */
async function restartUnderLoad(
  run: Run,
  file: string,
  restarts: number,
): Promise<RequestLoad> {
  const port = await run.port("web");
  const load = new RequestLoad(port, 4);
  try {
    await run.until("an answer", () => load.answered > 0);
    for (let index = 1; index <= restarts; index++) {
      fs.writeFileSync(file, String(index));
      // Not only its beginning: the next has seen a change while one ends.
      const { pid } = await run.generation(index);
      await run.until(
        `an answer after restart ${index}`,
        () => load.isAnsweredBy(pid),
      );
    }
  } finally {
    await load.end();
  }
  return load;
}

const FINISHING = path.join(ROOT, "tests/fixtures/finishing_service.ts");
/** A hundred take a few minutes. */
const RESTARTS = Number(process.env["LISTENFDS_RESTARTS"] ?? 5);
const TIMEOUT_MS = 240_000 + RESTARTS * 10_000;

forEachHost(hostsWith({ runsCommand: true }), (host) => {
  test(
    `run loses no request over restarts, on ${host.label}`,
    { skip: NO_PYTHON, timeout: TIMEOUT_MS },
    async (t) => {
      const cwd = temporaryDirectory(t);
      const run = watch(t, host, cwd);
      const load = await restartUnderLoad(run, `${cwd}/src/a`, RESTARTS);
      t.diagnostic(`${load.answered} answers over ${RESTARTS} restarts`);
      assert.deepEqual(load.failures, []);
      assert.equal(await run.terminate(), 0, run.stderr);
      assert.deepEqual(fs.readdirSync(cwd), ["src"]);
    },
  );
});

forEachHost(HOSTS, (program) => {
  test(
    `run loses no request over restarts of a program on ${program.label}`,
    { timeout: TIMEOUT_MS },
    async (t) => {
      const cwd = temporaryDirectory(t);
      const file = path.join(cwd, "watched");
      fs.writeFileSync(file, "");
      const run = startRun(
        t,
        NODE_HOST,
        [WEB, `--watch=${file}`],
        program.command(FINISHING),
      );
      const load = await restartUnderLoad(run, file, RESTARTS);
      t.diagnostic(`${load.answered} answers over ${RESTARTS} restarts`);
      assert.deepEqual(load.failures, []);
      assert.equal(await run.terminate(), 0, run.stderr);
    },
  );
});
