/** The report of `inspect` on real activations, on every runtime. */

import assert from "node:assert/strict";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { tryConnect } from "../../harness/client.ts";
import {
  forEachHost,
  HOSTS,
  LIBC_HOST,
  NODE_HOST,
} from "../../harness/hosts.ts";
import {
  inspectSockets,
  problemCodes,
  problemsOf,
  readReport,
} from "../../harness/inspect.ts";
import {
  missingProgram,
  NO_PYTHON,
  NO_SYSTEMD_ACTIVATE,
  SYSTEMD_ACTIVATE,
  temporaryDirectory,
} from "../../harness/machine_tools.ts";
import {
  type Environment,
  startActivated,
  startProgram,
} from "../../harness/program.ts";
import { COMMAND } from "../../harness/run.ts";
import { bindSockets, freePorts } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

/** Variables, with the state and the codes of problems that they cause. */
const BROKEN: readonly (readonly [Environment, string, string[]])[] = [
  [{ LISTEN_FDS: "abc" }, "malformed", ["malformed"]],
  [{ LISTEN_FDS: "0" }, "malformed", ["malformed"]],
  [{ LISTEN_FDS: "-1", LISTEN_PIDFDID: "x" }, "malformed", ["malformed"]],
  [{ LISTEN_FDS: "2147483644" }, "malformed", ["malformed"]],
  [{ LISTEN_FDS: undefined }, "absent", ["missing"]],
  [{ LISTEN_FDNAMES: "web:admin" }, "malformed", ["name-count"]],
  [{ LISTEN_FDNAMES: "\x1b[31mweb\n" }, "activated", ["name-form"]],
  [{ LISTEN_FDNAMES: undefined }, "activated", []],
  [{ LISTEN_PIDFDID: "18446744073709551616" }, "malformed", ["malformed"]],
];

forEachHost(HOSTS, (host) => {
  test(`inspect on ${host.label} runs under systemd-socket-activate`, {
    skip: NO_SYSTEMD_ACTIVATE,
  }, async (t) => {
    const [port] = await freePorts(1);
    const socket = path.join(temporaryDirectory(t), "x.sock");
    const program = startProgram(t, [
      SYSTEMD_ACTIVATE,
      `--listen=127.0.0.1:${port}`,
      `--listen=${socket}`,
      "--fdname=web:admin",
      "--",
      ...host.command(COMMAND, "inspect"),
    ]);
    const client = await program.until(
      "systemd-socket-activate to listen",
      () => tryConnect({ port: port!, host: "127.0.0.1" }),
    );
    client.on("error", () => {});
    assert.equal(await program.exited, 0, program.output);
    client.destroy();
    const lines = program.stdout.split("\n");
    const row = (fd: number) =>
      lines.find((line) => line.startsWith(`${fd} `))!;
    const closeOnExec = host.runtime === "deno" ? "no" : "(?:yes|no)";
    if (host.inspects) {
      assert.match(
        row(3),
        new RegExp(
          `^3 +web +stream-listener +ipv4 +yes +${closeOnExec} +` +
            `(?:1/\\d+|\\?) +127\\.0\\.0\\.1:${port}$`,
        ),
      );
      assert.match(row(4), /^4 +admin +stream-listener +unix +yes/);
      assert.ok(program.stdout.includes(socket));
      assert.match(program.stdout, /^native 2\.3, portable 2\.8 /m);
    } else {
      assert.match(row(3), /^3 +web +socket +\? +\? +\? +\? +\?$/);
      assert.match(program.stdout, /run with --allow-ffi/);
    }
    assert.ok(lines.includes("In order"), program.stdout);
    for (const line of lines) {
      assert.ok(line.length <= 80 || line.includes(socket), line);
    }
  });

  test(`inspect on ${host.label} names a shell that stands between`, async (t) => {
    const [port] = await freePorts(1);
    const program = await bindSockets(
      [`web=tcp:127.0.0.1:${port}`],
      (sockets) =>
        startActivated(t, [
          ...["/bin/sh", "-c", '"$@"; exit $?', "sh"],
          ...host.command(COMMAND, "inspect", "--json"),
        ], sockets),
    );
    const report = await readReport(program);
    assert.equal(report.state, "foreign");
    assert.equal(report.listenPid, program.pid);
    assert.deepEqual(problemCodes(report), ["foreign"]);
    // The descriptors got through, and are shown all the same.
    const [web, ...others] = report.descriptors;
    assert.deepEqual([web!.name, others.length], ["web", 0]);
    if (!host.inspects) return;
    assert.equal(report.wrapper, "sh");
    assert.match(
      report.findings[0]!.message,
      /sh was started in its place: begin the last command with exec$/,
    );
    assert.equal(web!.address?.port, port);
  });

  test(`inspect on ${host.label} names npm, which closes descriptors`, {
    skip: !host.inspects
      ? "Deno can't read another process's command line here"
      : missingProgram("npm"),
  }, async (t) => {
    const directory = temporaryDirectory(t);
    const words = host.command(COMMAND, "inspect", "--json");
    const script = words.map((word) => `'${word}'`).join(" ");
    fs.writeFileSync(
      path.join(directory, "package.json"),
      JSON.stringify({ scripts: { start: script } }),
    );
    const npm = ["npm", "--silent", `--prefix=${directory}`, "run", "start"];
    const program = await bindSockets(
      ["web=tcp:127.0.0.1:0"],
      (sockets) => startActivated(t, npm, sockets),
    );
    const report = await readReport(program);
    assert.equal(report.state, "foreign");
    assert.equal(report.wrapper, "npm");
    assert.match(
      report.findings[0]!.message,
      /npm was started in its place: start the runtime itself/,
    );
    // The number means nothing, or something that the runtime opened since.
    const [code, ...rest] = problemCodes(report);
    assert.equal(code, "foreign");
    assert.match(rest.join(), /^(?:closed|not-passed)$/);
  });

  test(`inspect on ${host.label} shows the socket in a broken environment`, async (t) => {
    for (const [env, state, expected] of BROKEN) {
      const report = await readReport(
        await inspectSockets(t, host, ["web=tcp:127.0.0.1:0"], env, "--json"),
      );
      const what = JSON.stringify(env);
      assert.equal(report.state, state, what);
      assert.deepEqual(problemCodes(report), expected, what);
      assert.equal(report.inOrder, expected.length === 0);
      const { kind } = report.descriptors[0] ?? {};
      if (host.inspects) assert.equal(kind, "stream-listener", what);
    }
  });

  test(`inspect on ${host.label} finds descriptors that were not passed`, async (t) => {
    const env = { LISTEN_FDS: "3", LISTEN_FDNAMES: "web:gone:high" };
    const report = await readReport(
      await inspectSockets(t, host, ["web=tcp:127.0.0.1:0"], env, "--json"),
    );
    assert.equal(report.descriptors.length, 3);
    if (!host.inspects) return;
    for (const code of problemCodes(report)) {
      assert.match(code, /^(?:closed|not-passed)$/);
    }
    const found = problemsOf(report).flatMap(({ fds }) => fds);
    assert.deepEqual(found.sort(), [4, 5]);
  });

  test(`inspect on ${host.label} finds one that nobody counted`, {
    skip: !host.inspects && "Deno can't tell what descriptors are here",
  }, async (t) => {
    const directory = temporaryDirectory(t);
    const report = await readReport(
      await inspectSockets(
        t,
        host,
        ["web=tcp:127.0.0.1:0", `admin=unix:${directory}/x.sock`],
        { LISTEN_FDS: "1", LISTEN_FDNAMES: "web" },
        "--json",
      ),
    );
    assert.ok(report.inOrder);
    const { code, fds } = report.findings[0]!;
    assert.deepEqual([code, fds], ["uncounted", [4]]);
    assert.equal(report.descriptors[1]!.address?.path, `${directory}/x.sock`);
  });

  test(`inspect on ${host.label} says that nothing was handed over`, async (t) => {
    const command = host.command(COMMAND, "inspect", "--json");
    const report = await readReport(startProgram(t, command));
    assert.equal(report.state, "absent");
    assert.deepEqual(problemCodes(report), ["missing"]);
    assert.deepEqual(report.descriptors, []);
  });

  test(`inspect on ${host.label} exits with 2 for wrong arguments`, async (t) => {
    const program = await inspectSockets(t, host, [], {}, "--wrong");
    assert.equal(await program.exited, 2);
    assert.equal(program.stdout, "");
    assert.match(
      program.stderr,
      /^listenfds inspect: Reading the arguments: unknown option "--wrong".+\n$/,
    );
  });
});

