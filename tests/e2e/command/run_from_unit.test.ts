/** `listenfds run --from-unit` and `--env-file`, from every runtime. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { exchange, tryConnect } from "../../harness/client.ts";
import { forEachHost, type Host, hostsWith } from "../../harness/hosts.ts";
import { NO_PYTHON, temporaryDirectory } from "../../harness/machine_tools.ts";
import { python, startRun } from "../../harness/run.ts";
import { freePorts } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

/** Returns whether the runtime can create sockets of every kind. */
function createsAll({ label }: Host): boolean {
  return label !== "node 22" && label !== "node 24";
}

/** Sends a packet of any kind from a program in Python. */
function sendPacket(kind: string, file: string): string {
  const script = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.${kind})
s.settimeout(60)
s.connect(sys.argv[1])
s.send(b"packet")
print(s.recv(100).decode() if "SEQ" in "${kind}" else "sent")`;
  return spawnSync("python3", ["-c", script, file], { encoding: "utf8" })
    .stdout;
}

forEachHost(hostsWith({ runsCommand: true }), (host) => {
  test(
    `run takes sockets from units, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      const cwd = temporaryDirectory(t);
      const [port] = await freePorts(1);
      fs.writeFileSync(
        path.join(cwd, "web.socket"),
        `[Unit]
Description=Two sockets
[Socket]
# IPv4 and IPv6
ListenStream=127.0.0.1:${port}
ListenStream=[::1]:${port}
FileDescriptorName=web
Backlog=7
TimeoutSec=5
`,
      );
      fs.mkdirSync(path.join(cwd, "web.socket.d"));
      fs.writeFileSync(
        path.join(cwd, "web.socket.d/10-udp.conf"),
        `[Socket]\nListenDatagram=127.0.0.1:${port}\n`,
      );
      fs.writeFileSync(
        path.join(cwd, "admin.socket"),
        `[Socket]
ListenStream=${cwd}/new/admin.sock
SocketMode=0600
DirectoryMode=0700
Symlinks=${cwd}/new/links/link
`,
      );
      const before = fs.readdirSync(cwd);
      const run = startRun(
        t,
        host,
        ["--from-unit", "web.socket", "admin.socket", "--socket=x=[::1]:0"],
        python(),
        { cwd },
      );
      const command = await run.generation(0);
      assert.deepEqual(command.names, [
        "x",
        "web",
        "web",
        "web",
        "admin.socket",
      ]);
      assert.deepEqual(
        command.sockets.map(({ family, type }) => `${family} ${type}`),
        [
          "AF_INET6 SOCK_STREAM",
          "AF_INET SOCK_STREAM",
          "AF_INET6 SOCK_STREAM",
          "AF_INET SOCK_DGRAM",
          "AF_UNIX SOCK_STREAM",
        ],
      );
      assert.match(
        run.stderr,
        /^listenfds: web\.socket:9: TimeoutSec= is not supported, and has no ef/m,
      );
      const file = path.join(cwd, "new/admin.sock");
      assert.equal(fs.statSync(file).mode & 0o777, 0o600);
      assert.equal(fs.statSync(path.dirname(file)).mode & 0o777, 0o700);
      assert.equal(fs.readlinkSync(path.join(cwd, "new/links/link")), file);
      assert.equal(
        await exchange({ path: path.join(cwd, "new/links/link") }, "x"),
        `admin.socket ${command.pid}\n`,
      );
      assert.equal(
        await exchange({ host: "::1", port: port! }, "x"),
        `web ${command.pid}\n`,
      );
      // As the kernel has it: the last column of listeners is the backlog.
      const { stdout } = spawnSync("ss", ["-Hltn", `sport = ${port}`], {
        encoding: "utf8",
      });
      if (stdout) assert.deepEqual(stdout.match(/ 7 /g)?.length, 2, stdout);
      assert.equal(await run.terminate(), 0, run.stderr);
      // Directories stay, as systemd leaves them.
      assert.deepEqual(
        fs.readdirSync(path.join(cwd, "new"), { recursive: true }),
        ["links"],
      );
      assert.deepEqual(
        fs.readdirSync(cwd).filter((name) => name !== "new"),
        before,
      );
    },
  );

  test(
    `run takes units of a distribution by name, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      const cwd = temporaryDirectory(t);
      const [port] = await freePorts(1);
      const write = (file: string, text: string) => {
        fs.mkdirSync(path.dirname(path.join(cwd, file)), { recursive: true });
        fs.writeFileSync(path.join(cwd, file), text);
      };
      // The forms of units that distributions ship: a boolean for BindIPv6Only=,
      // an alias, a template, drop-ins that reset a list, and settings that
      // concern the service manager alone.
      write(
        "usr/locator.socket",
        `[Unit]
Description=A daemon
ConditionPathExists=!/no/such/file

[Socket]
ListenStream=%t/locator.sock
ListenStream=[::1]:${port}
ListenStream=127.0.0.1:${port}
BindIPv6Only=yes
SocketMode=0600
Backlog=4294967295
TriggerLimitBurst=200
FileDescripterName=web

[Install]
WantedBy=sockets.target
`,
      );
      write(
        "etc/locator.socket.d/10-path.conf",
        `[Socket]
ListenStream=
ListenStream=${cwd}/locator.sock
ListenStream=[::1]:${port}
ListenStream=127.0.0.1:${port}
`,
      );
      fs.symlinkSync("../usr/locator.socket", path.join(cwd, "etc/gps.socket"));
      write(
        "usr/log@.socket",
        `[Socket]
ListenStream=${cwd}/%j-%i/%I.sock
FileDescriptorName=log-%i
DirectoryMode=0700
`,
      );
      const run = startRun(
        t,
        host,
        ["--from-unit", "gps.socket", "log@a.socket"],
        python(),
        { cwd, env: { SYSTEMD_UNIT_PATH: `${cwd}/etc:${cwd}/usr` } },
      );
      const { names, sockets } = await run.generation(0);
      assert.deepEqual(names, [
        ...Array(3).fill("locator.socket"),
        "log-a",
      ]);
      assert.deepEqual(
        sockets.map(({ family }) => family),
        ["AF_UNIX", "AF_INET6", "AF_INET", "AF_UNIX"],
      );
      assert.ok(fs.statSync(path.join(cwd, "log-a/a.sock")).isSocket());
      assert.equal(
        fs.statSync(path.join(cwd, "locator.sock")).mode & 0o777,
        0o600,
      );
      for (
        const line of [
          `reading locator.socket from ${cwd}/usr/locator.socket, ` +
          `${cwd}/etc/locator.socket.d/10-path.conf`,
          "locator.socket:12: TriggerLimitBurst= is not supported, and has no " +
          "effect",
          "locator.socket:13: unknown setting FileDescripterName=, did you " +
          "mean FileDescriptorName=? It has no effect",
        ]
      ) assert.ok(run.stderr.includes(`listenfds: ${line}\n`), run.stderr);
      assert.equal(await run.terminate(), 0, run.stderr);
    },
  );

  test(
    `run makes sockets of the other kinds, or says so, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      const cwd = temporaryDirectory(t);
      const kinds = ["ListenDatagram", "ListenSequentialPacket", "ListenFIFO"];
      const write = (some: readonly string[]) =>
        fs.writeFileSync(
          path.join(cwd, "x.socket"),
          `[Socket]\nPipeSize=64K\nPassCredentials=yes\n` +
            some.map((kind) => `${kind}=${cwd}/${kind}\n`).join(""),
        );
      const start = (some: readonly string[]) => {
        write(some);
        return startRun(t, host, ["--from-unit=x.socket"], python(), { cwd });
      };
      if (!createsAll(host)) {
        for (const kind of kinds) {
          const run = start([kind]);
          assert.equal(await run.exited, 2, run.stderr);
          assert.match(
            run.stderr,
            /^listenfds run: Binding "x.socket": this runtime can't create a \w+/m,
          );
          assert.deepEqual(fs.readdirSync(cwd), ["x.socket"]);
        }
        return;
      }
      const run = start(kinds);
      const command = await run.generation(0);
      assert.deepEqual(command.open, [0, 1, 2, 3, 4, 5]);
      assert.deepEqual(
        command.sockets.map(({ fd, type, blocking }) => [fd, type, blocking]),
        [[3, "SOCK_DGRAM", true], [4, "SOCK_SEQPACKET", true]],
      );
      assert.ok(fs.statSync(path.join(cwd, "ListenFIFO")).isFIFO());
      assert.equal(
        sendPacket("SOCK_SEQPACKET", path.join(cwd, "ListenSequentialPacket")),
        `x.socket ${command.pid}\n\n`,
      );
      assert.equal(
        sendPacket("SOCK_DGRAM", path.join(cwd, "ListenDatagram")),
        "sent\n",
      );
      await run.until(
        "the packet",
        () => run.lines.some(({ packet }) => packet === "packet"),
      );
      assert.equal(await run.terminate(), 0, run.stderr);
      assert.deepEqual(fs.readdirSync(cwd), ["x.socket"]);
    },
  );

  test(
    `run starts a command for each connection of Accept=yes, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      const cwd = temporaryDirectory(t);
      const [port] = await freePorts(1);
      fs.writeFileSync(
        path.join(cwd, "x.socket"),
        `[Socket]\nListenStream=${port}\nAccept=yes\nMaxConnections=1\n`,
      );
      const run = startRun(
        t,
        host,
        ["--from-unit", "x.socket"],
        python("--connection"),
        { cwd },
      );
      // A port alone is that of IPv4, too, whose peers look like what they are.
      const target = { host: "127.0.0.1", port: port! };
      const first = await run.until(
        "a connection",
        () => tryConnect(target),
      );
      const { pid, env, names } = await run.generation(0);
      assert.equal(env["REMOTE_ADDR"], "127.0.0.1");
      assert.equal(env["REMOTE_PORT"], String(first.localPort));
      assert.deepEqual(names, ["connection"]);
      // One is all that may be.
      assert.equal(await exchange(target, ""), "");
      const closed =
        /^listenfds: the connection from 127\.0\.0\.1:\d+ is closed: there are 1 /m;
      await run.until("the report", () => closed.test(run.stderr));
      assert.equal(await exchange(first, "a"), `hello from ${pid}\na`);
      assert.equal(await run.terminate(), 143, run.stderr);
    },
  );

  test(
    `run reads variables from files, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      const cwd = temporaryDirectory(t);
      fs.writeFileSync(
        path.join(cwd, "one"),
        '# a comment\nA_1=one\nB_2="two words"\nLISTEN_FDS=9\nSET=file\n',
      );
      fs.writeFileSync(path.join(cwd, "two"), "A_1=other\n");
      const run = startRun(
        t,
        host,
        ["--socket=x=127.0.0.1:0", "--env-file=one", "--env-file", "two"],
        python(),
        { cwd, env: { SET: "before" } },
      );
      const { env } = await run.generation(0);
      assert.deepEqual(
        ["A_1", "B_2", "LISTEN_FDS", "SET"].map((name) => env[name]),
        ["other", "two words", "1", "before"],
      );
    },
  );

  test(`run refuses units that it can't read, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    fs.writeFileSync(path.join(cwd, "bad.socket"), "[Socket]\nwhat\n");
    fs.symlinkSync("/dev/null", path.join(cwd, "masked.socket"));
    for (
      const [file, expected] of [
        ["none.socket", /"none\.socket": there is no such file, and no such u/],
        ["./none.socket", /"\.\/none\.socket": there is no such file: give/],
        ["none@.socket", /a template needs .*: give "none@instance\.socket"$/m],
        ["masked.socket", /"masked\.socket": it is masked, /],
        [
          "bad.socket",
          /Reading bad\.socket:2: expected SETTING=VALUE, found "w/,
        ],
        ["bad", /Reading "bad": expected a file named NAME\.socket/],
      ] as const
    ) {
      const run = startRun(t, host, ["--from-unit", file], ["false"], { cwd });
      assert.equal(await run.exited, 2, run.stderr);
      assert.match(run.stderr, expected);
      assert.match(run.stderr, /^listenfds run: [^\n]+\n$/);
    }
  });
});
