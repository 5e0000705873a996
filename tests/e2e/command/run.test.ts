/** `listenfds run`, started from every runtime, with programs of any language. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import dgram from "node:dgram";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { exchange, request } from "../../harness/client.ts";
import { forEachHost, HOSTS, hostsWith, ROOT } from "../../harness/hosts.ts";
import { NO_PYTHON, temporaryDirectory } from "../../harness/machine_tools.ts";
import { python, type Run, startRun } from "../../harness/run.ts";
import { test } from "../../harness/timed_test.ts";

const SERVICE = path.join(ROOT, "examples/service.ts");

const SOCKETS = [
  "--socket=web=127.0.0.1:0",
  "--socket=dns=udp:127.0.0.1:0",
  "--socket=web=tcp:[::1]:0",
  "--socket=admin=unix:./admin.sock",
  "--socket=dns=udp:[::1]:0",
  "--socket=abstract=unix:@",
];

/** Sends a datagram, and returns the answer. */
async function ask(port: number, text: string): Promise<string> {
  const socket = dgram.createSocket("udp4");
  try {
    socket.send(text, port, "127.0.0.1");
    const [answer] = await once(socket, "message");
    return String(answer);
  } finally {
    socket.close();
  }
}

/** Returns whether a process is there. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // One that nobody has asked for its status isn't running.
    return !/^State:\s*Z/m.test(
      fs.readFileSync(`/proc/${pid}/status`, "utf8"),
    );
  } catch {
    return false;
  }
}

/** Checks that all processes of the command have ended. */
async function assertEnded(run: Run): Promise<void> {
  for (const { pid } of run.generations) {
    await new Promise((resolve) => setTimeout(resolve));
    assert.equal(isRunning(pid), false, `${pid} is still running`);
  }
}