test("inspect counts connections that wait", async (t) => {
  const [port] = await freePorts(1);
  const connect = () => {
    // They are reset when nobody has the socket any more.
    const client = net.connect(port!, "127.0.0.1").on("error", () => {});
    t.after(() => client.destroy());
    return client;
  };
  const program = await bindSockets(
    [`web=tcp:127.0.0.1:${port}`],
    (sockets) => {
      // Nobody accepts: the activator's own listener is closed at once.
      for (let client = 1; client <= 3; client++) connect();
      return startActivated(t, [
        ...["/bin/sh", "-c", 'read _; exec "$@"', "sh"],
        ...LIBC_HOST.command(COMMAND, "inspect", "--json"),
      ], sockets);
    },
  );
  // The kernel queues them in order.
  await once(connect(), "connect");
  program.process.stdin!.write("\n");
  const { descriptors } = await readReport(program);
  assert.equal(descriptors[0]!.waiting, 4);
  assert.ok(descriptors[0]!.backlog! >= 4);
});

test(
  "inspect gives colour on a terminal, unless NO_COLOR is set and not empty",
  {
    skip: NO_PYTHON,
  },
  async (t) => {
    const script = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
    const run = async (env: Environment) => {
      const command = NODE_HOST.command(COMMAND, "inspect");
      const program = startProgram(t, ["python3", "-c", script, ...command], {
        env: { TERM: "xterm", NO_COLOR: undefined, ...env },
      });
      assert.equal(await program.exited, 1, program.stderr);
      return program.stdout;
    };
    assert.ok((await run({})).includes("\x1b[31mProblems\x1b[39m"));
    assert.ok((await run({ NO_COLOR: "" })).includes("\x1b[31m"));
    const plain = await run({ NO_COLOR: "1" });
    assert.ok(plain.includes("Problems"));
    assert.ok(!plain.includes("\x1b["));
  },
);
