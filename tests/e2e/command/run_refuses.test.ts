/** `listenfds run` refuses in one line, and leaves nothing behind. */

import assert from "node:assert/strict";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { exchange } from "../../harness/client.ts";
import { eventually } from "../../harness/eventually.ts";
import {
  forEachHost,
  type Host,
  hostsWith,
  NODE_HOST,
} from "../../harness/hosts.ts";
import { NO_PYTHON, temporaryDirectory } from "../../harness/machine_tools.ts";
import { Program, spawnPiped } from "../../harness/program.ts";
import {
  assertRefuses,
  holdSocket,
  leaveSocket,
  NEVER_STARTED,
} from "../../harness/refusal.ts";
import { python, type Run, startRun } from "../../harness/run.ts";
import { freePorts, isFree } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

function start(
  t: TestContext,
  host: Host,
  cwd: string,
  sockets: readonly string[],
  command: readonly string[] = NEVER_STARTED,
): Run {
  const options = sockets.map((socket) => `--socket=${socket}`);
  return startRun(t, host, options, command, { cwd });
}

forEachHost(hostsWith({ runsCommand: true }), (host) => {
  test(`run refuses an address that is in use, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    const [taken, free] = await freePorts(2) as [number, number];
    const server = net.createServer((socket) => socket.end("mine\n"));
    server.listen({ port: taken, host: "127.0.0.1" });
    await once(server, "listening");
    t.after(() => server.close());
    const run = start(t, host, cwd, [
      `free=127.0.0.1:${free}`,
      "path=unix:./a.sock",
      `taken=127.0.0.1:${taken}`,
    ]);
    await assertRefuses(
      run,
      new RegExp(
        `"taken" to "127.0.0.1:${taken}": the address is in use` +
          (process.platform === "linux"
            ? ` by "[^"]+" \\(process ${process.pid}\\): end the program`
            : ""),
      ),
    );
    assert.deepEqual(fs.readdirSync(cwd), []);
    assert.ok(await isFree(free));
    assert.equal(
      await exchange({ port: taken, host: "127.0.0.1" }, ""),
      "mine\n",
    );
  });

  test(`run refuses a path that is no socket, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    fs.writeFileSync(path.join(cwd, "file"), "precious");
    fs.mkdirSync(path.join(cwd, "directory"));
    fs.symlinkSync("nowhere", path.join(cwd, "link"));
    const before = fs.readdirSync(cwd);
    for (
      const [name, what] of [
        ["file", "a file"],
        ["directory", "a directory"],
        ["link", "a symbolic link"],
      ] as const
    ) {
      await assertRefuses(
        start(t, host, cwd, ["b=unix:b.sock", `x=unix:${name}`]),
        new RegExp(`"x" to "${name}": there is ${what}, not a socket`),
      );
      assert.deepEqual(fs.readdirSync(cwd), before);
    }
    assert.equal(fs.readFileSync(path.join(cwd, "file"), "utf8"), "precious");
  });

  test(
    `run never takes a socket of another process, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      const cwd = temporaryDirectory(t);
      const file = path.join(cwd, "x.sock");
      const other = startRun(t, host, [`--socket=x=unix:${file}`], python());
      await other.generation(0);
      const before = fs.readdirSync(cwd);
      await assertRefuses(
        start(t, host, cwd, ["x=unix:x.sock"]),
        /"x" to "x.sock": another process uses it/,
      );
      // Also one that nobody listens on, and of another kind.
      for (const kind of ["SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET"]) {
        const script = "import socket, sys\n" +
          `s = socket.socket(socket.AF_UNIX, socket.${kind})\n` +
          "s.bind(sys.argv[1]); print('bound', flush=True); sys.stdin.read()";
        const bound = path.join(cwd, kind);
        const command = ["python3", "-c", script, bound];
        const program = new Program(t, spawnPiped(command));
        await program.until("the socket", () => program.stdout !== "");
        await assertRefuses(
          start(t, host, cwd, [`x=unix:${kind}`]),
          /another process uses it/,
        );
        await program.endInput();
        fs.rmSync(bound);
      }
      assert.deepEqual(fs.readdirSync(cwd), before);
      assert.match(await exchange({ path: file }, "x"), /^x \d+\n$/);
    },
  );

  test(
    `run replaces what a killed run left, and nothing else, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      const cwd = temporaryDirectory(t);
      const file = path.join(cwd, "x.sock");
      // The same relative path, used in another directory.
      await holdSocket(t, "x.sock", { cwd: temporaryDirectory(t) });
      const first = start(t, host, cwd, ["x=unix:x.sock"], python());
      const { pid, sockets } = await first.generation(0);
      // Whatever the directory of the process that looks at it.
      assert.equal(sockets[0]!.address, file);
      first.process.kill("SIGKILL");
      // The command lives on, and so does its socket.
      await assertRefuses(
        start(t, host, cwd, ["x=unix:x.sock"]),
        /another process uses it/,
      );
      process.kill(pid, "SIGKILL");
      await first.exited;
      // The kernel closes the sockets of a process after its output.
      await eventually(
        "the socket to be closed",
        () => fs.readFileSync("/proc/net/unix", "utf8"),
        (table) => !table.includes(file),
      );
      assert.ok(fs.statSync(file).isSocket());
      const second = start(t, host, cwd, ["x=unix:x.sock"], python());
      const { pid: next } = await second.generation(0);
      assert.equal(await exchange({ path: file }, "x"), `x ${next}\n`);
      assert.equal(await second.terminate(), 0, second.stderr);
      assert.deepEqual(fs.readdirSync(cwd), []);

      // One that something else left, with and without a note of ours.
      await leaveSocket(t, file);
      for (const note of [undefined, "listenfds made this socket: 1 2 3\n"]) {
        const beside = path.join(cwd, ".x.sock.listenfds");
        if (note !== undefined) fs.writeFileSync(beside, note);
        const before = fs.readdirSync(cwd);
        await assertRefuses(
          start(t, host, cwd, ["x=unix:x.sock"]),
          /"x.sock": there is a socket that listenfds didn't create/,
        );
        assert.deepEqual(fs.readdirSync(cwd), before);
      }
    },
  );

  test(`run refuses what can't be bound or started, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    fs.writeFileSync(path.join(cwd, "data"), "");
    fs.writeFileSync(path.join(cwd, "script"), "#!/no/such\n", { mode: 0o755 });
    const before = fs.readdirSync(cwd);
    const web = "web=127.0.0.1:0";
    const x = "x=unix:x.sock";
    const cases: [readonly string[], readonly string[], RegExp][] = [
      [[web], ["./nothing"], /Starting "\.\/nothing": there is no such file/],
      [
        [web],
        ["nothing-here"],
        /Starting "nothing-here": it is in no directory of/,
      ],
      [
        [x],
        ["./script"],
        /Starting "\.\/script": its interpreter "\/no\/such" is missing or not/,
      ],
      [
        [x, "a=192.0.2.1:0"],
        NEVER_STARTED,
        /this machine doesn't have the address/,
      ],
      [
        [x, "a=host.invalid:0"],
        NEVER_STARTED,
        /the host "host.invalid" isn't known/,
      ],
      [[x, "a=unix:no/where"], NEVER_STARTED, /there is no directory/],
      [
        [x, `a=unix:${"x".repeat(108)}`],
        NEVER_STARTED,
        /a path of at most 107 bytes/,
      ],
      [
        [x, "a:b=127.0.0.1:0"],
        NEVER_STARTED,
        /a name of 1 to 255 characters without/,
      ],
    ];
    for (const [sockets, command, expected] of cases) {
      const run = start(t, host, cwd, sockets, command);
      await assertRefuses(run, expected);
      assert.deepEqual(fs.readdirSync(cwd), before, sockets.join(" "));
    }
  });
});

