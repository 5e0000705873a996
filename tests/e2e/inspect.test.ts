/** What `inspect` tells of real descriptors, on every runtime. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import {
  parseSocketSpec,
  withSockets,
} from "../../src/cli/activator/activator.ts";
import {
  type Handover,
  handOver,
  METADATA_HOSTS,
  NO_HANDOVER,
} from "./handover.ts";
import {
  AGENT,
  COMMAND,
  freePorts,
  type Host,
  HOSTS,
  NATIVE_AGENT,
  Program,
  start,
  SYSTEMD_ACTIVATE,
  temporaryFolder,
  tryConnect,
} from "./harness.ts";

/** What the tests read of the JSON. */
interface Shown {
  readonly inOrder: boolean;
  readonly state: string;
  readonly process: { readonly pid: number; readonly source: string };
  readonly listenPid: number | null;
  readonly wrapper: string | null;
  readonly findings: readonly {
    readonly severity: "problem" | "note";
    readonly code: string;
    readonly fds: readonly number[];
    readonly message: string;
  }[];
  readonly descriptors: readonly ShownDescriptor[];
}

interface ShownDescriptor {
  readonly fd: number;
  readonly name: string | null;
  readonly kind: string;
  readonly address: { readonly port?: number; readonly path?: string } | null;
  readonly blocking: boolean | null;
  readonly closeOnExec: boolean | null;
  readonly backlog: number | null;
  readonly waiting: number | null;
  readonly use: Readonly<
    Record<"deno" | "bun" | "node", {
      readonly verdict: string;
      readonly native: { readonly api: string } | null;
      readonly portable: { readonly api: string } | null;
    }>
  >;
}

/** The codes of what is wrong, each once. */
function problems({ findings }: Shown): string[] {
  const found = findings.filter(({ severity }) => severity === "problem");
  return [...new Set(found.map(({ code }) => code))];
}

/** Reads the JSON of a program that has ended. */
async function shown(program: Program): Promise<Shown> {
  const status = await program.exited;
  assert.equal(program.stderr, "");
  const report: Shown = JSON.parse(program.stdout);
  assert.equal(status, report.inOrder ? 0 : 1);
  return report;
}

/** Runs `inspect` with sockets, and changes to the environment. */
async function inspectSockets(
  t: TestContext,
  host: Host,
  sockets: readonly string[],
  env: Record<string, string | undefined> = {},
  ...args: string[]
): Promise<Program> {
  return await withSockets(
    sockets.map(parseSocketSpec),
    (bound) => start(t, host.command(COMMAND, "inspect", ...args), bound, env),
  );
}

/** Turns the maker of descriptors into `inspect --json`, and reads what it says. */
async function inspectHandover(
  { agent, folder }: Handover,
  host: Host,
): Promise<Shown> {
  const file = path.join(folder, "report");
  // What it writes is no answer to a call.
  const command = [
    ...["/bin/sh", "-c", 'exec "$@" > "$0"', file],
    ...host.command(COMMAND, "inspect", "--json"),
  ];
  await agent.call("become", command, {});
  const status = await agent.exited;
  const report: Shown = JSON.parse(fs.readFileSync(file, "utf8"));
  assert.equal(status, report.inOrder ? 0 : 1);
  return report;
}

/** The kinds of what `handover.py` makes. */
function kindOf(name: string): string {
  if (/^(?:m?p?tcp\d?|unix)-(?:idle|unbound)$/.test(name)) return "socket";
  if (/^(?:tcp\d|unix)-connection$/.test(name)) return "stream-connection";
  if (/^(?:udp|unix-(?:datagram|unnamed))/.test(name)) return "datagram";
  if (/^(?:tcp|mptcp|unix|vsock)/.test(name)) return "stream-listener";
  if (name.startsWith("raw") || name === "packet") return "raw";
  return ({
    "seqpacket": "seqpacket-listener",
    "pipe": "fifo",
    "deleted": "file",
    "null": "character-device",
    "folder": "other",
    "epoll": "other",
    "mqueue": "message-queue",
  } as Record<string, string>)[name] ?? name;
}

/** What `/proc` tells no more of than that they are sockets. */
const NOT_IN_PROC = /^(?:tcp4-(?:idle|unbound)|vsock|packet)$/;

