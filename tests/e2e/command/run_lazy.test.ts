/** `listenfds run --lazy` and `--accept`, from every runtime. */

import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import fs from "node:fs";
import type net from "node:net";
import path from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import { agentCommand } from "../../harness/agent.ts";
import { connect, exchange } from "../../harness/client.ts";
import {
  forEachHost,
  HOSTS,
  hostsWith,
  NODE_HOST,
} from "../../harness/hosts.ts";
import { NO_PYTHON, temporaryDirectory } from "../../harness/machine_tools.ts";
import { python, startRun } from "../../harness/run.ts";
import { test } from "../../harness/timed_test.ts";

const SOCKETS = [
  "--socket=web=127.0.0.1:0",
  "--socket=web6=[::1]:0",
  "--socket=dns=udp:127.0.0.1:0",
  "--socket=dns6=udp:[::1]:0",
  "--socket=admin=unix:admin.sock",
];

forEachHost(hostsWith({ runsCommand: true }), (host) => {
  for (const name of ["web", "web6", "dns", "dns6", "admin", "abstract"]) {
    test(
      `run --lazy starts on ${name}, on ${host.label}`,
      { skip: NO_PYTHON },
      async (t) => {
        const cwd = temporaryDirectory(t);
        const abstract = `@listenfds-${process.pid}-${host.label}-${name}`;
        const sockets = [...SOCKETS, `--socket=abstract=unix:${abstract}`];
        const run = startRun(t, host, ["--lazy", ...sockets], python(), {
          cwd,
        });
        const port = await run.port(name.endsWith("6") ? name : "web");
        await run.until(
          "the report of what is waited for",
          () =>
            /^listenfds: waiting for the first connection or datagram on web \(127\.0\.0\.1:\d+\), web6 \(/m
              .test(run.stderr),
          (isReported) => isReported,
        );
        // Several of the times that it takes to see somebody.
        await run.staysFor(150);
        assert.deepEqual(run.generations, []);
        const address = name.endsWith("6") ? "::1" : "127.0.0.1";
        if (name.startsWith("dns")) {
          const kind = name === "dns" ? "udp4" : "udp6";
          const socket = dgram.createSocket(kind);
          socket.send("ping", await run.port(name), address);
          const [answer] = await once(socket, "message");
          socket.close();
          assert.equal(String(answer), "ping");
        } else {
          const socket = await connect(
            name === "admin"
              ? { path: path.join(cwd, "admin.sock") }
              : name === "abstract"
              ? { path: abstract.replace("@", "\0") }
              : { host: address, port },
          );
          const { pid } = await run.generation(0);
          socket.write("x");
          assert.equal(await text(socket), `${name} ${pid}\n`);
        }
        assert.equal(run.generations.length, 1);
        assert.equal(await run.terminate(), 0, run.stderr);
        assert.deepEqual(fs.readdirSync(cwd), []);
      },
    );
  }

  test(`run --lazy ends before it starts, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    const run = startRun(t, host, ["--lazy", ...SOCKETS], ["false"], { cwd });
    await run.port("web");
    assert.equal(await run.terminate(), 143, run.stderr);
    assert.deepEqual(fs.readdirSync(cwd), []);
  });

  test(
    `run --lazy waits again after a change, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      const cwd = temporaryDirectory(t);
      fs.writeFileSync(path.join(cwd, "watched"), "1");
      const options = ["--lazy", "--watch=watched", "--socket=web=127.0.0.1:0"];
      const run = startRun(t, host, options, python(), { cwd });
      const port = await run.port("web");
      for (let round = 0; round < 3; round++) {
        await run.until(
          "the report of what is waited for",
          () =>
            run.stderr.match(
              /waiting for the (?:first|next) connection on web \(.*\)$/gm,
            ) ?? [],
          (reports) =>
            reports.length === round + 1 &&
            reports[round]!.includes(round === 0 ? "first" : "next"),
        );
        const answer = await exchange({ host: "127.0.0.1", port }, "x");
        assert.equal(answer, `web ${run.generations.at(-1)!.pid}\n`);
        assert.equal(run.generations.length, round + 1);
        if (round === 2) break;
        // In one go: writing to it makes two changes, which may be far apart
        // where the machine has other work.
        fs.writeFileSync(path.join(cwd, "next"), `again ${round}`);
        fs.renameSync(path.join(cwd, "next"), path.join(cwd, "watched"));
        await run.until(
          "the end",
          () => run.lines.filter(({ signal }) => signal).length,
          (ended) => ended === round + 1,
        );
        // Until it is gone: it may have taken the next client already.
        const { pid } = run.generations.at(-1)!;
        await run.until(
          "the process to be gone",
          () => !fs.existsSync(`/proc/${pid}`),
        );
        // It was started by a client each time, never by the change.
        assert.equal(run.generations.length, round + 1);
      }
      assert.equal(run.stderr.match(/ changed: /g)?.length, 2);
      assert.equal(await run.terminate(), 0, run.stderr);
    },
  );

  test(
    `run --accept starts a command for each connection, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      const cwd = temporaryDirectory(t);
      const run = startRun(
        t,
        host,
        [
          "--accept",
          "--socket=web=127.0.0.1:0",
          "--socket=web=[::1]:0",
          "--socket=admin=unix:admin.sock",
        ],
        python("--connection"),
        { cwd },
      );
      const targets: net.NetConnectOpts[] = [
        { host: "127.0.0.1", port: await run.port("web") },
        { host: "127.0.0.1", port: await run.port("web") },
        { host: "::1", port: await run.port("web", 1) },
        { path: path.join(cwd, "admin.sock") },
      ];
      const waiting = `waiting for connections on web (127.0.0.1:${await run
        .port("web")}), `;
      await run.until(
        "the report of what is waited for",
        () => run.stderr.includes(waiting),
        (isReported) => isReported,
      );
      const pids = new Set<number>();
      for (const [index, target] of targets.entries()) {
        const socket = await connect(target);
        const command = await run.generation(index);
        pids.add(command.pid);
        assert.deepEqual(command.names, ["connection"]);
        assert.deepEqual(command.open, [0, 1, 2, 3]);
        const [first] = command.sockets;
        assert.equal(first!.blocking, true);
        assert.equal(first!.listening, false);
        assert.deepEqual(
          [command.env["REMOTE_ADDR"], command.env["REMOTE_PORT"]],
          "path" in target
            ? [undefined, undefined]
            : [target.host, String(socket.localPort)],
        );
        assert.equal(
          await exchange(socket, "echo\n"),
          `hello from ${command.pid}\necho\n`,
        );
      }
      assert.equal(pids.size, 4);
      // Those that run when the end comes are ended, too.
      const last = await connect(targets[0]!);
      await run.generation(4);
      assert.equal(await run.terminate(), 143, run.stderr);
      last.destroy();
      assert.deepEqual(fs.readdirSync(cwd), []);
    },
  );

  test(`run --accept reports how a command failed, on ${host.label}`, async (t) => {
    const run = startRun(
      t,
      host,
      ["--accept", "--socket=web=127.0.0.1:0"],
      ["sh", "-c", "exit 9"],
    );
    const port = await run.port("web");
    await connect({ host: "127.0.0.1", port }).then(text).catch(() => {});
    await run.until(
      "the failure",
      () =>
        /^listenfds: the connection from 127\.0\.0\.1:\d+: the command ended with exit status 9$/m
          .test(run.stderr),
    );
    assert.equal(await run.terminate(), 143, run.stderr);
  });
});

forEachHost(HOSTS, (program) => {
  test(`run --accept serves connection() on ${program.label}`, async (t) => {
    const script = path.join(
      import.meta.dirname!,
      "../../fixtures/echo_connection.ts",
    );
    const [file, ...args] = agentCommand(program);
    const command = [file!, ...args.slice(0, -1), script];
    const run = startRun(
      t,
      NODE_HOST,
      ["--accept", "--socket=web=127.0.0.1:0"],
      command,
    );
    const port = await run.port("web");
    const target = { host: "127.0.0.1", port };
    assert.equal(await exchange(target, "one\n"), "one\n", run.stderr);
    assert.equal(await exchange(target, "two\n"), "two\n", run.stderr);
    assert.equal(await run.terminate(), 143, run.stderr);
  });
});