test("run names the process that holds an address of each kind", async (t) => {
  const cwd = temporaryDirectory(t);
  const holder = startRun(
    t,
    NODE_HOST,
    ["--socket=a=udp:0", "--socket=b=0.0.0.0:0", "--socket=c=[::1]:0"],
    ["sleep", "1000"],
  );
  const ports = await Promise.all(
    ["a", "b", "c"].map((name) => holder.port(name)),
  );
  const name = `listenfds-${ports[0]}`;
  const server = net.createServer().listen(`\0${name}`);
  await once(server, "listening");
  t.after(() => server.close());
  for (
    const [address, pid] of [
      [`udp:${ports[0]}`, holder.pid],
      // The wildcard holds each address.
      [`127.0.0.1:${ports[1]}`, holder.pid],
      [`[::1]:${ports[2]}`, holder.pid],
      [`@${name}`, process.pid],
    ] as const
  ) {
    // The kernel's order decides between the activator and its command.
    const run = start(t, NODE_HOST, cwd, [`x=${address}`]);
    assert.equal(await run.exited, 2, run.stderr);
    const [, holderPid] =
      /the address is in use by "[^"]+" \(process (\d+)\): /.exec(run.stderr) ??
        [];
    assert.ok(holderPid !== undefined, run.stderr);
    if (Number(holderPid) === pid) continue;
    const parent = fs.readFileSync(`/proc/${holderPid}/stat`, "utf8")
      .split(") ")[1]!.split(" ")[1];
    assert.equal(Number(parent), pid, run.stderr);
  }
});

/** The user "nobody", who may bind nothing below 1024. */
const NOBODY = 65534;
const lowest = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

test(
  "run refuses a port that it has no permission for, and a directory",
  {
    skip: process.getuid?.() !== 0
      ? "not root, who may become somebody else"
      : Number(fs.existsSync(lowest) && fs.readFileSync(lowest, "utf8")) <= 1 &&
        "here everybody may bind every port",
  },
  async (t) => {
    const cwd = temporaryDirectory(t);
    fs.chmodSync(cwd, 0o755);
    const run = (socket: string) =>
      startRun(t, NODE_HOST, [`--socket=${socket}`], NEVER_STARTED, {
        cwd,
        uid: NOBODY,
      });
    await assertRefuses(
      run("web=127.0.0.1:1"),
      /"127.0.0.1:1": no permission for port 1: use a port from 1024 on/,
    );
    await assertRefuses(
      run("x=unix:x.sock"),
      /"x.sock": no permission to create a socket in this directory/,
    );
    assert.deepEqual(fs.readdirSync(cwd), []);
  },
);

test("run on Deno names the permission that is missing", async (t) => {
  const cwd = temporaryDirectory(t);
  const [deno] = hostsWith({ runtime: "deno" }) as [Host];
  const host: Host = {
    ...deno,
    command: (script, ...args) => [
      deno.command("")[0]!,
      ..."run --no-prompt --allow-env --allow-read --allow-sys".split(" "),
      script,
      ...args,
    ],
  };
  await assertRefuses(
    start(t, host, cwd, ["x=unix:x.sock"]),
    /Deno can't call the C library here: run it with -A/,
  );
  assert.deepEqual(fs.readdirSync(cwd), []);
});