for (const host of METADATA_HOSTS) {
  test(`inspect on ${host.label} tells descriptors of every kind`, {
    skip: NO_HANDOVER,
  }, async (t) => {
    const handover = await handOver(t);
    const report = await inspectHandover(handover, host);
    assert.equal(report.state, "activated");
    const { source } = report.process;
    assert.equal(
      source,
      !host.inspects
        ? "none"
        : /^node 2[24]$/.test(host.label)
        ? "proc"
        : "libc",
    );
    assert.deepEqual(
      report.descriptors.map(({ name }) => name),
      handover.names,
    );
    for (const one of report.descriptors) {
      const { name, kind, blocking, closeOnExec, fd, ...rest } = one;
      if (source === "none") {
        const isStream = /^m?p?tcp/.test(name!);
        assert.equal(kind, isStream ? "socket" : "unknown", name!);
        continue;
      }
      const hidden: boolean = source === "proc" && NOT_IN_PROC.test(name!);
      assert.equal(kind, hidden ? "socket" : kindOf(name!), name!);
      assert.equal(blocking, true, name!);
      // Deno leaves it as it was handed over; the others can't help it.
      if (host.runtime === "deno") assert.equal(closeOnExec, false, name!);
      const port = handover.ports[name!];
      if (port !== undefined && !hidden && !name!.startsWith("raw")) {
        assert.equal(rest.address?.port, port, name!);
      }
      const isTcp = /^m?p?tcp/.test(name!) && kind === "stream-listener";
      // As many as Python's listen() asks for.
      assert.equal(
        rest.backlog,
        isTcp && source === "libc" ? 128 : null,
        name!,
      );
      assert.equal(fd, handover.fd(name!));
    }
    // The two that look like those that these runtimes open themselves.
    assert.deepEqual(
      report.findings.filter(({ severity }) => severity === "problem")
        .flatMap(({ fds }) => fds.map((fd) => handover.names[fd - 3])),
      host.runtime === "deno" ? [] : ["pipe", "epoll"],
    );
  });
}

/** What the agents are asked to do for each function of the library. */
const TRIES: readonly {
  readonly way: "native" | "portable";
  readonly api: RegExp;
  readonly op: string;
  readonly arg: (name: string, fd: number) => string;
}[] = [
  {
    way: "portable",
    api: /^serve/,
    op: "listen",
    arg: (_, fd) => `fd:${fd}`,
  },
  {
    way: "portable",
    api: /^connection/,
    op: "connection",
    arg: (name) => name,
  },
  { way: "portable", api: /^bind/, op: "bind", arg: (name) => name },
  { way: "native", api: /^serve/, op: "listen", arg: (_, fd) => `fd:${fd}` },
  {
    way: "native",
    api: /^(?:listenDatagram|udpSocket)/,
    op: "datagrams",
    arg: (_, fd) => `fd:${fd}`,
  },
];

for (const host of HOSTS.filter(({ inspects }) => inspects)) {
  for (const way of ["portable", "native"] as const) {
    if (way === "native" && !host.adopts) continue;
    test(`inspect on ${host.label} is right on what is ${way}`, {
      skip: NO_HANDOVER,
    }, async (t) => {
      const { descriptors } = await inspectHandover(await handOver(t), host);
      const handover = await handOver(t);
      const { agent } = handover;
      const command = host.command(way === "native" ? NATIVE_AGENT : AGENT);
      if (host.runtime === "deno") command.splice(2, 0, "--unstable-net");
      await agent.call("become", command, {});
      for (const { name, kind, use } of descriptors) {
        // The kernel would still let them listen, or connect.
        if (kind === "socket") continue;
        const told = use[host.runtime][way]?.api;
        for (const { op, api, arg } of TRIES.filter((one) => one.way === way)) {
          const target = arg(name!, handover.fd(name!));
          if (told !== undefined && api.test(told)) {
            await agent.call(op, target);
          } else {
            // Taken by the one that works, or refused.
            await agent.fail(op, target);
          }
        }
      }
    });
  }
}

const skip = SYSTEMD_ACTIVATE === undefined &&
  "systemd-socket-activate is not installed";