forEachHost(hostsWith({ hasOwnServers: true }), (host) => {
  test(`--preload gives the sockets to a program that asks for a port, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    const program = path.join(cwd, "app.mjs");
    fs.writeFileSync(
      program,
      `import http from "node:http";
      http.createServer((_, response) => response.end("hello")).listen(3000);`,
    );
    const run = startRun(
      t,
      host,
      ["--socket=web=127.0.0.1:0", "--preload=web=3000"],
      host.command(program),
      { cwd },
    );
    const port = await run.port("web");
    const { body } = await run.whileRunning(
      "an answer",
      request({ host: "127.0.0.1", port }),
    );
    assert.equal(body, "hello");
    assert.equal(await run.terminate(), 0, run.stderr);
  });
});

forEachHost(hostsWith({ runsCommand: true }), (host) => {
  test(`the command starts as a program, on ${host.label}`, (t) => {
    const cwd = temporaryDirectory(t);
    // Node before 24 doesn't know which module is the program.
    const files = host.label === "node 22" ? ["bin"] : ["bin", "mod"];
    for (const file of files) {
      const script = path.join(ROOT, `src/cli/${file}.ts`);
      const [program, ...args] = host.command(script, "--version");
      const { status, stdout, stderr } = spawnSync(program!, args, {
        cwd,
        encoding: "utf8",
      });
      assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
      assert.match(stdout, /^listenfds \d+\.\d+\.\d+\n$/);
    }
  });

  test(
    `run hands over sockets of every kind in order, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      const cwd = temporaryDirectory(t);
      const abstract = `@listenfds-${process.pid}-${host.label}`;
      const sockets = SOCKETS.map((option) => option.replace(/@$/, abstract));
      const run = startRun(t, host, sockets, python(), {
        cwd,
        env: { LISTEN_PIDFDID: "1", EXTRA: "kept" },
        inherited: ["pipe", "pipe", "ignore", "ignore", "ignore", "pipe"],
      });
      const command = await run.generation(0);
      assert.deepEqual(
        command.names,
        ["web", "dns", "web", "admin", "dns", "abstract"],
      );
      // Its own, the sockets, and nothing of what the activator inherited.
      assert.deepEqual(command.open, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
      assert.deepEqual(
        command.sockets.map(({ fd, family, type, blocking, listening }) => [
          fd,
          family,
          type,
          blocking,
          listening,
        ]),
        [
          [3, "AF_INET", "SOCK_STREAM", true, true],
          [4, "AF_INET", "SOCK_DGRAM", true, false],
          [5, "AF_INET6", "SOCK_STREAM", true, true],
          [6, "AF_UNIX", "SOCK_STREAM", true, true],
          [7, "AF_INET6", "SOCK_DGRAM", true, false],
          [8, "AF_UNIX", "SOCK_STREAM", true, true],
        ],
      );
      assert.deepEqual(
        [3, 5].map((index) => command.sockets[index]!.address),
        [path.join(cwd, "admin.sock"), abstract.replace("@", "\0")],
      );
      assert.equal(command.env["LISTEN_PIDFDID"], undefined);
      assert.equal(command.env["DENO_EXTRA_STDIO_FDS"], undefined);
      assert.equal(command.env["EXTRA"], "kept");
      assert.equal(fs.realpathSync(command.cwd), fs.realpathSync(cwd));
      // No signal is ignored or blocked, as after a login: but those that Python
      // itself ignores, and 32 and 33, which the C library keeps to itself and
      // Deno leaves ignored where it has started the tests.
      assert.deepEqual(
        command.signals.map((mask) => BigInt(`0x${mask}`) & ~0x181001000n),
        [0n, 0n],
      );
      const answer = `web ${command.pid}\n`;
      const port = await run.port("web");
      assert.equal(await exchange({ host: "127.0.0.1", port }, "x"), answer);
      assert.equal(
        await exchange({ host: "::1", port: await run.port("web", 1) }, "x"),
        answer,
      );
      const admin = path.join(cwd, "admin.sock");
      assert.equal(
        await exchange({ path: admin }, "x"),
        `admin ${command.pid}\n`,
      );
      assert.equal(await ask(await run.port("dns"), "ping"), "ping");
      assert.equal(await run.terminate(), 0, run.stderr);
      await assertEnded(run);
      // Nothing is left: neither the path nor the note beside it.
      assert.deepEqual(fs.readdirSync(cwd), []);
    },
  );

  forEachHost(HOSTS, (program) => {
    test(
      `run on ${host.label} serves a program on ${program.label}`,
      async (t) => {
        const cwd = temporaryDirectory(t);
        const run = startRun(
          t,
          host,
          [
            "--socket=web=127.0.0.1:0",
            "--socket=web=[::1]:0",
            `--socket=admin=unix:${cwd}/admin.sock`,
          ],
          program.command(SERVICE),
        );
        const hello = (name: string) =>
          `hello from ${program.runtime} on ${name}\n`;
        for (const [index, host] of ["127.0.0.1", "::1"].entries()) {
          const port = await run.port("web", index);
          assert.equal((await request({ host, port })).body, hello("web"));
        }
        const { body } = await request({ socketPath: `${cwd}/admin.sock` });
        assert.equal(body, hello("admin"));
        assert.equal(await run.terminate(), 0, run.stderr);
        assert.deepEqual(fs.readdirSync(cwd), []);
      },
    );
  });

  test(
    `run passes signals on, and waits, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) {
        const run = startRun(
          t,
          host,
          ["--socket=web=127.0.0.1:0"],
          python("--slow-end", "--usr2"),
        );
        await run.generation(0);
        run.process.kill(signal);
        assert.equal(await run.exited, 7, run.stderr);
        assert.deepEqual(run.lines.at(-1), { signal });
        await assertEnded(run);
      }
    },
  );

  test(
    `run passes on signals that end nothing, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      const run = startRun(
        t,
        host,
        ["--socket=web=127.0.0.1:0"],
        python("--usr2", "--ignore-end"),
      );
      await run.generation(0);
      for (const count of [1, 2, 3]) {
        run.process.kill("SIGUSR2");
        await run.until(
          "the signal",
          () => run.lines.length,
          (lines) => lines > count,
        );
      }
      assert.deepEqual(
        run.lines.slice(1),
        Array(3).fill({ signal: "SIGUSR2" }),
      );
    },
  );

  test(
    `run kills on a second signal, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      // What the command started is ended, too: a shell that doesn't become it.
      const run = startRun(
        t,
        host,
        ["--socket=web=127.0.0.1:0"],
        [
          "sh",
          "-c",
          'trap "" TERM INT; sleep 1000 & echo "{\\"pid\\":$!}"; wait; wait',
        ],
      );
      const { pid } = await run.generation(0);
      assert.ok(isRunning(pid));
      run.process.kill("SIGTERM");
      run.process.kill("SIGINT");
      assert.equal(await run.exited, 137, run.stderr);
      await assertEnded(run);
    },
  );

  test(`run passes exit statuses back, on ${host.label}`, async (t) => {
    for (
      const [script, status] of [
        ["exit 0", 0],
        ["exit 5", 5],
        ["exit 127", 127],
        ["kill -KILL $$", 137],
        ["kill -USR1 $$", 138],
      ] as const
    ) {
      const run = startRun(t, host, ["--socket=web=127.0.0.1:0"], [
        "/bin/sh",
        "-c",
        script,
      ]);
      assert.equal(await run.exited, status, `${script}: ${run.stderr}`);
    }
  });
});
