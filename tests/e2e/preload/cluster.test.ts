/** Programs of `node:cluster` under the preload. */

import assert from "node:assert/strict";
import net from "node:net";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { getBody, request } from "../../harness/client.ts";
import {
  forEachHost,
  hostsWith,
  ROOT,
  withPreload,
} from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import { startActivated } from "../../harness/program.ts";
import { bindSockets, countAccepted } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const PROGRAM = path.join(ROOT, "tests/fixtures/cluster_program.ts");
/** Within this time, nothing has to be ended by force. */
const PROMPT_MS = 4000;
/** Less than a worker waits for its primary. */
const ALONE_MS = 8000;
/** More than after which connections count as lost that no worker can take. */
const LATE_MS = 2500;

const PRELOADED = hostsWith({ runtime: "node" }).map(withPreload);

/** Lets a process go on, unless it has ended. */
function resume(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

forEachHost(PRELOADED, (host) => {
  const start = (t: TestContext, spec: string, ...args: string[]) =>
    bindSockets([spec], (sockets) => ({
      program: startActivated(t, host.command(PROGRAM, ...args), sockets, {
        LISTENFDS_MAP: "web=3000",
      }),
      socket: sockets[0]!,
    }));

  for (const kind of ["tcp", "unix"] as const) {
    test(`a worker on ${host.label} that follows the last one gets its socket (${kind})`, async (t) => {
      const file = path.join(temporaryDirectory(t), "x.sock");
      const { program, socket } = await start(
        t,
        kind === "tcp" ? "web=tcp:127.0.0.1:0" : `web=unix:${file}`,
      );
      const target = kind === "tcp"
        ? { host: "127.0.0.1", port: socket.port! }
        : { socketPath: file };
      const get = async (url: string) => {
        const reply = request({ ...target, path: url });
        return (await program.whileRunning("an answer", reply)).body;
      };
      for (let times = 0; times < 3; times++) {
        const pid = await get("/end");
        await program.until(
          "the end of the worker",
          () => program.stdout.includes(`ended ${pid}\n`),
          (isOver) => isOver,
        );
        // These arrive while no worker listens.
        const [next, ...others] = await Promise.all(["/", "/", "/"].map(get));
        assert.notEqual(next, pid, program.output);
        assert.deepEqual(others, [next, next]);
      }
    });
  }

  test(`a cluster on ${host.label} ends as soon as its workers have drained`, async (t) => {
    const { program, socket } = await start(t, "web=tcp:127.0.0.1:0");
    await getBody(socket.port!, "/");
    const begin = performance.now();
    assert.equal(await program.terminate(), 0, program.output);
    const took = performance.now() - begin;
    assert.ok(took < PROMPT_MS, `${took} ms`);
  });

  test(`a worker on ${host.label} that is stopped alone ends as soon as it has drained`, async (t) => {
    const { program, socket } = await start(t, "web=tcp:127.0.0.1:0");
    const worker = await getBody(socket.port!, "/");
    const begin = performance.now();
    process.kill(Number(worker), "SIGTERM");
    await program.until(
      "the end of the worker",
      () => program.stdout.includes(`ended ${worker}\n`),
    );
    const took = performance.now() - begin;
    assert.ok(took < ALONE_MS, `${took} ms`);
    assert.notEqual(await getBody(socket.port!, "/"), worker);
  });

  for (const reached of ["all processes", "the primary alone"] as const) {
    test(`a worker on ${host.label} without a server finishes its job when ${reached} get a signal`, async (t) => {
      const { program, socket } = await start(t, "web=tcp:127.0.0.1:0", "jobs");
      await getBody(socket.port!, "/");
      const reported = (what: string) =>
        [...program.stdout.matchAll(RegExp(`^${what} (\\d+)$`, "gm"))]
          .map(([, pid]) => Number(pid));
      const [job] = await program.until(
        "the job to begin",
        () => reported("has job"),
        (found) => found.length > 0,
      );
      const begin = performance.now();
      program.process.kill("SIGTERM");
      if (reached === "all processes") {
        for (const worker of reported("began")) process.kill(worker, "SIGTERM");
      }
      assert.equal(await program.exited, 0, program.output);
      const took = performance.now() - begin;
      assert.deepEqual(reported("SIGTERM to job"), [job], program.output);
      assert.ok(took < PROMPT_MS, `${took} ms`);
    });
  }

  test(`a cluster on ${host.label} waits for a worker that takes connections late`, async (t) => {
    const { program, socket } = await start(t, "web=tcp:127.0.0.1:0");
    const worker = Number(await getBody(socket.port!, "/"));
    process.kill(worker, "SIGSTOP");
    let answers: Promise<string[]>;
    let exited: Promise<unknown>;
    try {
      answers = Promise.all(
        Array.from({ length: 5 }, () => getBody(socket.port!, "/")),
      );
      answers.catch(() => {});
      await program.until(
        "the primary to accept all",
        // Without the first one, which it closes when the worker has confirmed it.
        () => countAccepted(program, socket.port!),
        (count) => count === 5,
      );
      exited = program.terminate();
      // Proves that nothing ends or is lost meanwhile.
      const first = await Promise.race([
        answers.then(() => "answers", String),
        exited.then(() => "exited"),
        delay(LATE_MS, "nothing"),
      ]);
      assert.equal(first, "nothing", program.output);
    } finally {
      // One that is stopped would outlive the test, and keep its output open.
      resume(worker);
    }
    assert.deepEqual(await answers, Array(5).fill(`${worker}`));
    assert.equal(await exited, 0, program.output);
  });

  test(`a worker on ${host.label} never dies of the signal that its primary was faster with`, async (t) => {
    const { program, socket } = await start(t, "web=tcp:127.0.0.1:0", "watch");
    const worker = Number(await getBody(socket.port!, "/"));
    assert.equal(await program.terminate(), 0, program.output);
    assert.match(program.stdout, RegExp(`^ended ${worker}$`, "m"));
    assert.doesNotMatch(program.stdout, /unprotected/);
  });

  test(`a cluster on ${host.label} whose primary disconnects its workers ends promptly`, async (t) => {
    const { program, socket } = await start(
      t,
      "web=tcp:127.0.0.1:0",
      "disconnect",
    );
    await getBody(socket.port!, "/");
    const begin = performance.now();
    assert.equal(await program.terminate(), 0, program.output);
    const took = performance.now() - begin;
    assert.match(program.stdout, /^disconnected/m);
    assert.ok(took < PROMPT_MS, `${took} ms`);
  });

  test(`a cluster on ${host.label} ends promptly after a worker has crashed with a connection`, async (t) => {
    const { program, socket } = await start(
      t,
      "web=tcp:127.0.0.1:0",
      "crash",
    );
    const target = { host: "127.0.0.1", port: socket.port! };
    await program.until("a worker", () => program.stdout.includes("began"));
    const client = net.connect(target).on("error", () => {});
    t.after(() => client.destroy());
    await program.until("its end", () => program.stdout.includes("ended"));
    const begin = performance.now();
    assert.equal(await program.terminate(), 0, program.output);
    const took = performance.now() - begin;
    assert.ok(took < PROMPT_MS, `${took} ms`);
  });

  for (const when of ["ends at once", "has just been started"] as const) {
    test(`a cluster on ${host.label} ends promptly with a worker that ${when}`, async (t) => {
      const { program, socket } = await start(t, "web=tcp:127.0.0.1:0");
      const worker = Number(await getBody(socket.port!, "/"));
      if (when === "has just been started") {
        process.kill(worker, "SIGKILL");
        await program.until(
          "the next worker",
          () => program.stdout.split("began ").length > 2,
        );
      }
      const begin = performance.now();
      program.process.kill("SIGTERM");
      if (when === "ends at once") process.kill(worker, "SIGKILL");
      assert.equal(await program.exited, 0, program.output);
      const took = performance.now() - begin;
      assert.ok(took < PROMPT_MS, `${took} ms`);
    });
  }
});