for (const host of HOSTS) {
  test(`inspect on ${host.label} runs under systemd-socket-activate`, {
    skip,
  }, async (t) => {
    const [port] = await freePorts(1);
    const socket = path.join(temporaryFolder(t), "x.sock");
    const program = new Program(
      t,
      spawn(SYSTEMD_ACTIVATE!, [
        `--listen=127.0.0.1:${port}`,
        `--listen=${socket}`,
        "--fdname=web:admin",
        "--",
        ...host.command(COMMAND, "inspect"),
      ], { stdio: ["ignore", "pipe", "pipe"] }),
    );
    const client = await program.until(
      "systemd-socket-activate to listen",
      () => tryConnect({ port: port!, host: "127.0.0.1" }),
    );
    client.on("error", () => {});
    assert.equal(await program.exited, 0, program.stdout + program.stderr);
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
    const program = await withSockets(
      [parseSocketSpec(`web=tcp:127.0.0.1:${port}`)],
      (bound) =>
        start(t, [
          ...["/bin/sh", "-c", '"$@"; exit $?', "sh"],
          ...host.command(COMMAND, "inspect", "--json"),
        ], bound),
    );
    const report = await shown(program);
    assert.equal(report.state, "foreign");
    assert.equal(report.listenPid, program.pid);
    assert.deepEqual(problems(report), ["foreign"]);
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

  const hasNpm = spawnSync("npm", ["--version"]).status === 0;
  test(`inspect on ${host.label} names npm, which closes descriptors`, {
    skip: !host.inspects
      ? "Deno can't read another process's command line here"
      : !hasNpm && "npm is not installed",
  }, async (t) => {
    const folder = temporaryFolder(t);
    const words = host.command(COMMAND, "inspect", "--json");
    const start_ = words.map((word) => `'${word}'`).join(" ");
    fs.writeFileSync(
      path.join(folder, "package.json"),
      JSON.stringify({ scripts: { start: start_ } }),
    );
    const npm = ["npm", "--silent", `--prefix=${folder}`, "run", "start"];
    const program = await withSockets(
      [parseSocketSpec("web=tcp:127.0.0.1:0")],
      (bound) => start(t, npm, bound),
    );
    const report = await shown(program);
    assert.equal(report.state, "foreign");
    assert.equal(report.wrapper, "npm");
    assert.match(
      report.findings[0]!.message,
      /npm was started in its place: start the runtime itself/,
    );
    // The number means nothing, or something that the runtime opened since.
    const [code, ...rest] = problems(report);
    assert.equal(code, "foreign");
    assert.match(rest.join(), /^(?:closed|not-passed)$/);
  });

  const broken: [Record<string, string | undefined>, string, string[]][] = [
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
  test(`inspect on ${host.label} shows the socket in a broken environment`, async (t) => {
    for (const [env, state, expected] of broken) {
      const report = await shown(
        await inspectSockets(t, host, ["web=tcp:127.0.0.1:0"], env, "--json"),
      );
      const what = JSON.stringify(env);
      assert.equal(report.state, state, what);
      assert.deepEqual(problems(report), expected, what);
      assert.equal(report.inOrder, expected.length === 0);
      const { kind } = report.descriptors[0] ?? {};
      if (host.inspects) assert.equal(kind, "stream-listener", what);
    }
  });

  test(`inspect on ${host.label} finds descriptors that were not passed`, async (t) => {
    const env = { LISTEN_FDS: "3", LISTEN_FDNAMES: "web:gone:high" };
    const report = await shown(
      await inspectSockets(t, host, ["web=tcp:127.0.0.1:0"], env, "--json"),
    );
    assert.equal(report.descriptors.length, 3);
    if (!host.inspects) return;
    for (const code of problems(report)) {
      assert.match(code, /^(?:closed|not-passed)$/);
    }
    const found = report.findings.filter(({ severity }) =>
      severity === "problem"
    ).flatMap(({ fds }) => fds);
    assert.deepEqual(found.sort(), [4, 5]);
  });

  test(`inspect on ${host.label} finds one that nobody counted`, {
    skip: !host.inspects && "Deno can't tell what descriptors are here",
  }, async (t) => {
    const folder = temporaryFolder(t);
    const report = await shown(
      await inspectSockets(
        t,
        host,
        ["web=tcp:127.0.0.1:0", `admin=unix:${folder}/x.sock`],
        { LISTEN_FDS: "1", LISTEN_FDNAMES: "web" },
        "--json",
      ),
    );
    assert.ok(report.inOrder);
    const { code, fds } = report.findings[0]!;
    assert.deepEqual([code, fds], ["uncounted", [4]]);
    assert.equal(report.descriptors[1]!.address?.path, `${folder}/x.sock`);
  });

  test(`inspect on ${host.label} says that nothing was handed over`, async (t) => {
    const [program, ...args] = host.command(COMMAND, "inspect", "--json");
    const report = await shown(
      new Program(
        t,
        spawn(program!, args, { stdio: ["ignore", "pipe", "pipe"] }),
      ),
    );
    assert.equal(report.state, "absent");
    assert.deepEqual(problems(report), ["missing"]);
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
}

test("inspect counts connections that wait", async (t) => {
  const host = HOSTS.find(({ label }) => label === "node 26")!;
  const [port] = await freePorts(1);
  const connect = () => {
    // They are reset when nobody has the socket any more.
    const client = net.connect(port!, "127.0.0.1").on("error", () => {});
    t.after(() => client.destroy());
    return client;
  };
  const program = await withSockets(
    [parseSocketSpec(`web=tcp:127.0.0.1:${port}`)],
    (bound) => {
      // Nobody accepts: the activator's own listener is closed at once.
      for (let client = 1; client <= 3; client++) connect();
      return start(t, [
        ...["/bin/sh", "-c", 'read _; exec "$@"', "sh"],
        ...host.command(COMMAND, "inspect", "--json"),
      ], bound);
    },
  );
  // The kernel queues them in order.
  await once(connect(), "connect");
  program.process.stdin!.write("\n");
  const { descriptors } = await shown(program);
  assert.equal(descriptors[0]!.waiting, 4);
  assert.ok(descriptors[0]!.backlog! >= 4);
});

test(
  "inspect gives colour on a terminal, unless NO_COLOR is set and not empty",
  {
    skip: NO_HANDOVER,
  },
  async (t) => {
    const host = HOSTS.find(({ label }) => label === "node 24")!;
    const script = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
    const run = async (env: Record<string, string | undefined>) => {
      const command = host.command(COMMAND, "inspect");
      const program = new Program(
        t,
        spawn("python3", ["-c", script, ...command], {
          stdio: ["ignore", "pipe", "pipe"],
          env: { ...process.env, TERM: "xterm", NO_COLOR: undefined, ...env },
        }),
      );
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
